// The products of weight tiles: integer groups exactly, f32 columns within a bound, one result however the columns are cut.
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;
using ref::Random;

namespace {

constexpr QFormat kFormats[] = {{0, false, false}, {8, false, false}, {128, false, false}, {0, false, true},
                                {4, true, false},  {32, true, false}, {128, true, false},  {0, true, true}};

// T quantised rows of G groups. `extreme`: all q are +-127, which overflows 16-bit pair sums.
struct Rows {
  Rows(int64_t T, int64_t G, uint64_t seed, bool extreme)
      : q(size_t(T * G * kGroup)), d(size_t(T * G)), sum(size_t(T * G * 2)), row(size_t(T)) {
    Random random(seed);
    for (size_t i = 0; i < q.size(); ++i) q[i] = int8_t(extreme ? (random.below(8) ? 127 : -127) : random.between(-127, 127));
    for (size_t i = 0; i < d.size(); ++i) d[i] = random.normal() / 127;
    for (size_t i = 0; i < sum.size(); ++i) {
      int32_t s = 0;
      for (size_t j = 0; j < 16; ++j) s += q[16 * i + j];
      sum[i] = s;
    }
    for (int64_t t = 0; t < T; ++t) row[size_t(t)] = {q.data() + t * G * kGroup, d.data() + t * G, sum.data() + t * G * 2};
  }
  Guarded<int8_t> q;
  Guarded<float> d;
  Guarded<int32_t> sum;
  Guarded<QRow> row;
};

void fill(const Guarded<QTile>& tiles, QFormat f, uint64_t seed, bool extreme) {
  Random random(seed);
  const int64_t largest = f.offset == 0 ? 31 : 2 * f.offset - 1;  // as the formats have it: q up to 255
  for (size_t g = 0; g < tiles.size(); ++g)
    for (int r = 0; r < kTileRows; ++r) {
      QTile& t = tiles[g];
      for (int k = 0; k < kGroup; ++k) t.q[k / 4][r][k % 4] = uint8_t(extreme ? largest : random.between(0, largest));
      for (int h = 0; h < 2; ++h) {
        t.s[h][r] = f.subscales ? int32_t(extreme ? -128 : random.between(-128, 127)) : 1;
        t.m[h][r] = f.subscales ? int32_t(random.between(0, 63)) : 1;
      }
      t.d[r] = random.normal() / 16;
      t.dm[r] = f.minimum ? random.normal() / 16 : 0.0f;
    }
}

struct Want {
  double value = 0, terms = 0;  // terms: sum of magnitudes, what rounding is relative to
  void add(double x) { value += x; terms += std::abs(x); }
};

Want exact(const Guarded<QTile>& tiles, QFormat f, const QRow& x, int r) {
  Want w;
  for (size_t g = 0; g < tiles.size(); ++g) {
    const QTile& t = tiles[g];
    int64_t dot = 0, low = 0;
    for (int k = 0; k < kGroup; ++k) {
      const int64_t xq = x.q[g * kGroup + size_t(k)];
      dot += int64_t(t.s[k / 16][r]) * (int64_t(t.q[k / 4][r][k % 4]) - f.offset) * xq;
      low += int64_t(t.m[k / 16][r]) * xq;
    }
    w.add(double(dot) * t.d[r] * x.d[g]);
    if (f.minimum) w.add(double(low) * t.dm[r] * x.d[g]);
  }
  return w;
}

}  // namespace

TEST_CASE("gemm_q is exact integer arithmetic times the scales", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const QFormat f : kFormats)
      for (const bool extreme : {false, true})
        for (const int64_t G : {1, 2, 8, 33})
          for (const int64_t T : {1, 2, 3, 5, 16, 17}) {
            CAPTURE(f.offset, f.subscales, f.minimum, extreme, G, T);
            const Guarded<QTile> tiles{size_t(G)};
            fill(tiles, f, uint64_t(G), extreme);
            const Rows x(T, G, uint64_t(T), extreme);
            const int64_t stride = T == 3 ? 40 : kTileRows;
            const Guarded<float> acc(size_t((T - 1) * stride + kTileRows));
            for (size_t i = 0; i < acc.size(); ++i) acc[i] = float(i % 7) - 3;
            const std::vector<float> before(acc.data(), acc.data() + acc.size());
            k.gemm_q(acc.data(), stride, tiles.data(), G, f, x.row.data(), T);

            std::vector<float> got, untouched, expected_untouched;
            std::vector<double> want, allowed;
            for (size_t i = 0; i < acc.size(); ++i) {
              const int64_t t = int64_t(i) / stride, r = int64_t(i) % stride;
              if (r >= kTileRows) {
                untouched.push_back(acc[i]);
                expected_untouched.push_back(before[i]);
                continue;
              }
              Want w = exact(tiles, f, x.row[size_t(t)], int(r));
              w.add(before[i]);
              got.push_back(acc[i]);
              want.push_back(w.value);
              allowed.push_back((2.0 * double(G) + 4) * kRound * w.terms);  // a rounding an fma, and three in each term
            }
            ref::check_within(got, want, [&](size_t i) { return allowed[i]; });
            CHECK(ref::differing(untouched, expected_untouched) == 0);
          }
  });
}

