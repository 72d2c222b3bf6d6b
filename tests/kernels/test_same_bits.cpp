// Every kernel on every ISA level gives the bits of the scalar one, on numbers of all magnitudes (docs/architecture.md,
// section 5).
#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "kernels/panel.h"
#include "ref/compare.h"
#include "ref/half.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

using Run = std::function<void(const KernelTable&, float* y, int64_t n)>;

// run(kernels, y, n) writes n values; they must not depend on the level.
void check_same(const char* kernel, int64_t n, const Run& run) {
  CAPTURE(kernel, n);
  std::vector<float> want(static_cast<size_t>(n), 0.0f);
  run(*select_kernels("scalar"), want.data(), n);
  on_every_isa([&](const KernelTable& k) {
    std::vector<float> got(want.size(), 0.0f);
    run(k, got.data(), n);
    CHECK(ref::differing(got, want) == 0);
  });
}

// Ordinary numbers, numbers of every exponent, and nothing but denormals.
std::vector<std::vector<float>> inputs(int64_t n, uint64_t seed) {
  return {ref::normal(n, seed), ref::wild(n, seed + 1), ref::wild(n, seed + 2, 140), ref::wild(n, seed + 3, 0)};
}

}  // namespace

TEST_CASE("row kernels give the same bits on every ISA", "[kernels][isa]") {
  for (const int64_t n : kAwkwardSizes)
    for (size_t kind = 0; kind < 4; ++kind) {
      CAPTURE(kind);
      const std::vector<float> x = inputs(n, 51)[kind], w = inputs(n, 61)[kind];
      for (const float eps : {1e-5f, 1e-12f}) {
        check_same("rms_norm", n,
                   [&](const KernelTable& k, float* y, int64_t) { k.rms_norm(y, x.data(), w.data(), n, eps); });
        check_same("layer_norm", n, [&](const KernelTable& k, float* y, int64_t) {
          k.layer_norm(y, x.data(), w.data(), x.data(), n, eps);
        });
        check_same("rms_norm without weights", n,
                   [&](const KernelTable& k, float* y, int64_t) { k.rms_norm(y, x.data(), nullptr, n, eps); });
      }
      check_same("add", n, [&](const KernelTable& k, float* y, int64_t) {
        memcpy(y, w.data(), size_t(n) * 4);
        k.add(y, x.data(), n);
      });
      check_same("scale", n, [&](const KernelTable& k, float* y, int64_t) { k.scale(y, x.data(), 1.7f, n); });
      check_same("swiglu", n, [&](const KernelTable& k, float* y, int64_t) { k.swiglu(y, x.data(), w.data(), n); });
      check_same("geglu", n, [&](const KernelTable& k, float* y, int64_t) { k.geglu(y, x.data(), w.data(), n); });
      check_same("clamped_swiglu", n, [&](const KernelTable& k, float* y, int64_t) {
        k.clamped_swiglu(y, x.data(), w.data(), n, 0.7f, 1.702f);
      });
      check_same("softcap", n, [&](const KernelTable& k, float* y, int64_t) { k.softcap(y, x.data(), 1.5f, n); });
      check_same("gradients of gated units", 4 * n, [&](const KernelTable& k, float* y, int64_t) {
        std::fill(y, y + 4 * n, 0.25f);
        k.geglu_backward(y, y + n, x.data(), w.data(), x.data(), n);
        k.clamped_swiglu_backward(y + 2 * n, y + 3 * n, x.data(), w.data(), x.data(), n, 0.7f, 1.702f);
        k.softcap_backward(y, x.data(), 1.5f, n);
      });
      check_same("sigmoid", n, [&](const KernelTable& k, float* y, int64_t) { k.sigmoid(y, x.data(), n); });
      check_same("gelu", n, [&](const KernelTable& k, float* y, int64_t) { k.gelu(y, x.data(), n); });
      check_same("to_f16", n, [&](const KernelTable& k, float* y, int64_t) {
        std::vector<uint16_t> h(static_cast<size_t>(n));
        k.to_f16(h.data(), x.data(), n);
        for (size_t i = 0; i < h.size(); ++i) y[i] = float(h[i]);
      });
      if (n % 2 != 0) continue;
      check_same("rope", 2 * n, [&](const KernelTable& k, float* y, int64_t) {
        memcpy(y, x.data(), size_t(n) * 4);
        memcpy(y + n, x.data(), size_t(n) * 4);
        k.rope_interleaved(y, w.data(), w.data() + n / 2, n);
        k.rope_half_split(y + n, w.data(), w.data() + n / 2, n);
      });
    }
}

TEST_CASE("quantised rows have the same bits on every ISA", "[kernels][isa]") {
  for (const int64_t n : {32, 256, 1056})
    for (const std::vector<float>& x : inputs(n, 71))
      check_same("quantise_row", n + n / 32 + n / 16, [&](const KernelTable& k, float* y, int64_t) {
        std::vector<int8_t> q(static_cast<size_t>(n));
        std::vector<int32_t> sum(size_t(n / 16));
        std::vector<float> scaled16(sum.size()), scaled32(sum.size() / 2);
        k.quantise_row(
            {.q = q.data(), .d = y + n, .sum = sum.data(), .scaled16 = scaled16.data(), .scaled32 = scaled32.data()},
            x.data(), n);
        for (size_t i = 0; i < q.size(); ++i) y[i] = float(q[i]);
        for (size_t i = 0; i < sum.size(); ++i) y[size_t(n + n / 32) + i] = float(sum[i]);
      });
}

