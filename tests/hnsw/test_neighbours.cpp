// Approximate search: most of the best are found, all of them among few; the same graph from the same rows on every
// ISA; files that lie are refused.
#include <algorithm>
#include <functional>

#include "kernels/kernel_table.h"
#include "optional/hnsw/graph.h"
#include "puna/recsys/item_features.h"
#include "puna/recsys/neighbours.h"
#include "puna/recsys/pipeline.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/isa.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

ContextPtr context_of(const std::string& isa = "", int threads = 1) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return std::make_shared<const Context>(options, *select_kernels(isa.c_str()));
}

constexpr int64_t kDim = 24;

// Unit vectors around a few directions, as learned ones are: rank 6 and noise.
std::vector<float> made_up(int64_t rows, uint64_t seed) {
  const std::vector<float> basis = ref::normal(6 * kDim, 99), a = ref::normal(rows * 6, seed),
                           noise = ref::normal(rows * kDim, seed + 1);
  std::vector<float> v(size_t(rows * kDim));
  for (int64_t i = 0; i < rows; ++i) {
    double squares = 0;
    for (int64_t d = 0; d < kDim; ++d) {
      double x = 0.3 * double(noise[size_t(i * kDim + d)]);
      for (int64_t j = 0; j < 6; ++j) x += double(a[size_t(i * 6 + j)]) * double(basis[size_t(j * kDim + d)]);
      v[size_t(i * kDim + d)] = float(x);
      squares += x * x;
    }
    for (int64_t d = 0; d < kDim; ++d) v[size_t(i * kDim + d)] /= float(std::sqrt(squares));
  }
  return v;
}

NeighbourOptions quick() {
  NeighbourOptions o;
  o.links = 8;
  o.build_width = 60;
  return o;
}

double share_found(const std::vector<std::vector<Hit>>& exact, const std::vector<std::vector<Hit>>& got) {
  int64_t found = 0, all = 0;
  for (size_t q = 0; q < exact.size(); ++q)
    for (const Hit& e : exact[q]) {
      found += std::any_of(got[q].begin(), got[q].end(), [&](const Hit& h) { return h.item == e.item; });
      ++all;
    }
  return double(found) / double(all);
}

std::string file_of(const NeighbourIndex& index) {
  const TempFolder folder;
  index.save(folder / "graph");
  return read_text(folder / "graph");
}

}  // namespace

TEST_CASE("a walk finds nearly all of the best, wider ones more of them", "[hnsw]") {
  const auto context = context_of("", 2);
  const std::vector<float> rows = made_up(6000, 1), queries = made_up(40, 7);
  const auto exact = CodeIndex(context, rows, kDim).search(queries, 10);
  const bool parallel = GENERATE(false, true);
  NeighbourOptions o = quick();
  o.parallel = parallel;
  const auto index = build_neighbours(context, rows, kDim, o);
  const auto narrow = index->search(queries, 10, 10), wide = index->search(queries, 10, 120);
  CHECK(share_found(exact, narrow) < share_found(exact, wide));
  CHECK(share_found(exact, wide) >= 0.97);
  for (const auto& hits : wide) {
    REQUIRE(hits.size() == 10);
    for (size_t i = 1; i < hits.size(); ++i) CHECK(hits[i - 1].score >= hits[i].score);
  }
  CHECK(index->search(std::span(queries).subspan(3 * kDim, kDim), 10, 120)[0] == wide[3]);
  CHECK(index->count() == 6000);
}

TEST_CASE("the graph depends on the rows alone: one file on every ISA, and the same results after loading", "[hnsw]") {
  const std::vector<float> rows = made_up(2500, 2), queries = made_up(10, 8);
  std::string first;
  std::vector<std::vector<Hit>> hits;
  for (const std::string& isa : supported_isas()) {
    CAPTURE(isa);
    const auto context = context_of(isa);
    const auto index = build_neighbours(context, rows, kDim, quick());
    const TempFolder folder;
    index->save(folder / "graph");
    const std::string file = read_text(folder / "graph");
    if (first.empty()) {
      first = file;
      hits = index->search(queries, 20, 30);
    }
    CHECK(file == first);
    const auto loaded = load_neighbours(context, rows, kDim, folder / "graph");
    CHECK(loaded->search(queries, 20, 30) == hits);
    CHECK(file_of(*loaded) == first);
    std::vector<float> others = rows;
    others[5] = -others[5];
    CHECK(status_of([&] { load_neighbours(context, others, kDim, folder / "graph"); }) == Status::invalid_argument);
  }
}

