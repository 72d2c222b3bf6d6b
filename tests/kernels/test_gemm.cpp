// Products of panels with rows: every format against double arithmetic, the extremes of the integer range, and one
// result whatever stands beside a row or a panel, on every ISA.
#include "kernels/cases.h"
#include "kernels/dequantise.h"
#include "kernels/encode_blocks.h"
#include "kernels/guarded.h"
#include "kernels/panel.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;

namespace {

// T rows of K values and their quantised form.
struct Rows {
  Rows(const KernelTable& k, int64_t T, int64_t K, const std::vector<float>& values)
      : x(values),
        q(size_t(T * K)),
        d(size_t(T * K / 32)),
        scaled16(size_t(T * K / 16)),
        scaled32(d.size()),
        sum(size_t(T * K / 16)) {
    for (int64_t t = 0; t < T; ++t) {
      quantised.push_back({q.data() + t * K, d.data() + t * K / 32, sum.data() + t * K / 16,
                           scaled16.data() + t * K / 16, scaled32.data() + t * K / 32});
      plain.push_back(x.data() + t * K);
      if (K % 32 == 0)
        k.quantise_row({.q = q.data() + t * K,
                        .d = d.data() + t * K / 32,
                        .sum = sum.data() + t * K / 16,
                        .scaled16 = scaled16.data() + t * K / 16,
                        .scaled32 = scaled32.data() + t * K / 32},
                       plain.back(), K);
    }
  }
  Guarded<float> x;
  Guarded<int8_t> q;
  Guarded<float> d, scaled16, scaled32;
  Guarded<int32_t> sum;
  std::vector<QRow> quantised;
  std::vector<const float*> plain;
};

// `rows` rows of one format in panels.
struct Matrix {
  Matrix(DType type, int64_t row_count, int64_t columns, const uint8_t* bytes)
      : dtype(type),
        rows(row_count),
        K(columns),
        panels((rows + 15) / 16),
        stride(panel_bytes(type, columns)),
        packed(size_t(panels * stride)) {
    const int64_t row_bytes = int64_t(bytes_of(info(type), uint64_t(K)));
    for (int64_t p = 0; p < panels; ++p)
      pack_panel(packed.data() + p * stride, type, bytes + p * 16 * row_bytes, row_bytes, 0,
                 int(std::min<int64_t>(16, rows - p * 16)), K);
  }
  DType dtype;
  int64_t rows, K, panels, stride;
  Guarded<uint8_t> packed;
};

std::vector<float> product(const KernelTable& k, const Matrix& w, const Rows& x, size_t first, size_t count,
                           bool quantised) {
  const size_t width = size_t(w.panels * kTileRows);
  const Guarded<float> out(std::vector<float>(count * width, 77.0f));  // whatever was there is overwritten
  std::vector<float*> y;
  for (size_t t = 0; t < count; ++t) y.push_back(out.data() + t * width);
  const Panels panels{.dtype = w.dtype, .data = w.packed.data(), .bytes = w.stride, .K = w.K};
  if (quantised)
    k.gemm_q(y.data(), panels, w.panels, x.quantised.data() + first, int64_t(count));
  else
    k.gemm_f(y.data(), panels, w.panels, x.plain.data() + first, int64_t(count));
  return {out.data(), out.data() + out.size()};
}

// fn(format name, dtype, rows, columns, bytes) for every block format of the golden sets (random valid blocks).
template <class Fn>
int each_format(Fn&& fn) {
  int formats = 0;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture().starts_with("quant"); }))
    for (int d = int(DType::q4_0); d < kDTypeCount; ++d) {
      std::string array = "rand_" + std::string(info(DType(d)).name) + "_bytes";
      for (char& c : array) c = char(tolower(c));
      if (!g.has(array)) continue;
      const Npy file = g.array(array);
      CAPTURE(array);
      fn(DType(d), file.shape[0], file.shape[1] / info(DType(d)).bytes * info(DType(d)).block, file.u8().data());
      ++formats;
    }
  return formats;
}

// The magnitudes that rounding is relative to: a value and its minimum cancel, so the whole range of a group counts.
void check_product(const KernelTable& k, const Matrix& w, const Rows& x, size_t T, bool quantised) {
  const std::vector<float> got = product(k, w, x, 0, T, quantised);
  std::vector<double> want(got.size()), allowed(got.size());
  std::vector<float> weights(static_cast<size_t>(w.K));
  for (int64_t r = 0; r < w.rows; ++r) {
    dequantise_lane(k, weights.data(), w.dtype, w.packed.data() + r / 16 * w.stride, int(r % 16), w.K);
    for (size_t t = 0; t < T; ++t) {
      double value = 0, terms = 0, largest = 0;
      for (int64_t i = 0; i < w.K; ++i) {
        if (i % 16 == 0) {
          largest = 0;
          for (int64_t j = i; j < std::min(i + 16, w.K); ++j)
            largest = std::max(largest, std::abs(double(weights[size_t(j)])));
        }
        const double xi =
            quantised ? double(x.quantised[t].q[i]) * x.quantised[t].d[i / kGroup] : double(x.plain[t][i]);
        value += weights[size_t(i)] * xi;
        terms += std::abs(xi) * largest * 8;
      }
      const size_t at = t * size_t(w.panels * kTileRows) + size_t(r);
      want[at] = value;
      allowed[at] = (quantised ? 4.0 * double(w.K) / kGroup + 8 : double(w.K)) * kRound * terms;
    }
  }
  ref::check_within(got, want, [&](size_t i) { return allowed[i]; });  // rows that are not there: exactly zero
}

}  // namespace

