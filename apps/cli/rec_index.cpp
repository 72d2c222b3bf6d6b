// puna rec index: the approximate nearest-neighbour graph (HNSW) for large catalogues, and its recall.
#include <algorithm>
#include <cstdio>

#include "base/json.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"
#include "rec.h"

namespace puna::cli {

using namespace recsys;

#if PUNA_HAVE_HNSW
namespace {

constexpr int64_t kBest = 100, kQueries = 64;

struct IndexFlags {
  ModelFlags model;
  std::string out;
  NeighbourOptions options;
};

// Of each query's best items in truth, the share that a walk of this width finds; and milliseconds a query.
nlohmann::ordered_json measured(const NeighbourIndex& index, std::span<const float> queries,
                                const std::vector<std::vector<Hit>>& truth, int64_t width) {
  const double start = seconds_now();
  const auto hits = index.search(queries, kBest, width);
  const double seconds = seconds_now() - start;
  int64_t found = 0, all = 0;
  for (size_t q = 0; q < truth.size(); ++q)
    for (const Hit& t : truth[q]) {
      found += std::any_of(hits[q].begin(), hits[q].end(), [&](const Hit& h) { return h.item == t.item; });
      ++all;
    }
  return {{"width", width}, {"recall@100", double(found) / double(all)}, {"ms", seconds * 1e3 / double(truth.size())}};
}

void run_index(const IndexFlags& f) {
  const auto model = SequenceModel::load(f.model.make_context(), f.model.path);
  const std::vector<float> rows = model->unit_items();
  const int64_t dim = model->config().dim, count = int64_t(rows.size()) / dim;
  Interrupt interrupt;
  ProgressBar bar("placing items");
  const double start = seconds_now();
  const auto index = build_neighbours(model->context(), rows, dim, f.options, [&](int64_t placed) {
    bar.update(uint64_t(placed), uint64_t(count));
    return interrupt.requested();
  });
  bar.update(uint64_t(count), uint64_t(count));
  const double seconds = seconds_now() - start;
  index->save(f.out);
  std::vector<float> queries;  // drawn items stand for users
  for (uint32_t i = 0; i < kQueries; ++i) {
    const int64_t item = int64_t(uint64_t(philox(f.options.seed, i, 0).word[0]) * uint64_t(count) >> 32);
    queries.insert(queries.end(), rows.begin() + item * dim, rows.begin() + (item + 1) * dim);
  }
  const auto truth = VectorIndex(model->context(), rows, dim).search(queries, kBest);
  nlohmann::ordered_json report{{"items", count - 1},
                                {"seconds", seconds},
                                {"bytes", index->bytes()},
                                {"search", nlohmann::ordered_json::array()}};
  for (const int64_t width : {100, 200, 400, 800}) report["search"].push_back(measured(*index, queries, truth, width));
  print_format("%s\n", json_text(report).c_str());
}

}  // namespace

void add_rec_index(const Verb& rec) {
  const auto f = std::make_shared<IndexFlags>();
  const Verb verb(
      rec, "index",
      "Build a graph for approximate search (above a million items); its size, time and recall as one line of JSON");
  verb.option("MODEL", f->model.path, "a model that train made").required();
  verb.output("--out", f->out, "the file to write, for recommend --index").required();
  verb.option("--links", f->options.links, "of an item (default 16)").within(2, 64);
  verb.option("--build-width", f->options.build_width, "candidates for an item's place (default 200)")
      .within(1, 1 << 20);
  verb.option("--seed", f->options.seed, "of the levels (default 100)");
  verb.flag("--parallel", f->options.parallel, "all threads place items: quicker, a different graph each time");
  f->model.add_machine(verb);
  verb.run([f] { run_index(*f); });
}

std::shared_ptr<const NeighbourIndex> open_index(const SequenceModel& model, const std::string& path) {
  if (path.empty()) return nullptr;
  return load_neighbours(model.context(), model.unit_items(), model.config().dim, path);
}
#else
void add_rec_index(const Verb&) {}

std::shared_ptr<const NeighbourIndex> open_index(const SequenceModel&, const std::string& path) {
  if (!path.empty()) fail(Status::unsupported, "this build has no approximate search (hnswlib)");
  return nullptr;
}
#endif

}  // namespace puna::cli
