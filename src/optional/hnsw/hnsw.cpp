// hnsw.cpp -- puna/recsys/neighbours.h over hnswlib: its insertion and its walk, our codes, kernels, filter and file.
// A node's data is [codes, padded to 64][scale f32]; a distance is minus the inner product of the coded vectors.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <queue>

#include "base/fp_env.h"
#include "base/hash.h"
#include "kernels/kernel_table.h"
#include "optional/hnsw/graph.h"
#include "puna/recsys/neighbours.h"
#include "recsys/retrieval/best.h"
#include "recsys/retrieval/codes.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <hnswlib/hnswlib.h>
#pragma GCC diagnostic pop

namespace puna::recsys {
namespace {

using hnswlib::tableint;
using Graph = hnswlib::HierarchicalNSW<float>;

class CodeSpace final : public hnswlib::SpaceInterface<float> {
 public:
  CodeSpace(const KernelTable& kernels, int64_t dim) : dot_(kernels.dot_codes), padded_((dim + 63) / 64 * 64) {}
  int64_t padded() const noexcept { return padded_; }
  size_t get_data_size() override { return size_t(padded_) + sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
  void* get_dist_func_param() override { return this; }

  static float distance(const void* x, const void* y, const void* space) {
    const auto* const s = static_cast<const CodeSpace*>(space);
    const auto *const a = static_cast<const int8_t*>(x), *const b = static_cast<const int8_t*>(y);
    return -(float(s->dot_(a, b, s->padded_)) * scale_of(a + s->padded_) * scale_of(b + s->padded_));
  }

 private:
  static float scale_of(const int8_t* at) noexcept {
    float scale;
    memcpy(&scale, at, sizeof scale);
    return scale;
  }
  int32_t (*dot_)(const int8_t*, const int8_t*, int64_t);
  int64_t padded_;
};

using Near = std::pair<float, tableint>;  // distance, node

// hnswlib's heap of what it found, as the vector that it is.
struct Found : std::priority_queue<Near, std::vector<Near>, Graph::CompareByFirst> {
  explicit Found(priority_queue&& heap) : priority_queue(std::move(heap)) {}
  std::vector<Near> nodes() && { return std::move(c); }
};

// What hnswlib throws becomes ours.
template <class Fn>
auto translated(Fn&& fn) {
  try {
    return fn();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    fail(Status::out_of_memory, "out of memory in an item graph");
  } catch (const std::exception& e) {  // "Not enough memory ..." is all that is left of its messages here
    fail(Status::out_of_memory, "hnswlib: %s", e.what());
  }
}

// fn(0) ... fn(n - 1) by the executor's threads; the first error, by number, is thrown when all have ended.
template <class Fn>
void run_throwing(Executor& executor, int64_t n, Fn&& fn) {
  std::vector<std::exception_ptr> errors(static_cast<size_t>(n));
  executor.run(n, [&](int64_t i) {
    try {
      fn(i);
    } catch (...) {
      errors[size_t(i)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& e : errors)
    if (e) std::rethrow_exception(e);
}

uint64_t hash_of(std::span<const float> rows, int64_t dim) {
  Hash hash;
  hash.add_value(dim);
  hash.add(rows.data(), rows.size_bytes());
  return hash.value();
}

class Hnsw final : public NeighbourIndex {
 public:
  Hnsw(ContextPtr context, std::span<const float> rows, int64_t dim, const NeighbourOptions& o)
      : context_(std::move(context)),
        count_(rows_of(rows, dim)),
        dim_(dim),
        rows_hash_(hash_of(rows, dim)),
        space_(context_->kernels(), dim),
        graph_(translated([&] {
          return std::make_unique<Graph>(&space_, size_t(count_), size_t(o.links), size_t(o.build_width),
                                         size_t(o.seed));
        })) {}

  void place_all(std::span<const float> rows, bool parallel, FunctionRef<bool(int64_t)> should_stop) {
    constexpr int64_t kBetweenQuestions = 4096, kTask = 32;
    const auto place = [&](int64_t i) {
      const std::vector<std::byte> node = coded(rows.data() + i * dim_, "row", i);
      graph_->addPoint(node.data(), size_t(i));
    };
    for (int64_t first = 0; first < count_; first += kBetweenQuestions) {
      if (should_stop && should_stop(first)) fail(Status::cancelled, "building the item graph was cancelled");
      const int64_t end = std::min(count_, first + kBetweenQuestions);
      if (parallel)
        run_throwing(context_->executor(), (end - first + kTask - 1) / kTask, [&](int64_t task) {
          for (int64_t i = first + task * kTask; i < std::min(end, first + (task + 1) * kTask); ++i) place(i);
        });
      else
        for (int64_t i = first; i < end; ++i) place(i);
    }
    free_build_buffers();
  }

  void restore(std::span<const float> rows, const ItemGraph& from) {
    PUNA_REQUIRE(from.rows_hash == rows_hash_ && int64_t(from.items.size()) == count_,
                 "the item graph belongs to other vectors: build it again");
    const uint8_t* size = from.list_sizes.data();
    const int32_t* next = from.neighbours.data();
    const auto read_list = [&](hnswlib::linklistsizeint* list) {
      graph_->setListCount(list, *size);
      memcpy(list + 1, next, *size * sizeof(tableint));
      next += *size++;
    };
    for (tableint n = 0; n < tableint(count_); ++n) {
      const int64_t item = from.items[n];
      const int level = graph_->element_levels_[n] = from.levels[n];
      memset(graph_->data_level0_memory_ + n * graph_->size_data_per_element_, 0, graph_->size_data_per_element_);
      const std::vector<std::byte> node = coded(rows.data() + item * dim_, "row", item);
      memcpy(graph_->getDataByInternalId(n), node.data(), node.size());
      graph_->setExternalLabel(n, size_t(item));
      if (level > 0) {
        graph_->linkLists_[n] = static_cast<char*>(calloc(size_t(level), graph_->size_links_per_element_));
        if (!graph_->linkLists_[n]) fail(Status::out_of_memory, "out of memory in an item graph");
      }
      graph_->cur_element_count = n + 1;  // from here on the destructor frees its lists
      for (int l = 0; l <= level; ++l) read_list(graph_->get_linklist_at_level(n, l));
    }
    graph_->enterpoint_node_ = tableint(from.entry);
    graph_->maxlevel_ = from.level();
    free_build_buffers();
  }

  std::vector<std::vector<Hit>> search(std::span<const float> queries, int64_t k, int64_t width,
                                       const ItemFilter& filter) const override {
    const FpEnv fp_env;
    const int64_t n = queries_of(queries, dim_, k);
    PUNA_REQUIRE(width >= 0, "width is %jd, expected at least 0", width);
    width = std::min(count_, std::max(k, width != 0 ? width : 2 * k));
    const int64_t allowed = allowed_by(filter);
    std::vector<std::vector<Hit>> all(static_cast<size_t>(n));
    translated([&] {
      run_throwing(context_->executor(), n, [&](int64_t q) {
        const std::vector<std::byte> query = coded(queries.data() + q * dim_, "query", q);
        all[size_t(q)] = search_one(query.data(), k, width, filter, allowed);
      });
    });
    return all;
  }

  void save(const std::string& path) const override {
    ItemGraph g;
    g.links = int64_t(graph_->M_);
    g.build_width = int64_t(graph_->ef_construction_);
    g.entry = int64_t(graph_->enterpoint_node_);
    g.rows_hash = rows_hash_;
    for (tableint n = 0; n < tableint(count_); ++n) {
      g.items.push_back(int32_t(graph_->getExternalLabel(n)));
      g.levels.push_back(uint8_t(graph_->element_levels_[n]));
      for (int l = 0; l <= graph_->element_levels_[n]; ++l) {
        hnswlib::linklistsizeint* const list = graph_->get_linklist_at_level(n, l);
        g.list_sizes.push_back(uint8_t(graph_->getListCount(list)));
        g.neighbours.insert(g.neighbours.end(), list + 1, list + 1 + g.list_sizes.back());
      }
    }
    write_graph(path, g);
  }

  int64_t count() const noexcept override { return count_; }
  int64_t dim() const noexcept override { return dim_; }
  uint64_t bytes() const noexcept override {  // one item in links - 1 has lists above the lowest
    return uint64_t(count_) * (graph_->size_data_per_element_ + sizeof(int) + sizeof(void*) +
                               graph_->size_links_per_element_ / (graph_->M_ - 1));
  }

 private:
  std::vector<std::byte> coded(const float* x, const char* what, int64_t row) const {
    std::vector<std::byte> node(size_t(space_.padded()) + sizeof(float));
    const float scale = encode(reinterpret_cast<int8_t*>(node.data()), x, dim_, largest_of(x, dim_, what, row));
    memcpy(node.data() + space_.padded(), &scale, sizeof scale);
    return node;
  }

  int64_t allowed_by(const ItemFilter& filter) const {
    if (!filter.allowed) return count_;
    int64_t allowed = 0;
    for (int64_t word = 0; word < count_ / 64; ++word) allowed += __builtin_popcountll(filter.allowed[word]);
    for (int64_t i = count_ / 64 * 64; i < count_; ++i) allowed += filter.allows(i);
    return allowed;
  }

  // The walk finds allowed items and others alike, so it is made as much wider as they are rarer; where looking at all
  // that are allowed is less work (a walk looks at some 16 items for each that it keeps), that is done.
  std::vector<Hit> search_one(const void* query, int64_t k, int64_t width, const ItemFilter& filter,
                              int64_t allowed) const {
    if (allowed == 0) return {};
    const double wide = double(width) * double(count_) / double(allowed);
    if (double(allowed) <= 16 * wide) return scan(query, k, filter);
    Best<float> best(k, int64_t(wide) + 1);
    int64_t found = 0;
    for (const auto& [distance, node] : walk(query, size_t(wide))) {
      const int64_t item = int64_t(graph_->getExternalLabel(node));
      if (!filter.allows(item)) continue;
      best.add(-distance, item);
      ++found;
    }
    if (found < std::min(k, allowed)) return scan(query, k, filter);  // what is allowed lies elsewhere
    return best.sorted([](float score) { return score; });
  }

  // The nearest nodes that a walk of this width finds, in no order. As searchKnn() does it, which sorts them twice on
  // the way.
  std::vector<Near> walk(const void* query, size_t width) const {
    tableint at = graph_->enterpoint_node_;
    float nearest = CodeSpace::distance(query, graph_->getDataByInternalId(at), &space_);
    for (int level = graph_->maxlevel_; level > 0; --level)
      for (bool nearer = true; nearer;) {
        nearer = false;
        hnswlib::linklistsizeint* const list = graph_->get_linklist(at, level);
        for (const tableint *to = list + 1, *const end = to + graph_->getListCount(list); to < end; ++to) {
          const float d = CodeSpace::distance(query, graph_->getDataByInternalId(*to), &space_);
          if (d >= nearest) continue;
          nearest = d;
          at = *to;
          nearer = true;
        }
      }
    return Found(graph_->searchBaseLayerST<false>(at, query, std::max(width, graph_->ef_))).nodes();
  }

  std::vector<Hit> scan(const void* query, int64_t k, const ItemFilter& filter) const {
    Best<float> best(k, count_);
    for (tableint n = 0; n < tableint(count_); ++n) {
      const int64_t item = int64_t(graph_->getExternalLabel(n));
      if (filter.allows(item)) best.add(-CodeSpace::distance(query, graph_->getDataByInternalId(n), &space_), item);
    }
    return best.sorted([](float score) { return score; });
  }

  void free_build_buffers() {  // some 90 bytes an item
    graph_->label_lookup_ = {};
    std::vector<std::mutex>().swap(graph_->link_list_locks_);
  }

  ContextPtr context_;
  int64_t count_, dim_;
  uint64_t rows_hash_;
  CodeSpace space_;
  std::unique_ptr<Graph> graph_;
};

}  // namespace

std::unique_ptr<NeighbourIndex> build_neighbours(ContextPtr context, std::span<const float> rows, int64_t dim,
                                                 const NeighbourOptions& o, FunctionRef<bool(int64_t)> should_stop) {
  PUNA_REQUIRE(o.links >= 2 && o.links <= kMostLinks, "links is %jd, expected 2 to %jd", o.links, kMostLinks);
  PUNA_REQUIRE(o.build_width >= 1 && o.build_width <= 1 << 20, "build_width is %jd, expected 1 to 2^20", o.build_width);
  const FpEnv fp_env;
  auto index = std::make_unique<Hnsw>(std::move(context), rows, dim, o);
  translated([&] { index->place_all(rows, o.parallel, should_stop); });
  return index;
}

std::unique_ptr<NeighbourIndex> load_neighbours(ContextPtr context, std::span<const float> rows, int64_t dim,
                                                const std::string& path) {
  const FpEnv fp_env;
  const ItemGraph graph = read_graph(*context, path);
  NeighbourOptions o;
  o.links = graph.links;
  o.build_width = graph.build_width;
  auto index = std::make_unique<Hnsw>(std::move(context), rows, dim, o);
  translated([&] { index->restore(rows, graph); });
  return index;
}

}  // namespace puna::recsys