TEST_CASE("products of every block format are the dequantised weights times the rows", "[kernels][golden]") {
  const int formats = each_format([](DType dtype, int64_t rows, int64_t K, const uint8_t* bytes) {
    const Matrix w(dtype, rows, K, bytes);
    on_every_isa([&](const KernelTable& k) {
      for (const int64_t T : {1, 2, 3, 5, 7, 13}) {
        const Rows x(k, T, K, ref::normal(T * K, 33));
        CAPTURE(T);
        if (is_integer_block(dtype)) check_product(k, w, x, size_t(T), true);
        check_product(k, w, x, size_t(T), false);
      }
    });
  });
  CHECK(formats >= 23);
}

TEST_CASE("products of plain weights are exact to a rounding a column, for awkward sizes", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
      for (const int64_t K : kAwkwardSizes)
        for (const int64_t T : {1, 2, 6, 9, kMaxRows}) {
          if (T == kMaxRows && K != 33) continue;
          CAPTURE(name(dtype), K, T);
          const std::vector<float> values = ref::normal(37 * K, 41);
          std::vector<uint8_t> bytes(size_t(bytes_of(info(dtype), uint64_t(37 * K))));
          if (dtype == DType::f32)
            memcpy(bytes.data(), values.data(), bytes.size());
          else
            encoder(dtype)(bytes.data(), values.data(), 37 * K, nullptr);
          check_product(k, Matrix(dtype, 37, K, bytes.data()), Rows(k, T, K, ref::normal(T * K, 42)), size_t(T), false);
        }
  });
}

TEST_CASE("integer sums do not saturate at the ends of the range", "[kernels]") {
  constexpr int64_t K = 256, kRows = 16;
  std::vector<uint8_t> bytes;  // Q8_0 blocks of scale 1 and quants of one sign: the largest sums there are
  for (int64_t r = 0; r < kRows; ++r)
    for (int64_t b = 0; b < K / 32; ++b) {
      bytes.insert(bytes.end(), {0x00, 0x3C});
      bytes.insert(bytes.end(), 32, r % 2 ? 0x7F : 0x80);
    }
  const Matrix w(DType::q8_0, kRows, K, bytes.data());
  on_every_isa([&](const KernelTable& k) {
    for (const float sign : {1.0f, -1.0f}) {
      const Rows x(k, 3, K, std::vector<float>(3 * K, sign * 127.0f));
      const std::vector<float> y = product(k, w, x, 0, 3, true);
      for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == sign * 127.0f * float(K) * (i % 2 ? 127.0f : -128.0f));
    }
  });
}

TEST_CASE("a product does not depend on the rows and panels beside it, and is the same on every ISA",
          "[kernels][isa]") {
  each_format([](DType dtype, int64_t rows, int64_t K, const uint8_t* bytes) {
    const int64_t row_bytes = int64_t(bytes_of(info(dtype), uint64_t(K))), many = 5 * 16 + 3;
    std::vector<uint8_t> tall;
    for (int64_t r = 0; r < many; ++r)
      tall.insert(tall.end(), bytes + r % rows * row_bytes, bytes + (r % rows + 1) * row_bytes);
    const Matrix w(dtype, many, K, tall.data());
    const size_t T = 23, width = size_t(w.panels * kTileRows);
    const std::vector<float> values = ref::normal(int64_t(T) * K, 51);
    for (const bool quantised : {true, false}) {
      if (quantised && !is_integer_block(dtype)) continue;
      std::vector<float> want;
      on_every_isa([&](const KernelTable& k) {
        const Rows x(k, int64_t(T), K, values);
        const std::vector<float> together = product(k, w, x, 0, T, quantised);
        if (want.empty()) want = together;
        CHECK(ref::differing(together, want) == 0);
        for (size_t t = 0; t < T; t += 5) {
          const std::vector<float> alone = product(k, w, x, t, 1, quantised);
          CHECK(ref::differing(alone, {together.data() + t * width, width}) == 0);
          for (int64_t p = 0; p < w.panels; p += 2) {
            const int64_t rest = many - p * 16;
            const Matrix one(dtype, std::min<int64_t>(16, rest), K, tall.data() + p * 16 * row_bytes);
            const std::vector<float> part = product(k, one, x, t, std::min<size_t>(4, T - t), quantised);
            CHECK(ref::differing({part.data(), 16}, {together.data() + t * width + size_t(p * 16), 16}) == 0);
          }
        }
      });
    }
  });
}