TEST_CASE("attention has the same bits on every ISA", "[kernels][isa]") {
  for (const int64_t head_dim : {8, 16, 24, 80, 128})
    for (const int64_t page_size : {8, 16, 64})
      for (const int64_t high : {1, 17, 130})
        for (const int exponent : {0, 130}) {  // denormal values, values up to 16
          const int64_t pages = (high + page_size - 1) / page_size, count = (page_size + 15) / 16 * 16 * head_dim;
          const std::vector<float> q = ref::normal(3 * head_dim, 111), k = ref::normal(pages * count, 112),
                                   v = ref::wild(pages * count, 113, exponent);
          std::vector<uint16_t> k16, v16;
          for (const float f : k) k16.push_back(ref::nearest_half(double(f)));
          for (const float f : v)
            v16.push_back(ref::nearest_half(double(f) * (exponent ? 1 : 0x1p120)));  // f16's own denormals
          std::vector<const void*> kp, vp, kp16, vp16;
          for (int64_t p = 0; p < pages; ++p) {
            kp.push_back(k.data() + p * count);
            vp.push_back(v.data() + p * count);
            kp16.push_back(k16.data() + p * count);
            vp16.push_back(v16.data() + p * count);
          }
          CAPTURE(head_dim, page_size, high, exponent);
          check_same("attend_f32", 3 * head_dim, [&](const KernelTable& t, float* y, int64_t) {
            float states[6];
            AttendRow rows[3];
            for (int64_t r = 0; r < 3; ++r)
              rows[r] = {q.data() + r * head_dim, y + r * head_dim, states + 2 * r, std::max<int64_t>(1, high - 2 + r)};
            t.attend_f32({.rows = rows,
                          .count = 3,
                          .head_dim = head_dim,
                          .scale = 0.3f,
                          .kv = {kp.data(), vp.data(), page_size, 0},
                          .low = 0,
                          .high = high});
            t.merge_attention(y, states, y + head_dim, states + 2, head_dim);
            for (int64_t r = 0; r < 3; ++r) t.finish_attention(y + r * head_dim, states + 2 * r, head_dim);
          });
          check_same("attend_f32 in windows, soft-capped", 3 * head_dim, [&](const KernelTable& t, float* y, int64_t) {
            float states[6];
            AttendRow rows[3];
            for (int64_t r = 0; r < 3; ++r)
              rows[r] = {q.data() + r * head_dim, y + r * head_dim, states + 2 * r, std::max<int64_t>(1, high - 2 + r),
                         std::min({high - 1, page_size - 1, r})};
            t.attend_f32({.rows = rows,
                          .count = 3,
                          .head_dim = head_dim,
                          .scale = 0.3f,
                          .kv = {kp.data(), vp.data(), page_size, 0},
                          .low = 0,
                          .high = high,
                          .softcap = 2});
            for (int64_t r = 0; r < 3; ++r) t.finish_attention(y + r * head_dim, states + 2 * r, head_dim);
          });
          check_same("attend_f16", 3 * head_dim, [&](const KernelTable& t, float* y, int64_t) {
            float states[6];
            AttendRow rows[3];
            for (int64_t r = 0; r < 3; ++r)
              rows[r] = {q.data() + r * head_dim, y + r * head_dim, states + 2 * r, std::max<int64_t>(1, high - 2 + r)};
            t.attend_f16({.rows = rows,
                          .count = 3,
                          .head_dim = head_dim,
                          .scale = 0.3f,
                          .kv = {kp16.data(), vp16.data(), page_size, 0},
                          .low = 0,
                          .high = high});
            t.merge_attention(y, states, y + head_dim, states + 2, head_dim);
            for (int64_t r = 0; r < 3; ++r) t.finish_attention(y + r * head_dim, states + 2 * r, head_dim);
          });
        }
}

TEST_CASE("weights of any bytes decode to the same bits on every ISA", "[kernels][isa]") {
  for (int d = 0; d < kDTypeCount; ++d) {
    const DType dtype = DType(d);
    if (!is_weight(dtype)) continue;
    const int64_t n = 512, row_bytes = int64_t(bytes_of(info(dtype), uint64_t(n))), rows = 5;
    ref::Random random(uint64_t(120 + d));
    std::vector<uint8_t> bytes(size_t(rows * row_bytes));
    for (uint8_t& b : bytes) b = uint8_t(random.bits());
    const Guarded<uint8_t> in(bytes);
    CAPTURE(name(dtype));
    std::vector<uint8_t> panel(size_t(panel_bytes(dtype, n)));
    pack_panel(panel.data(), dtype, in.data(), row_bytes, 0, int(rows), n);
    const Guarded<uint8_t> packed(panel);
    check_same("tile_f", n * kTileRows,
               [&](const KernelTable& k, float* y, int64_t) { k.tile_f(y, dtype, packed.data(), 0, n); });
  }
}
