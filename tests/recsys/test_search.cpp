// Exact search: the result of double arithmetic over the same codes, on every ISA level, with ties, filters and any
// number of queries at once.
#include <algorithm>
#include <limits>

#include "puna/base/error.h"
#include "puna/recsys/search.h"
#include "recsys/golden_sequence.h"
#include "ref/random.h"
#include "support/isa.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

struct Scored {
  double score;
  int64_t item;
  bool operator<(const Scored& o) const { return score != o.score ? score > o.score : item < o.item; }
};

// All items in double over the codes themselves.
std::vector<Hit> by_codes(const CodeIndex& index, std::span<const float> query, int64_t k, const ItemFilter& filter) {
  const CodeIndex::Coded q = index.code_of(query);
  std::vector<Scored> all;
  for (int64_t i = 0; i < index.count(); ++i) {
    if (!filter.allows(i)) continue;
    const CodeIndex::Coded item = index.item(i);
    double sum = 0;
    for (size_t d = 0; d < item.code.size(); ++d) sum += double(item.code[d]) * double(q.code[d]);
    all.push_back({sum * double(item.scale), i});
  }
  std::sort(all.begin(), all.end());
  std::vector<Hit> hits;
  for (size_t i = 0; i < all.size() && int64_t(i) < k; ++i)
    hits.push_back({all[i].item, float(all[i].score * double(q.scale))});
  return hits;
}

std::vector<float> with_ties(int64_t rows, int64_t dim,
                             uint64_t seed) {  // every seventh row is an earlier one again, one is zero
  std::vector<float> v = ref::normal(rows * dim, seed);
  for (int64_t i = 7; i < rows; i += 7) std::copy_n(v.begin() + (i - 5) * dim, dim, v.begin() + i * dim);
  std::fill_n(v.begin() + rows / 2 * dim, dim, 0.0f);
  return v;
}

}  // namespace

TEST_CASE("8-bit search gives what double arithmetic over the same codes gives", "[recsys][isa]") {
  for (const std::string& isa : supported_isas())
    for (const auto& [count, dim, k] : {std::tuple<int64_t, int64_t, int64_t>(1, 1, 3),
                                        {15, 3, 4},
                                        {16, 4, 16},
                                        {1000, 50, 10},
                                        {3001, 64, 100},
                                        {200, 512, 7}}) {
      CAPTURE(isa, count, dim, k);
      const CodeIndex index(recsys_context(isa, 2), with_ties(count, dim, 1), dim);
      const std::vector<float> queries = ref::normal(5 * dim, 2);
      std::vector<uint64_t> words(size_t(count + 63) / 64, 0xF0F0F0F0FF00FF01u);
      for (const ItemFilter filter : {ItemFilter{}, ItemFilter{words.data()}}) {
        const auto got = index.search(queries, k, filter);
        for (size_t q = 0; q < 5; ++q)
          CHECK(got[q] == by_codes(index, std::span(queries).subspan(q * size_t(dim), size_t(dim)), k, filter));
      }
    }
}

TEST_CASE("extreme vectors: equal, huge, tiny, zero", "[recsys]") {
  const int64_t dim = 8;
  std::vector<float> rows(40 * dim, 1e30f);
  for (int64_t i = 10; i < 20; ++i) std::fill_n(rows.begin() + i * dim, dim, -1e-30f);
  for (int64_t i = 20; i < 30; ++i) std::fill_n(rows.begin() + i * dim, dim, 1e-42f);
  const CodeIndex index(recsys_context(), rows, dim);
  const std::vector<float> query(size_t(dim), -0.5f);
  const auto hits = index.search(query, 40);
  CHECK(hits[0] == by_codes(index, query, 40, {}));
  CHECK(hits[0].front().item == 10);  // ties by number
  CHECK(hits[0].back().item == 39);
}

TEST_CASE("8-bit and f32 search find the same neighbours but for what coding costs, and ranking again repairs it",
          "[recsys]") {
  const int64_t count = 20000, dim = 48, k = 50;
  const auto context = recsys_context("", 2);
  const std::vector<float> rows = ref::normal(count * dim, 3), queries = ref::normal(40 * dim, 4);
  const CodeIndex codes(context, rows, dim);
  const VectorIndex plain(context, rows, dim);
  const auto coarse = codes.search(queries, 2 * k), exact = plain.search(queries, k);
  int64_t found = 0;
  for (size_t q = 0; q < exact.size(); ++q) {
    const auto fine =
        rerank(*context, coarse[q], std::span(queries).subspan(q * size_t(dim), size_t(dim)), rows.data(), k);
    for (const Hit& h : fine)
      found += std::any_of(exact[q].begin(), exact[q].end(), [&](const Hit& e) { return e.item == h.item; });
    for (size_t i = 1; i < exact[q].size(); ++i) CHECK(exact[q][i - 1].score >= exact[q][i].score);
  }
  CHECK(found >= int64_t(exact.size()) * k - 2);
  CHECK(codes.bytes() < 54 * uint64_t(count));
}

TEST_CASE("f32 search has the same hits for a query alone, among others, and on every ISA", "[recsys][isa]") {
  const int64_t count = 777, dim = 50;
  const std::vector<float> rows = with_ties(count, dim, 5), queries = ref::normal(130 * dim, 6);
  const auto want = VectorIndex(recsys_context("scalar"), rows, dim).search(queries, 9);
  for (const std::string& isa : supported_isas()) {
    const VectorIndex index(recsys_context(isa, 3), rows, dim);
    CHECK(index.search(queries, 9) == want);
    CHECK(index.search(std::span(queries).subspan(129 * size_t(dim)), 9)[0] == want[129]);
  }
}

TEST_CASE("rows and queries that are not finite are refused by name", "[recsys]") {
  const auto context = recsys_context();
  std::vector<float> rows(20, 1.0f);
  rows[13] = std::numeric_limits<float>::infinity();
  CHECK(status_of([&] { CodeIndex(context, rows, 5); }) == Status::invalid_argument);
  CHECK(status_of([&] { VectorIndex(context, rows, 5); }) == Status::invalid_argument);
  rows[13] = 0;
  const CodeIndex index(context, rows, 5);
  const std::vector<float> bad(5, std::numeric_limits<float>::quiet_NaN());
  CHECK(status_of([&] { index.search(bad, 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { index.search(std::span(bad).first(3), 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { index.search(std::vector<float>(5), 0); }) == Status::invalid_argument);
}
