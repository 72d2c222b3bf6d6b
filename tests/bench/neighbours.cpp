// neighbours.cpp -- approximate search over made-up vectors: time and recall by the width of the walk, for
// neighbours.py.
//   neighbours build THREADS VECTORS.f32 DIM GRAPH                    one line of JSON; GRAPH is written
//   neighbours search VECTORS.f32 DIM GRAPH QUERIES.f32 K BEST.i64    reads a width a line, answers with a line of
//   JSON: one thread, all queries
// at once, candidates ranked again by their vectors. BEST: the K true best of each query.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench_files.h"
#include "puna/recsys/neighbours.h"
#include "puna/runtime/model.h"

using namespace puna;
using namespace puna::test;

namespace {

ContextPtr context_of(int threads) {
  ContextOptions options;
  options.threads = threads;
  return make_context(options);
}

int build(char** args) {
  const std::vector<float> rows = values_of<float>(args[1]);
  recsys::NeighbourOptions options;
  options.parallel = atoi(args[0]) > 1;
  std::unique_ptr<recsys::NeighbourIndex> index;
  const double took =
      seconds([&] { index = recsys::build_neighbours(context_of(atoi(args[0])), rows, atoll(args[2]), options); });
  index->save(args[3]);
  printf("{\"seconds\": %.1f, \"mb\": %.0f}\n", took, double(index->bytes()) / 1e6);
  return 0;
}

int search(char** args) {
  const ContextPtr context = context_of(1);
  const std::vector<float> rows = values_of<float>(args[0]), queries = values_of<float>(args[3]);
  const std::vector<int64_t> best = values_of<int64_t>(args[5]);
  const int64_t dim = atoll(args[1]), k = atoll(args[4]), count = int64_t(queries.size()) / dim;
  const auto index = recsys::load_neighbours(context, rows, dim, args[2]);
  printf("{\"ready\": true}\n");
  fflush(stdout);
  for (long long width = 0; scanf("%lld", &width) == 1;) {
    std::vector<std::vector<recsys::Hit>> found;
    const double took = seconds([&] {
      found = index->search(queries, std::max<int64_t>(k, width), width);
      for (int64_t q = 0; q < count; ++q)
        found[size_t(q)] = recsys::rerank(*context, found[size_t(q)],
                                          std::span(queries).subspan(size_t(q * dim), size_t(dim)), rows.data(), k);
    });
    int64_t right = 0;
    for (int64_t q = 0; q < count; ++q)
      for (const recsys::Hit& h : found[size_t(q)])
        right += std::count(best.begin() + q * k, best.begin() + (q + 1) * k, h.item);
    printf("{\"ms\": %.4f, \"recall\": %.4f}\n", took * 1e3 / double(count), double(right) / double(count * k));
    fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && argv[1] == std::string("build")) return build(argv + 2);
  if (argc == 8 && argv[1] == std::string("search")) return search(argv + 2);
  return fprintf(stderr,
                 "usage: neighbours build THREADS VECTORS DIM GRAPH | neighbours search VECTORS DIM GRAPH QUERIES K "
                 "BEST\n"),
         2;
}
