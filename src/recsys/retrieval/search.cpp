#include "puna/recsys/search.h"

#include <cmath>
#include <cstring>

#include "base/fp_env.h"
#include "kernels/panel.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"
#include "recsys/retrieval/best.h"
#include "recsys/retrieval/codes.h"

namespace puna::recsys {
namespace {

// scored for all queries before the next ones are read: they stay in the second-level cache
constexpr int64_t kBlockPanels = 128;
constexpr int64_t kTilePanels = 16384;  // a task: 256 k items
constexpr int64_t kMostQueries = 128;   // at once

// Splits the items into tasks of their own heaps, merged in order: search_tile(first, last, best) looks at panels
// [first, last).
template <class Value, class SearchTile, class Score>
std::vector<std::vector<Hit>> search_all(const Context& context, int64_t queries, int64_t k, int64_t panels,
                                         SearchTile&& search_tile, Score&& score) {
  const int64_t tiles = (panels + kTilePanels - 1) / kTilePanels;
  std::vector<std::vector<Best<Value>>> best(static_cast<size_t>(tiles));
  for (std::vector<Best<Value>>& b : best)
    for (int64_t q = 0; q < queries; ++q) b.emplace_back(k, std::min(panels, kTilePanels) * kTileRows);
  context.executor().run(tiles, [&](int64_t tile) {
    search_tile(tile * kTilePanels, std::min(panels, (tile + 1) * kTilePanels), best[size_t(tile)]);
  });
  std::vector<std::vector<Hit>> hits;
  for (size_t q = 0; q < size_t(queries); ++q) {
    for (size_t tile = 1; tile < best.size(); ++tile) best[0][q].add(best[tile][q]);
    hits.push_back(best[0][q].sorted([&](Value v) { return score(q, v); }));
  }
  return hits;
}

// The queries in groups that a pass over the items serves at once: search(queries, count) of each.
template <class Search>
std::vector<std::vector<Hit>> in_groups(std::span<const float> queries, int64_t dim, int64_t k, Search&& search) {
  const FpEnv fp_env;
  const int64_t count = queries_of(queries, dim, k);
  std::vector<std::vector<Hit>> all;
  for (int64_t q = 0; q < count; ++q) largest_of(queries.data() + q * dim, dim, "query", q);
  for (int64_t q = 0; q < count; q += kMostQueries) {
    const int64_t n = std::min(kMostQueries, count - q);
    for (auto& hits : search(queries.data() + q * dim, n)) all.push_back(std::move(hits));
  }
  return all;
}

// Rows lie anywhere in gigabytes: their first lines are asked for while others are multiplied.
constexpr size_t kAhead = 8;
void fetch_row(const float* row, int64_t dim) noexcept {
  for (int64_t d = 0; d < std::min<int64_t>(dim, 64); d += 16) __builtin_prefetch(row + d);
}

}  // namespace

// ---- 8-bit codes ----

CodeIndex::CodeIndex(ContextPtr context, std::span<const float> rows, int64_t dim)
    : context_(std::move(context)),
      count_(rows_of(rows, dim)),
      dim_(dim),
      padded_((dim + 3) / 4 * 4),
      panels_((count_ + kTileRows - 1) / kTileRows) {
  const FpEnv fp_env;
  codes_ = context_->allocate(size_t(panels_ * kTileRows * padded_), "codes of items");
  scales_ = context_->allocate(size_t(panels_ * kTileRows) * sizeof(float), "scales of items");
  memset(codes_.data(), 128, codes_.size());
  memset(scales_.data(), 0, scales_.size());
  auto* const codes = reinterpret_cast<uint8_t*>(codes_.data());
  auto* const scales = reinterpret_cast<float*>(scales_.data());
  std::vector<int8_t> code(static_cast<size_t>(dim));
  for (int64_t i = 0; i < count_; ++i) {
    const float* const row = rows.data() + i * dim;
    scales[i] = encode(code.data(), row, dim, largest_of(row, dim, "row", i));
    uint8_t* const panel = codes + i / kTileRows * kTileRows * padded_;
    for (int64_t d = 0; d < dim; ++d)
      panel[d / 4 * 64 + i % kTileRows * 4 + d % 4] = uint8_t(int(code[size_t(d)]) + 128);
  }
}

CodeIndex::Coded CodeIndex::code_of(std::span<const float> vector) const {
  PUNA_REQUIRE(int64_t(vector.size()) == dim_, "the query has %zu values, expected %jd", vector.size(), dim_);
  Coded c;
  c.code.resize(size_t(padded_));
  c.scale = encode(c.code.data(), vector.data(), dim_, largest_of(vector.data(), dim_, "query", 0));
  return c;
}

CodeIndex::Coded CodeIndex::item(int64_t i) const {
  PUNA_REQUIRE(i >= 0 && i < count_, "item %jd of %jd", i, count_);
  Coded c;
  const auto* const panel = reinterpret_cast<const uint8_t*>(codes_.data()) + i / kTileRows * kTileRows * padded_;
  for (int64_t d = 0; d < dim_; ++d) c.code.push_back(int8_t(int(panel[d / 4 * 64 + i % kTileRows * 4 + d % 4]) - 128));
  c.scale = reinterpret_cast<const float*>(scales_.data())[i];
  return c;
}

// The kernel's float is the rounded product of an integer and a scale. Rounding keeps order, so nothing is missed by
// comparing floats first; the integer comes back by division, and its product with the scale fits a double: what is
// kept is compared exactly.
std::vector<std::vector<Hit>> CodeIndex::search(std::span<const float> queries, int64_t k,
                                                const ItemFilter& filter) const {
  const CodePanels items{reinterpret_cast<const uint8_t*>(codes_.data()),
                         reinterpret_cast<const float*>(scales_.data()), padded_ / 4};
  return in_groups(queries, dim_, k, [&](const float* from, int64_t n) {
    std::vector<Coded> coded;
    std::vector<int32_t> start;
    for (int64_t q = 0; q < n; ++q) {
      coded.push_back(code_of({from + q * dim_, size_t(dim_)}));
      int32_t sum = 0;
      for (const int8_t c : coded.back().code) sum += c;
      start.push_back(-128 * sum);
    }
    const auto tile = [&](int64_t first, int64_t last, std::vector<Best<double>>& best) {
      int32_t found[kBlockPanels];
      float scores[kBlockPanels * kTileRows];
      for (int64_t p = first; p < last; p += kBlockPanels)
        for (size_t q = 0; q < size_t(n); ++q) {
          const CodeQuery query{.codes = coded[q].code.data(), .start = start[q], .least = best[q].least()};
          const int64_t hits =
              context_->kernels().search_codes(found, scores, items, p, std::min(kBlockPanels, last - p), query);
          for (int64_t h = 0; h < hits; ++h)
            for (int64_t lane = 0; lane < kTileRows; ++lane) {
              const int64_t i = found[h] * int64_t(kTileRows) + lane;
              const float score = scores[h * kTileRows + lane], scale = items.scales[i];
              if (i >= count_ || score < best[q].least() || !filter.allows(i)) continue;
              best[q].add(scale > 0 ? std::nearbyint(double(score) / double(scale)) * double(scale) : 0.0, i);
            }
        }
    };
    return search_all<double>(*context_, n, k, panels_, tile,
                              [&](size_t q, double v) { return v * double(coded[q].scale); });
  });
}

// ---- f32 ----

VectorIndex::VectorIndex(ContextPtr context, std::span<const float> rows, int64_t dim)
    : context_(std::move(context)),
      count_(rows_of(rows, dim)),
      dim_(dim),
      panels_((count_ + kTileRows - 1) / kTileRows) {
  const int64_t bytes = panel_bytes(DType::f32, dim);
  panels_of_rows_ = context_->allocate(size_t(panels_ * bytes), "vectors of items");
  for (int64_t i = 0; i < count_; ++i) largest_of(rows.data() + i * dim, dim, "row", i);
  context_->executor().run(panels_, [&](int64_t p) {
    pack_panel(reinterpret_cast<uint8_t*>(panels_of_rows_.data()) + p * bytes, DType::f32,
               reinterpret_cast<const uint8_t*>(rows.data() + p * kTileRows * dim), dim * int64_t(sizeof(float)), 0,
               int(std::min<int64_t>(kTileRows, count_ - p * kTileRows)), dim);
  });
}

std::vector<std::vector<Hit>> VectorIndex::search(std::span<const float> queries, int64_t k,
                                                  const ItemFilter& filter) const {
  const int64_t bytes = panel_bytes(DType::f32, dim_);
  return in_groups(queries, dim_, k, [&](const float* from, int64_t n) {
    const auto tile = [&](int64_t first, int64_t last, std::vector<Best<float>>& best) {
      constexpr int64_t kPanels = 8;
      float scores[kMostQueries * kPanels * kTileRows], *y[kMostQueries];
      const float* x[kMostQueries];
      for (int64_t q = 0; q < n; ++q) {
        y[q] = scores + q * kPanels * kTileRows;
        x[q] = from + q * dim_;
      }
      for (int64_t p = first; p < last; p += kPanels) {
        const int64_t panels = std::min(kPanels, last - p), end = std::min(count_, (p + panels) * kTileRows);
        const Panels from{.dtype = DType::f32,
                          .data = reinterpret_cast<const uint8_t*>(panels_of_rows_.data()) + p * bytes,
                          .bytes = bytes,
                          .K = dim_};
        context_->kernels().gemm_f(y, from, panels, x, n);
        for (int64_t q = 0; q < n; ++q)
          for (int64_t i = p * kTileRows; i < end; ++i)
            if (y[q][i - p * kTileRows] >= best[size_t(q)].least() && filter.allows(i))
              best[size_t(q)].add(y[q][i - p * kTileRows], i);
      }
    };
    return search_all<float>(*context_, n, k, panels_, tile, [](size_t, float v) { return v; });
  });
}

std::vector<Hit> rerank(const Context& context, std::span<const Hit> hits, std::span<const float> query,
                        const float* rows, int64_t k) {
  PUNA_REQUIRE(k >= 1, "k is %jd, expected at least 1", k);
  Best<float> best(k, int64_t(hits.size()));
  const int64_t dim = int64_t(query.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    if (i + kAhead < hits.size()) fetch_row(rows + hits[i + kAhead].item * dim, dim);
    best.add(context.kernels().dot(query.data(), rows + hits[i].item * dim, dim), hits[i].item);
  }
  return best.sorted([](float v) { return v; });
}

}  // namespace puna::recsys
