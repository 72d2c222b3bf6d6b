// search.cpp -- exact search over a million made-up vectors beside this machine's reading speed: one line of JSON a
// measure, for search.py.
//   search THREADS ROUNDS VECTORS.f32 QUERIES.f32 DIM K     files of plain floats, row by row
// Every round takes one turn of each, so that a machine that changes its mind is seen in all of them.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench_files.h"
#include "puna/recsys/search.h"
#include "puna/runtime/model.h"

using namespace puna;
using namespace puna::test;

namespace {

// What reading the same bytes costs when nothing is computed with them but a sum.
double read_all(const std::vector<uint64_t>& bytes, uint64_t& sink) {
  return seconds([&] {
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8)
      for (size_t j = 0; j < 8; ++j) sums[j] += bytes[i + j];
    for (const uint64_t s : sums) sink += s;
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) return fprintf(stderr, "usage: search THREADS ROUNDS VECTORS.f32 QUERIES.f32 DIM K\n"), 2;
  ContextOptions options;
  options.threads = atoi(argv[1]);
  const ContextPtr context = make_context(options);
  const std::vector<float> rows = values_of<float>(argv[3]), queries = values_of<float>(argv[4]);
  const int64_t dim = atoll(argv[5]), k = atoll(argv[6]), count = int64_t(queries.size()) / dim;
  const recsys::CodeIndex codes(context, rows, dim);
  const recsys::VectorIndex plain(context, rows, dim);
  const std::vector<uint64_t> block(codes.bytes() / 8, 3);
  const auto one = [&](int64_t q) { return std::span(queries).subspan(size_t(q % count * dim), size_t(dim)); };
  const auto exact = plain.search(queries, k);
  int64_t found = 0, repaired = 0;
  for (int64_t q = 0; q < count; ++q) {
    const auto coarse = codes.search(one(q), 2 * k)[0];
    const auto fine = recsys::rerank(*context, coarse, one(q), rows.data(), k);
    const auto among = [&](const std::vector<recsys::Hit>& hits, const recsys::Hit& e, int64_t most) {
      return std::any_of(hits.begin(), hits.begin() + std::min(int64_t(hits.size()), most),
                         [&](const recsys::Hit& h) { return h.item == e.item; });
    };
    for (const recsys::Hit& e : exact[size_t(q)]) {
      found += among(coarse, e, k);
      repaired += among(fine, e, k);
    }
  }
  uint64_t sink = 0;
  for (int round = 0; round < atoi(argv[2]); ++round) {
    const double read = read_all(block, sink);
    const double i8 = seconds([&] {
                        for (int64_t q = 0; q < 8; ++q) sink += codes.search(one(q + round), k)[0].size();
                      }) /
                      8;
    const double batch = seconds([&] { sink += codes.search(queries, k).size(); }) / double(count);
    const double f32 = seconds([&] {
                         for (int64_t q = 0; q < 4; ++q) sink += plain.search(one(q + round), k)[0].size();
                       }) /
                       4;
    const double f32_batch = seconds([&] { sink += plain.search(queries, k).size(); }) / double(count);
    printf(
        "{\"read_gb_s\": %.2f, \"i8_ms\": %.3f, \"i8_gb_s\": %.2f, \"i8_batch_ms\": %.3f, \"f32_ms\": %.3f, "
        "\"f32_batch_ms\": %.3f}\n",
        double(codes.bytes()) / read / 1e9, i8 * 1e3, double(codes.bytes()) / i8 / 1e9, batch * 1e3, f32 * 1e3,
        f32_batch * 1e3);
  }
  printf("{\"recall_i8\": %.4f, \"recall_i8_reranked\": %.4f, \"bytes\": %ju, \"sink\": %d}\n",
         double(found) / double(count * k), double(repaired) / double(count * k), codes.bytes(), int(sink % 2));
  return 0;
}
