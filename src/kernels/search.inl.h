// search.inl.h -- inner products of one query with many items whose values are 8-bit codes. Compiled once per ISA.
// Sixteen items make a panel, a lane each: [D/4][16 items][4 codes], codes as unsigned bytes (code + 128), so one
// integer dot instruction serves sixteen items for four values. Integer sums are exact; one rounding makes a score of a
// sum and its item's scale.
namespace puna::PUNA_ISA {

PUNA_INLINE V panel_scores(const CodePanels& c, int64_t panel, const int8_t* query, int32_t start) {
  VI dot = isplat(kByteOffset == 0 ? 0 : start);  // the start takes the 128 off again
  const uint8_t* const codes = c.codes + panel * c.steps * 64;
  for (int64_t i = 0; i < c.steps; ++i) dot = dot4<255>(dot, bload(codes + i * 64), load_x4(query + 4 * i));
  return mul(to_float(dot), load(c.scales + panel * 16));
}

int64_t search_codes(int32_t* hits, float* scores, const CodePanels& c, int64_t first, int64_t panels,
                     const CodeQuery& query) {
  const float least = query.least;
  int64_t found = 0;
  for (int64_t p = first; p < first + panels; ++p) {
    const V s = panel_scores(c, p, query.codes, query.start);
    store(scores + found * 16, s);
    hits[found] = int32_t(p);
    found += max_all(s) >= least;
  }
  return found;
}

int32_t dot_codes(const int8_t* x, const int8_t* y, int64_t n) {
  VI sums = isplat(0);
  for (int64_t i = 0; i < n; i += 64)
    sums = dot4_signed(sums, bload(reinterpret_cast<const uint8_t*>(x + i)),
                       bload(reinterpret_cast<const uint8_t*>(y + i)));
  return isum(sums);
}

}  // namespace puna::PUNA_ISA
