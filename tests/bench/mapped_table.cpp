// mapped_table.cpp -- a ranker whose table is larger than memory: rows looked up in the mapped file, against a table in
// memory of its own.
//   mapped_table make FILE MILLION_ROWS f32|f16|i8      dim 60, one task; random values
//   mapped_table score FILE mapped|own SECONDS          batches of 100 candidates whose items are drawn as 1 / (rank +
//                                                       10); one line of JSON
// mapped.py runs it, also under a memory limit: ./dev bench recommend mapped.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "bench_files.h"
#include "puna/base/philox.h"
#include "puna/recsys/ranker.h"
#include "puna/runtime/model.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

ContextPtr one_thread() {
  ContextOptions options;
  options.threads = 1;
  return make_context(options);
}

int make(const char* path, int64_t rows, const std::string& type) {
  RankerConfig c;
  c.surfaces = {"reels"};
  c.tasks = {{"like"}};
  c.features = {{"item", rows}};
  c.dim = 60;
  c.hidden = {32};
  Ranker::create(one_thread(), c, 1)
      ->copy(type == "i8"    ? DType::i8
             : type == "f16" ? DType::f16
                             : DType::f32)
      ->save(path);
  return 0;
}

double megabytes_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:" && status >> word) return std::stod(word) / 1e3;
  return 0;
}

int score(const char* path, bool mapped, double most_seconds) {
  constexpr int64_t kBatch = 100;
  std::shared_ptr<Ranker> ranker;
  const double opened =
      seconds([&] { ranker = Ranker::load(one_thread(), path, mapped ? TableMemory::mapped : TableMemory::own); });
  const int64_t rows = ranker->config().features[0].rows;
  ExampleSet set(ranker->config());
  int64_t batches = 0;
  double spent = 0, slowest = 0, sum = 0;
  while (spent < most_seconds) {
    set.clear();
    for (int64_t i = 0; i < kBatch;
         ++i) {  // the inverse of log(rank + 10)'s distribution; popular items lie anywhere in the table
      const double u = double(philox(7, uint64_t(batches * kBatch + i)).word[0]) * 0x1p-32;
      const auto rank = uint64_t(std::min(double(rows - 1), 10 * std::pow(double(rows) / 10 + 1, u) - 10));
      const int64_t id = int64_t((rank * 0x9E3779B97F4A7C15u >> 11) % uint64_t(rows));
      const std::span<const int64_t> ids(&id, 1);
      set.add(0, std::span(&ids, 1), {});
    }
    const double took = seconds([&] {
      for (const float p : ranker->score(set.examples())) sum += double(p);
    });
    spent += took;
    slowest = std::max(slowest, took);
    ++batches;
  }
  printf(
      "{\"table_mb\": %.0f, \"opened_s\": %.2f, \"candidates_per_second\": %.0f, \"slowest_100_ms\": %.2f, "
      "\"peak_mb\": %.0f, \"mean\": %.4f}\n",
      double(ranker->table_bytes()) / 1e6, opened, double(batches * kBatch) / spent, slowest * 1e3,
      megabytes_resident(), sum / double(batches * kBatch));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5 && !strcmp(argv[1], "make")) return make(argv[2], atoll(argv[3]) * 1000000, argv[4]);
  if (argc == 5 && !strcmp(argv[1], "score")) return score(argv[2], !strcmp(argv[3], "mapped"), atof(argv[4]));
  return fprintf(
             stderr,
             "usage: mapped_table make FILE MILLION_ROWS f32|f16|i8 | mapped_table score FILE mapped|own SECONDS\n"),
         2;
}
