// attention.inl.h -- one query head against its keys and values, online softmax in blocks of 16 keys. Compiled once per ISA.
//   s_j = scale q.k_j;  m = running max;  l = sum e^(s_j - m);  out = sum e^(s_j - m) v_j / l              arXiv:2205.14135
// Blocks start at page boundaries, that is at absolute positions, so prefill, decode, batches and forks see the same blocks and
// give the same bits.
namespace puna::PUNA_ISA {

PUNA_INLINE V load_kv(const float* p, int64_t n) { return load_n(p, n); }
PUNA_INLINE V load_kv(const uint16_t* p, int64_t n) { return load_f16_n(p, n); }

template <class T>
PUNA_INLINE float dot_kv(const float* q, const T* k, int64_t n) {
  V s = splat(0.0f);
  for (int64_t i = 0; i < n; i += 16) s = fma(load_n(q + i, n - i), load_kv(k + i, n - i), s);
  return sum(s);
}

template <class T>
PUNA_INLINE void attend(float* out, const float* q, int64_t head_dim, float scale, const KvPages& kv, int64_t low, int64_t high) {
  constexpr float kLowest = -3.402823466e38f;
  float largest = kLowest, total = 0.0f;
  for (int64_t i = 0; i < head_dim; ++i) out[i] = 0.0f;
  for (int64_t start = low; start < high; start += kv.page_size) {
    const T* k = static_cast<const T*>(kv.k[start / kv.page_size]) + kv.head_offset;
    const T* v = static_cast<const T*>(kv.v[start / kv.page_size]) + kv.head_offset;
    const int64_t count = high - start < kv.page_size ? high - start : kv.page_size;
    for (int64_t j0 = 0; j0 < count; j0 += 16) {
      const int64_t keys = count - j0 < 16 ? count - j0 : 16;
      alignas(64) float s[16], p[16];
      for (int64_t j = 0; j < 16; ++j) s[j] = j < keys ? dot_kv(q, k + (j0 + j) * head_dim, head_dim) * scale : kLowest;
      const float block_largest = max_all(load(s));
      const float next = block_largest > largest ? block_largest : largest;
      store(p, exp(sub(load(s), splat(next))));
      for (int64_t j = keys; j < 16; ++j) p[j] = 0.0f;
      alignas(64) float kept[16];
      store(kept, exp(splat(largest - next)));  // what the earlier blocks' weights shrink by
      total = __builtin_fmaf(total, kept[0], sum(load(p)));
      largest = next;
      for (int64_t i = 0; i < head_dim; i += 16) {
        V y = mul(load_n(out + i, head_dim - i), splat(kept[0]));
        for (int64_t j = 0; j < keys; ++j) y = fma(splat(p[j]), load_kv(v + (j0 + j) * head_dim + i, head_dim - i), y);
        store_n(out + i, y, head_dim - i);
      }
    }
  }
  for (int64_t i = 0; i < head_dim; ++i) out[i] = out[i] / total;
}

static void attend_f32(float* out, const float* q, int64_t head_dim, float scale, const KvPages& kv, int64_t low, int64_t high) {
  attend<float>(out, q, head_dim, scale, kv, low, high);
}
static void attend_f16(float* out, const float* q, int64_t head_dim, float scale, const KvPages& kv, int64_t low, int64_t high) {
  attend<uint16_t>(out, q, head_dim, scale, kv, low, high);
}

}  // namespace puna::PUNA_ISA