TEST_CASE("a graph that threads built together is the same after loading", "[hnsw]") {
  const std::vector<float> rows = made_up(3000, 3), queries = made_up(10, 9);
  NeighbourOptions o = quick();
  o.parallel = true;
  const auto index = build_neighbours(context_of("", 3), rows, kDim, o);
  const TempFolder folder;
  index->save(folder / "graph");
  CHECK(load_neighbours(context_of(), rows, kDim, folder / "graph")->search(queries, 20, 40) ==
        index->search(queries, 20, 40));
}

TEST_CASE("a filter is kept, and never leaves fewer than there are", "[hnsw]") {
  const int64_t count = 5000, k = 10;
  const auto context = context_of();
  const std::vector<float> rows = made_up(count, 4), queries = made_up(20, 10);
  const CodeIndex exact(context, rows, kDim);
  const auto index = build_neighbours(context, rows, kDim, quick());
  for (const int64_t one_in : {1, 2, 5, 100, 1000, 6000}) {
    CAPTURE(one_in);
    std::vector<uint64_t> words(size_t(count / 64 + 1));
    for (int64_t i = 7; i < count; i += one_in) words[size_t(i / 64)] |= uint64_t(1) << (i % 64);
    const ItemFilter filter{words.data()};
    const auto want = exact.search(queries, k, filter), got = index->search(queries, k, 60, filter);
    CHECK(share_found(want, got) >= (one_in >= 100 ? 1.0 : 0.95));
    for (size_t q = 0; q < want.size(); ++q) {
      CHECK(got[q].size() == want[q].size());
      for (const Hit& h : got[q]) CHECK(filter.allows(h.item));
    }
  }
  // Only the items farthest from a query: the walk towards it ends elsewhere.
  const auto all = exact.search(std::span(queries).first(kDim), count)[0];
  std::vector<uint64_t> far(size_t(count / 64 + 1));
  for (size_t i = size_t(count) - 1500; i < size_t(count); ++i)
    far[size_t(all[i].item / 64)] |= uint64_t(1) << (all[i].item % 64);
  const auto hits = index->search(std::span(queries).first(kDim), k, 10, {far.data()})[0];
  CHECK(int64_t(hits.size()) == k);
  std::fill(far.begin(), far.end(), 0);
  CHECK(index->search(queries, k, 0, {far.data()})[0].empty());
}

TEST_CASE("graph files that lie are refused by name", "[hnsw]") {
  const std::vector<float> rows = made_up(300, 5);
  const auto context = context_of();
  const TempFolder folder;
  build_neighbours(context, rows, kDim, quick())->save(folder / "graph");
  const ItemGraph sound = read_graph(*context, folder / "graph");
  const auto after = [&](const std::function<void(ItemGraph&)>& change) {
    ItemGraph g = sound;
    change(g);
    write_graph(folder / "bad", g);
    return status_of([&] { load_neighbours(context, rows, kDim, folder / "bad"); });
  };
  const auto low = size_t(std::find(sound.levels.begin(), sound.levels.end(), 0) - sound.levels.begin());
  size_t upper = 0;  // where node 0's ... list of the first node above level 0 lies
  for (size_t n = 0, list = 0; n < sound.levels.size(); list += sound.levels[n++] + 1u) {
    if (sound.levels[n] > 0) {
      upper += sound.list_sizes[list];
      break;
    }
    upper += sound.list_sizes[list];
  }
  CHECK(after([](ItemGraph&) {}) == Status::ok);
  CHECK(after([](ItemGraph& g) { g.neighbours[10] = 300; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.neighbours[10] = -1; }) == Status::bad_file);
  CHECK(after([&](ItemGraph& g) { g.neighbours[upper] = int32_t(low); }) ==
        Status::bad_file);  // a node that has no list on that level
  CHECK(after([](ItemGraph& g) { g.neighbours.pop_back(); }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.neighbours.push_back(1); }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.list_sizes[0] = 17; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.levels[3] = 31; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.levels[3] += 1; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.levels.pop_back(); }) == Status::bad_file);
  CHECK(after([&](ItemGraph& g) { g.entry = int64_t(low); }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.entry = 300; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.items[4] = g.items[5]; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.items[4] = 300; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.links = 65; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.links = 4; }) == Status::bad_file);
  CHECK(after([](ItemGraph& g) { g.rows_hash += 1; }) == Status::invalid_argument);
  // Any bytes: an error, or a graph that can be walked.
  const std::string file = read_text(folder / "graph");
  ref::Random random(6);
  for (int round = 0; round < 150; ++round) {
    std::string damaged = file;
    for (int64_t n = random.between(1, 4); n > 0; --n)
      damaged[size_t(random.below(int64_t(file.size())))] = char(random.bits());
    write_file(folder / "bad", damaged);
    try {
      load_neighbours(context, rows, kDim, folder / "bad")->search(std::span(rows).first(kDim), 3, 3);
    } catch (const Error&) {}
  }
}

