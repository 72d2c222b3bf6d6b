#include "ops/provided.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include "base/crossover.h"
#include "kernels/panel.h"
#include "ops/linear.h"
#include "puna/base/logger.h"

namespace puna {
namespace {

constexpr int64_t kTileM = 128, kTileN = 512;  // of a product: a call of half a millisecond or so
constexpr int64_t kPackedValues = 4 << 20;     // of weights transposed at a time: bounds the scratch
constexpr int64_t kLeast = 32;                 // rows, inputs and outputs: below, calls cost more than they bring
constexpr int64_t kRowsAtOnce = 16;            // of a tile that changes their type
constexpr int64_t kColumnsAtOnce = 64;         // of a panel being transposed

struct Job {
  Factor a, b;
  float* c;
  int64_t c_row, m, n, k;
  int32_t flags;
};

int64_t bytes_of(Way way) noexcept { return way == Way::bf16 ? 2 : 4; }

const void* at(const void* data, int64_t index, Way way) noexcept {
  return static_cast<const uint8_t*>(data) + index * bytes_of(way);
}

void* at(void* data, int64_t index, Way way) noexcept { return static_cast<uint8_t*>(data) + index * bytes_of(way); }

float value(const void* data, int64_t index, Way way) noexcept {
  if (way == Way::f32) return static_cast<const float*>(data)[index];
  return std::bit_cast<float>(uint32_t(static_cast<const uint16_t*>(data)[index]) << 16);
}

// What a provider would have done.
void multiply_plainly(const Job& j, Way way) noexcept {
  for (int64_t r = 0; r < j.m; ++r)
    for (int64_t c = 0; c < j.n; ++c) {
      float sum = j.flags & kAddToC ? j.c[r * j.c_row + c] : 0.0f;
      for (int64_t i = 0; i < j.k; ++i) {
        const float a = value(j.a.data, j.flags & kTransposedA ? i * j.a.row + r : r * j.a.row + i, way);
        sum = __builtin_fmaf(a, value(j.b.data, j.flags & kTransposedB ? c * j.b.row + i : i * j.b.row + c, way), sum);
      }
      j.c[r * j.c_row + c] = sum;
    }
}

bool call(const GemmProvider& p, const Job& j, Way way) noexcept {
  if (way == Way::bf16)
    return p.bf16(p.user, j.flags, j.m, j.n, j.k, static_cast<const uint16_t*>(j.a.data), j.a.row,
                  static_cast<const uint16_t*>(j.b.data), j.b.row, j.c, j.c_row) == 0;
  return p.f32(p.user, j.flags, j.m, j.n, j.k, static_cast<const float*>(j.a.data), j.a.row,
               static_cast<const float*>(j.b.data), j.b.row, j.c, j.c_row) == 0;
}

void multiply_tile(const GemmPermission& permission, const Job& job, int64_t tile, Way way) noexcept {
  const int64_t columns = (job.n + kTileN - 1) / kTileN, m = tile / columns * kTileM, n = tile % columns * kTileN;
  Job part = job;
  part.m = std::min(kTileM, job.m - m);
  part.n = std::min(kTileN, job.n - n);
  part.a.data = at(job.a.data, job.flags & kTransposedA ? m : m * job.a.row, way);
  part.b.data = at(job.b.data, job.flags & kTransposedB ? n * job.b.row : n, way);
  part.c = job.c + m * job.c_row + n;
  if (call(*permission.provider, part, way)) return;
  if (permission.logger)
    permission.logger->write(LogLevel::warning, "the provider '%s' refused a product of %jd x %jd x %jd",
                             permission.provider->name, part.m, part.n, part.k);
  multiply_plainly(part, way);
}

int64_t tiles_of(const Job& j) noexcept { return (j.m + kTileM - 1) / kTileM * ((j.n + kTileN - 1) / kTileN); }

void multiply(Inference& rec, std::span<const Job> jobs, Way way) {
  int64_t tiles = 0;
  for (const Job& j : jobs) tiles += tiles_of(j);
  rec.stage(tiles, [&](int64_t tile) {
    const Job* j = jobs.data();
    for (; tile >= tiles_of(*j); ++j) tile -= tiles_of(*j);
    multiply_tile(rec.permission(), *j, tile, way);
  });
}

// to[k][16] of a row n_row long = a panel's columns.
void transpose_panel(const KernelTable& k, void* to, int64_t n_row, const Weight& w, int64_t panel, Way way) noexcept {
  alignas(64) float decoded[kColumnsAtOnce * kTileRows];
  alignas(64) uint16_t rounded[kColumnsAtOnce * kTileRows];
  const auto* const from = reinterpret_cast<const uint8_t*>(w.panels) + panel * w.panel_bytes;
  for (int64_t k0 = 0; k0 < w.cols; k0 += kColumnsAtOnce) {
    const int64_t count = std::min(kColumnsAtOnce, w.cols - k0);
    const float* values = decoded;
    if (w.dtype == DType::f32)
      values = reinterpret_cast<const float*>(from) + k0 * kTileRows;
    else
      k.tile_f(decoded, w.dtype, from, k0, count);
    if (way == Way::bf16) k.to_bf16(rounded, values, count * kTileRows);
    for (int64_t i = 0; i < count; ++i) {
      if (way == Way::bf16)
        memcpy(static_cast<uint16_t*>(to) + (k0 + i) * n_row, rounded + i * kTileRows, kTileRows * 2);
      else
        memcpy(static_cast<float*>(to) + (k0 + i) * n_row, values + i * kTileRows, kTileRows * 4);
    }
  }
}

int64_t panels_in(int64_t outputs) noexcept { return (outputs + kTileRows - 1) / kTileRows; }

// Outputs [first, first + count) of a weight, transposed: [K][count rounded up to panels].
struct Part {
  const Weight* w;
  int64_t first, count;
  size_t product;  // whose they are
  void* transposed;
  int64_t width() const noexcept { return panels_in(count) * kTileRows; }
  Factor factor() const noexcept { return {transposed, width()}; }
};

void transpose_parts(Inference& rec, std::span<Part> parts, Way way) {
  int64_t panels = 0;
  for (Part& p : parts) {
    p.transposed = rec.take<uint8_t>(p.width() * p.w->cols * bytes_of(way));
    panels += panels_in(p.count);
  }
  rec.stage(panels, [&](int64_t panel) {
    const Part* p = parts.data();
    for (; panel >= panels_in(p->count); ++p) panel -= panels_in(p->count);
    transpose_panel(rec.kernels(), at(p->transposed, panel * kTileRows, way), p->width(), *p->w,
                    p->first / kTileRows + panel, way);
  });
}

// The weights' outputs in rounds of about kPackedValues: visit(parts) makes all that it takes in a frame of its own.
template <class Visit>
void in_rounds(Inference& rec, std::span<const Weight* const> weights, Visit&& visit) {
  std::vector<Part> round;
  int64_t values = 0;
  const auto flush = [&] {
    const auto frame = static_cast<Inference&>(rec).frame();
    if (!round.empty()) visit(std::span(round));
    round.clear();
    values = 0;
  };
  for (size_t i = 0; i < weights.size(); ++i)
    for (int64_t n = 0; n < weights[i]->rows;) {
      const int64_t left = (kPackedValues - values) / weights[i]->cols / kTileRows * kTileRows;
      if (left < std::min(kTileN, weights[i]->rows - n) && !round.empty()) {
        flush();
        continue;
      }
      const int64_t count = std::min(std::max(left, kTileN), weights[i]->rows - n);
      round.push_back({weights[i], n, count, i, {}});
      values += round.back().width() * weights[i]->cols;
      n += count;
    }
  flush();
}

// ---- the measurement ----

double best_of_three(FunctionRef<void()> fn) {
  using Clock = std::chrono::steady_clock;
  double best = std::numeric_limits<double>::infinity();
  fn();  // libraries prepare themselves for a size when they meet it
  for (int i = 0; i < 3; ++i) {
    const auto start = Clock::now();
    fn();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

int64_t power_below(int64_t x, int64_t most) noexcept { return int64_t(std::bit_floor(uint64_t(std::min(x, most)))); }

// Both ways on zeros of about this size, on one thread, including the transposition of the weights.
bool provider_is_faster(const KernelTable& k, const GemmProvider& provider, DType dtype, int64_t rows, int64_t N,
                        int64_t K, Way way) {
  const int64_t M = power_below(rows, kMaxRows);
  const int64_t row_blocks = power_below(rows, 1 << 20) / M;
  N = power_below(N, kTileN);
  K = power_below(K, 512);
  Weight w{nullptr, dtype, N, K, panel_bytes(dtype, K)};
  const std::vector<std::byte> panels(size_t(packed_bytes(w)) + 64);
  w.panels = panels.data();
  std::vector<float> x(size_t(M * K)), y(size_t(M * N)), transposed(size_t(K * N));
  std::vector<uint16_t> rounded(x.size());
  const float* x_rows[kMaxRows];
  float* y_rows[kMaxRows];
  for (int64_t t = 0; t < M; ++t) {
    x_rows[t] = x.data() + t * K;
    y_rows[t] = y.data() + t * N;
  }
  const double own = best_of_three([&] { k.gemm_f(y_rows, panels_from(w, 0), N / kTileRows, x_rows, M); });
  const double transposing = best_of_three([&] {
    for (int64_t p = 0; p < N / kTileRows; ++p)
      transpose_panel(k, at(transposed.data(), p * kTileRows, way), N, w, p, way);
  });
  bool works = true;
  const double theirs = best_of_three([&] {
    if (way == Way::bf16) k.to_bf16(rounded.data(), x.data(), M * K);
    const void* const a = way == Way::bf16 ? static_cast<const void*>(rounded.data()) : x.data();
    works = works && call(provider, {{a, K}, {transposed.data(), N}, y.data(), N, M, N, K, 0}, way);
  });
  constexpr double kFromMemory = 3;  // a model's weights are not in the cache, as these are, when they are transposed
  return works && theirs + kFromMemory * transposing / double(row_blocks) < own;
}

}  // namespace

Way way_of(const Inference& rec, const Weight& w, int64_t rows, bool force_f32) {
  const GemmPermission& may = rec.permission();
  if (!may.provider || rows < kLeast || w.rows < kLeast || w.cols < kLeast) return Way::kernels;
  const Way way = may.bf16 && !force_f32 ? Way::bf16 : Way::f32;
  if (!may.crossover || rec.measuring())
    return way;  // scratch is asked for what may come: how many rows an expert gets is not known yet
  const auto size = [](int64_t x) { return uint64_t(std::bit_width(uint64_t(x))); };
  const uint64_t kind = size(std::min<int64_t>(rows, 1 << 16)) << 24 | size(w.rows) << 16 | size(w.cols) << 8 |
                        uint64_t(w.dtype) << 1 | (way == Way::bf16);
  const bool faster = may.crossover->choose(
      kind, [&] { return provider_is_faster(rec.kernels(), *may.provider, w.dtype, rows, w.rows, w.cols, way); });
  return faster ? way : Way::kernels;
}

Factor factor_of(Inference& rec, View x, Way way) {
  if (way == Way::f32) return {x.data, x.strides[0]};
  const int64_t T = x.dims[0], K = x.dims[1];
  uint16_t* const rounded = rec.take<uint16_t>(T * K);
  rec.stage((T + kRowsAtOnce - 1) / kRowsAtOnce, [&](int64_t tile) {
    for (int64_t t = tile * kRowsAtOnce; t < std::min(T, (tile + 1) * kRowsAtOnce); ++t)
      rec.kernels().to_bf16(rounded + t * K, x.row(t), K);
  });
  return {rounded, K};
}

Factor rows_from(Factor x, int64_t first, Way way) noexcept { return {at(x.data, first * x.row, way), x.row}; }

void provided_forward(Inference& rec, std::span<const ProvidedProduct> products, Way way) {
  std::vector<const Weight*> weights;
  for (const ProvidedProduct& p : products) weights.push_back(p.w);
  in_rounds(rec, weights, [&](std::span<Part> parts) {
    transpose_parts(rec, parts, way);
    std::vector<Job> jobs;
    for (const Part& part : parts) {
      const ProvidedProduct& p = products[part.product];
      jobs.push_back({p.x, part.factor(), p.y.f32() + part.first, p.y.strides[0], p.y.dims[0], part.count, part.w->cols,
                      p.add ? kAddToC : 0});
    }
    multiply(rec, jobs, way);
  });
}

void provided_backward(Inference& rec, View dx, float* dw, View dy, View x, const Weight& w, Way way) {
  const auto frame = rec.frame();
  const int64_t T = dy.dims[0], K = w.cols;
  const Factor g = factor_of(rec, dy, way);
  const Weight* const weight = &w;
  if (dx.rank != 0)
    in_rounds(rec, {&weight, 1}, [&](std::span<Part> parts) {  // dx += dy[:, part] W[part, :]
      transpose_parts(rec, parts, way);
      for (const Part& p : parts) {
        const Job job{{at(g.data, p.first, way), g.row},
                      p.factor(),
                      dx.f32(),
                      dx.strides[0],
                      T,
                      K,
                      p.count,
                      kTransposedB | kAddToC};
        multiply(rec, {&job, 1}, way);
      }
    });
  if (!dw) return;
  const Factor xs = factor_of(rec, x, way);
  in_rounds(rec, {&weight, 1}, [&](std::span<Part> parts) {  // (x^T dy)[:, part], then into the panels
    for (const Part& p : parts) {
      const int64_t width = p.width();
      float* const outer = rec.take<float>(K * width);
      const Job job{xs, {at(g.data, p.first, way), g.row}, outer, width, K, p.count, T, kTransposedA};
      multiply(rec, {&job, 1}, way);
      rec.stage(panels_in(p.count), [&](int64_t panel) {
        float* const to = dw + (p.first / kTileRows + panel) * K * kTileRows;
        const int64_t outputs = std::min<int64_t>(kTileRows, p.count - panel * kTileRows);
        for (int64_t k = 0; k < K; ++k)
          rec.kernels().add(to + k * kTileRows, outer + k * width + panel * kTileRows, outputs);
      });
    }
  });
}

}  // namespace puna