TEST_CASE("gemm_q gives the same bits however the groups are cut", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    const int64_t G = 9, T = 3;
    for (const QFormat f : kFormats) {
      const Guarded<QTile> tiles{size_t(G)};
      fill(tiles, f, 21, false);
      const Rows x(T, G, 22, false);
      std::vector<float> whole(T * kTileRows), parts(whole);
      k.gemm_q(whole.data(), kTileRows, tiles.data(), G, f, x.row.data(), T);
      for (int64_t g = 0; g < G; g += 4) {
        const int64_t n = std::min<int64_t>(4, G - g);
        std::vector<QRow> rest;
        for (int64_t t = 0; t < T; ++t) rest.push_back({x.row[size_t(t)].q + g * kGroup, x.row[size_t(t)].d + g, x.row[size_t(t)].sum + 2 * g});
        k.gemm_q(parts.data(), kTileRows, tiles.data() + g, n, f, rest.data(), T);
      }
      CHECK(ref::differing(whole, parts) == 0);
    }
  });
}

TEST_CASE("gemm_f is the product in double, within one rounding a column", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const int64_t K : kAwkwardSizes)
      for (const int64_t T : {1, 2, 3, 4, 5, 8, 9}) {
        CAPTURE(K, T);
        const Guarded<float> tile(ref::normal(K * kTileRows, 23)), acc(ref::normal(T * kTileRows, 24));
        std::vector<std::unique_ptr<Guarded<float>>> rows;
        std::vector<const float*> x;
        for (int64_t t = 0; t < T; ++t) {
          rows.push_back(std::make_unique<Guarded<float>>(ref::normal(K, 25 + uint64_t(t))));
          x.push_back(rows.back()->data());
        }
        std::vector<Want> want;
        for (int64_t t = 0; t < T; ++t)
          for (int64_t r = 0; r < kTileRows; ++r) {
            Want w;
            w.add(acc[size_t(t * kTileRows + r)]);
            for (int64_t i = 0; i < K; ++i) w.add(double(tile[size_t(i * kTileRows + r)]) * x[size_t(t)][i]);
            want.push_back(w);
          }
        std::vector<double> values;
        for (const Want& w : want) values.push_back(w.value);

        const Guarded<float> cut(std::vector<float>(acc.data(), acc.data() + acc.size()));
        k.gemm_f(acc.data(), kTileRows, tile.data(), K, x.data(), T);
        ref::check_within(acc, values, [&](size_t i) { return double(K) * kRound * want[i].terms; });

        const int64_t first = K / 3;  // the columns in two pieces
        k.gemm_f(cut.data(), kTileRows, tile.data(), first, x.data(), T);
        for (const float*& p : x) p += first;
        k.gemm_f(cut.data(), kTileRows, tile.data() + first * kTileRows, K - first, x.data(), T);
        CHECK(ref::differing(acc, cut) == 0);
      }
  });
}

TEST_CASE("a row's product does not depend on the rows beside it", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    const int64_t K = 33, T = 7;
    const std::vector<float> tile = ref::normal(K * kTileRows, 31), values = ref::normal(K * T, 32);
    std::vector<const float*> x;
    for (int64_t t = 0; t < T; ++t) x.push_back(values.data() + t * K);
    std::vector<float> together(T * kTileRows), alone(together);
    k.gemm_f(together.data(), kTileRows, tile.data(), K, x.data(), T);
    for (int64_t t = 0; t < T; ++t) k.gemm_f(alone.data() + t * kTileRows, kTileRows, tile.data(), K, &x[size_t(t)], 1);
    CHECK(ref::differing(together, alone) == 0);
  });
}

TEST_CASE("tiles of every block format times quantised rows are the dequantised weights times the rows", "[kernels][golden]") {
  int formats = 0;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "quant"; }))
    for (int d = int(DType::q4_0); d < kDTypeCount; ++d) {
      const DType dtype = DType(d);
      std::string array = "rand_" + std::string(info(dtype).name) + "_bytes";
      for (char& c : array) c = char(tolower(c));
      if (!g.has(array)) continue;
      ++formats;
      const Npy file = g.array(array);
      const int64_t stride = file.shape[1], n = stride / info(dtype).bytes * info(dtype).block, G = n / kGroup;
      const int rows = int(std::min<int64_t>(kTileRows, file.shape[0]));
      CAPTURE(array, rows, n);
      const Rows x(2, G, 33, false);
      on_every_isa([&](const KernelTable& k) {
        const Guarded<uint8_t> bytes(std::span<const uint8_t>(file.u8().data(), size_t(stride * rows)));
        const Guarded<QTile> tiles{size_t(G)};
        k.tile_q(tiles.data(), dtype, bytes.data(), stride, rows, 0, G);
        std::vector<float> acc(2 * kTileRows), weights(static_cast<size_t>(n));
        k.gemm_q(acc.data(), kTileRows, tiles.data(), G, k.format(dtype), x.row.data(), 2);
        std::vector<double> want(acc.size()), allowed(acc.size());
        for (int r = 0; r < rows; ++r) {
          k.dequantise(weights.data(), dtype, bytes.data() + r * stride, n);
          for (size_t t = 0; t < 2; ++t) {
            Want w;
            double magnitude = 0;  // before a minimum is taken off: that subtraction cancels
            for (int64_t i = 0; i < n; ++i) {
              const double xi = double(x.row[t].q[i]) * x.row[t].d[i / kGroup];
              w.add(weights[size_t(i)] * xi);
              const QTile& tile = tiles[size_t(i / kGroup)];
              const int64_t c = i % kGroup;
              magnitude += std::abs(xi) * (std::abs(double(tile.d[r]) * tile.s[c / 16][r]) * 256 + std::abs(double(tile.dm[r]) * tile.m[c / 16][r]));
            }
            want[t * kTileRows + size_t(r)] = w.value;
            allowed[t * kTileRows + size_t(r)] = (2.0 * double(G) + 8) * kRound * magnitude;
          }
        }
        ref::check_within(acc, want, [&](size_t i) { return allowed[i]; });  // rows that are not there: exactly zero
      });
    }
  CHECK(formats >= 12);
}