TEST_CASE("options, rows and queries out of range are refused, and building can be cancelled", "[hnsw]") {
  const auto context = context_of();
  std::vector<float> rows = made_up(100, 6);
  const auto built = [&](const std::function<void(NeighbourOptions&)>& change) {
    NeighbourOptions o = quick();
    change(o);
    return status_of([&] { build_neighbours(context, rows, kDim, o); });
  };
  CHECK(built([](NeighbourOptions& o) { o.links = 1; }) == Status::invalid_argument);
  CHECK(built([](NeighbourOptions& o) { o.links = 65; }) == Status::invalid_argument);
  CHECK(built([](NeighbourOptions& o) { o.build_width = 0; }) == Status::invalid_argument);
  CHECK(status_of([&] { build_neighbours(context, rows, kDim, quick(), [](int64_t) { return true; }); }) ==
        Status::cancelled);
  const auto index = build_neighbours(context, rows, kDim, quick());
  CHECK(status_of([&] { index->search(std::span(rows).first(kDim - 1), 1); }) == Status::invalid_argument);
  CHECK(status_of([&] { index->search(std::span(rows).first(kDim), 0); }) == Status::invalid_argument);
  CHECK(status_of([&] { index->search(std::span(rows).first(kDim), 1, -1); }) == Status::invalid_argument);
  rows[30] = INFINITY;
  CHECK(built([](NeighbourOptions&) {}) == Status::invalid_argument);
  CHECK(status_of([&] { index->search(std::span(rows).subspan(kDim, kDim), 1); }) == Status::invalid_argument);
}

TEST_CASE("a pipeline that a graph retrieves for shows nearly what it shows after looking at every item", "[hnsw]") {
  constexpr int64_t kItems = 3000;
  const auto context = context_of();
  const std::vector<float> rows = made_up(kItems, 1), queries = made_up(12, 7);
  const std::shared_ptr<const NeighbourIndex> graph = build_neighbours(context, rows, kDim, quick());
  const auto codes = std::make_shared<const CodeIndex>(context, rows, kDim);
  RankerConfig c;
  c.surfaces = {"feed"};
  c.tasks = {{"like"}};
  c.features = {{"item", 500, true}};
  c.dim = 4;
  c.hidden = {8};
  ExampleSet all(c);
  for (int64_t i = 0; i < kItems; ++i) {
    const std::span<const int64_t> id(&i, 1);
    all.add(0, std::span(&id, 1), {});
  }
  const auto features = std::make_shared<const ItemFeatures>(c, all.examples());
  const auto describe = [&](const PipelineRequest& request, std::span<const Hit> candidates, ExampleSet& to) {
    features->describe(request.surface, {}, candidates, to);
  };
  const auto query_of = [](const PipelineRequest& request) {
    return std::span(static_cast<const float*>(request.user), size_t(kDim));
  };
  const auto ranker = Ranker::create(context, c, 5);
  const Pipeline walks(
      [&](const PipelineRequest& r, int64_t count) { return graph->search(query_of(r), count).front(); }, describe,
      ranker, ValueFormula::of(c), nullptr, {});
  const Pipeline looks(
      [&](const PipelineRequest& r, int64_t count) { return codes->search(query_of(r), count).front(); }, describe,
      ranker, ValueFormula::of(c), nullptr, {});
  std::vector<std::vector<Hit>> of_walks, of_looks;
  for (size_t q = 0; q < 12; ++q) {
    const PipelineRequest request{0, q, {}, queries.data() + q * kDim};
    const auto hits = [](const PipelineAnswer& a) {
      std::vector<Hit> list;
      for (const PipelineItem& i : a.items) list.push_back({i.item, float(i.value)});
      return list;
    };
    of_walks.push_back(hits(walks.recommend(request)));
    of_looks.push_back(hits(looks.recommend(request)));
    REQUIRE(of_walks.back().size() == 10);
  }
  CHECK(share_found(of_looks, of_walks) >= 0.95);
}
