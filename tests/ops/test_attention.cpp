// Attention over a batch: grouped heads, rows of several sequences and chunks in one tile, ranges longer than a span;
// against softmax in double, and bit for bit against the same row computed alone.
#include "ops/attention.h"

#include "ops/pass.h"
#include "ref/attention.h"
#include "ref/compare.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

constexpr int64_t kHeads = 6, kKvHeads = 2, kDim = 24, kPage = 16;

// Pages as KvPages says, filled with random numbers throughout.
struct Sequence {
  Sequence(int64_t positions, uint64_t seed) {
    for (int64_t p = 0; p * kPage < positions; ++p) {
      k.push_back(ref::normal(kKvHeads * kPage * kDim, seed + uint64_t(p) * 2));
      v.push_back(ref::normal(kKvHeads * kPage * kDim, seed + uint64_t(p) * 2 + 1));
    }
    for (size_t p = 0; p < k.size(); ++p) {
      kp.push_back(k[p].data());
      vp.push_back(v[p].data());
    }
  }
  KvPages pages() const { return {kp.data(), vp.data(), kPage, 0}; }
  std::vector<double> key(int64_t head, int64_t j) const {
    std::vector<double> row;
    for (int64_t i = 0; i < kDim; ++i)
      row.push_back(double(k[size_t(j / kPage)][size_t((head * kDim + i) * kPage + j % kPage)]));
    return row;
  }
  std::vector<double> value(int64_t head, int64_t j) const {
    const float* row = v[size_t(j / kPage)].data() + (head * kPage + j % kPage) * kDim;
    return {row, row + kDim};
  }
  std::vector<std::vector<float>> k, v;
  std::vector<const void*> kp, vp;
};

struct Row {
  const Sequence* sequence;
  int64_t low, high;
};

std::vector<float> attend_rows(const std::vector<Row>& rows, const std::vector<float>& q) {
  std::vector<float> query = q, out(q.size());
  const Shape shape{int64_t(rows.size()), kHeads * kDim};
  run_pass("", true, [&](Inference& rec) {
    attend(rec, View(out.data(), DType::f32, shape), View(query.data(), DType::f32, shape), kKvHeads, kDim,
           {.scale = 0.2f}, DType::f32, [&](int64_t t) {
             return AttendRange{rows[size_t(t)].sequence->pages(), rows[size_t(t)].low, rows[size_t(t)].high};
           });
  });
  return out;
}

// Every row against itself alone; each `nth` one against the oracle, which takes a millisecond a head.
void check(const std::vector<Row>& rows, size_t nth = 1) {
  constexpr int64_t kWidth = kHeads * kDim;
  const std::vector<float> q = ref::normal(int64_t(rows.size()) * kWidth, 411), got = attend_rows(rows, q);
  for (size_t t = 0; t < rows.size(); ++t) {
    CAPTURE(rows.size(), t, rows[t].low, rows[t].high);
    const auto begin = std::ptrdiff_t(t) * kWidth;
    const std::vector<float> alone = attend_rows({rows[t]}, {q.begin() + begin, q.begin() + begin + kWidth});
    CHECK(std::equal(alone.begin(), alone.end(), got.begin() + begin));
    if (t % nth != 0) continue;
    for (int64_t h = 0; h < kHeads; ++h) {
      const float* from = q.data() + begin + h * kDim;
      const auto keys = [&](int64_t j) { return rows[t].sequence->key(h / 3, j); };
      const auto values = [&](int64_t j) { return rows[t].sequence->value(h / 3, j); };
      const ref::Attention want =
          ref::attention({from, from + kDim}, double(0.2f), keys, values, rows[t].low, rows[t].high);
      ref::check_within({got.data() + begin + h * kDim, size_t(kDim)}, want.out,
                        [&](size_t i) { return 1e-5 * want.magnitude[i]; });
    }
  }
}

}  // namespace

TEST_CASE("rows of several sequences and chunks attend to the keys of their sequence and chunk", "[ops]") {
  const Sequence a(80, 500), b(48, 700);
  std::vector<Row> rows;
  for (int64_t p = 25; p < 40; ++p) rows.push_back({&a, p < 32 ? 16 : 32, p + 1});  // a new chunk at 32
  rows.push_back({&b, 0, 48});
  for (int64_t p = 60; p < 63; ++p) rows.push_back({&a, 0, p + 1});
  check(rows);
}

TEST_CASE("ranges longer than a span are cut and merged the same way for every row", "[ops]") {
  const Sequence a(2120, 900), b(40, 990);
  std::vector<Row> rows = {{&b, 16, 40}};
  for (const int64_t high : {1023, 1024, 1025, 2049, 2120}) rows.push_back({&a, 0, high});
  rows.push_back({&a, 32, 1057});
  check(rows);
  for (int64_t high = 2060; high < 2110; ++high)
    rows.push_back({&a, 0, high});  // many rows: spans in turn, alone: spans as tiles
  check(rows, 5);
}
