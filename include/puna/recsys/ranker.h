// ranker.h -- one multi-task model for all surfaces: the probabilities of the outcomes (a click, a like, the watched
// fraction, ...) of showing an item to a user on a surface.
//   each id        -> a row of the table: an embedding [dim], and a weight a task (the first-order part)
//   the surface    -> a row as well: its token, and its bias on each task
//   embeddings     -> interaction -> experts, mixed by each task's gate -> each task's tower -> logits, + first-order
//                  weights + biases
//   logit          -> corrected for left-out negatives -> sigmoid -> that surface's and task's calibrator
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/dtype.h"
#include "puna/base/function_ref.h"
#include "puna/io/checkpoint.h"
#include "puna/recsys/calibrate.h"
#include "puna/recsys/examples.h"
#include "puna/recsys/model_tensor.h"
#include "puna/recsys/names.h"

namespace puna::recsys {

struct RankerWeights;  // src/recsys/ranking/weights.h
class RankerTable;     // src/recsys/ranking/table.h

// Where a loaded ranker's table is: in memory of its own, or in the mapped file, whose pages come when rows are looked
// up and go when memory is short. A mapped table may be larger than memory; it is not trained, and the file may be
// replaced (as save() does) but not changed.
enum class TableMemory : int32_t { own = 0, mapped = 1 };

// A ranker that a trainer works on changes between two steps; otherwise it is immutable and may be shared by any number
// of threads. To go on serving while learning, serve a copy() and exchange it.
class Ranker {
 public:
  // Random weights.
  static std::shared_ptr<Ranker> create(ContextPtr context, const RankerConfig& config, uint64_t seed);
  // A safetensors file that save() wrote. Error{bad_file} naming the tensor or field.
  static std::shared_ptr<Ranker> load(ContextPtr context, const SourcePtr& source,
                                      TableMemory memory = TableMemory::own);
  static std::shared_ptr<Ranker> load(ContextPtr context, const std::string& path,
                                      TableMemory memory = TableMemory::own) {
    return load(std::move(context), open_path_source(path), memory);
  }
  void save(const std::string& path) const;  // replaces the file in one step
  // As it is now, with a table of f32, f16, or i8 (embeddings as 8-bit codes with a scale a row, first-order weights
  // f16). Only f32 can be trained.
  std::shared_ptr<Ranker> copy(DType table = DType::f32) const;

  // [count][tasks] into `to`, or as a vector. The same bits for any batch that an example is in.
  // Error{invalid_argument} naming the example and the feature; {cancelled} when should_stop says so.
  void score(const Examples& examples, float* to, FunctionRef<bool()> should_stop = {}) const;
  std::vector<float> score(const Examples& examples, FunctionRef<bool()> should_stop = {}) const;

  // What score() does last; none at first. To fit one, score without, then set it.
  const Calibrator& calibrator(size_t surface, size_t task) const;
  void set_calibrator(size_t surface, size_t task, Calibrator calibrator);
  // What score() makes of an uncalibrated probability.
  void calibrate(const Examples& examples, float* probabilities) const;

  // The row of an id: its embedding [dim], then its first-order weight of each task. What is new can begin where its
  // content says (ContentTower) instead of nowhere. For tables of f32. Error{invalid_argument} naming the feature and
  // the id.
  std::vector<float> row(size_t feature, int64_t id) const;
  void set_row(size_t feature, int64_t id, std::span<const float> values);

  // What the ids of a feature are called: id i is vocabulary[i]. None at first; part of the file.
  // Error{invalid_argument} for a hashed feature, which takes any name, and for more names than the feature has rows.
  const Names& vocabulary(size_t feature) const;
  void set_vocabulary(size_t feature, Names names);
  // The id behind a name: of a hashed feature id_of(name), else its place in the vocabulary, where a feature that
  // divides looks up the whole part of number / divide. kUnknown for a name that training never met: leave it out, then
  // the feature says nothing, as where a table had an empty field. Error{invalid_argument} for a feature that has no
  // names, and for text where a number is divided.
  static constexpr int64_t kUnknown = -1;
  int64_t id(size_t feature, std::string_view name) const;
  // Of several names; those that are unknown are left out and counted in *unknown, unless it is NULL.
  std::vector<int64_t> ids(size_t feature, std::span<const std::string> names, int64_t* unknown = nullptr) const;

  const RankerConfig& config() const noexcept { return config_; }
  const ContextPtr& context() const noexcept { return context_; }
  std::vector<ModelTensor>& tensors() noexcept;  // all but the table
  const std::vector<ModelTensor>& tensors() const noexcept;
  const RankerWeights& weights() const noexcept { return *weights_; }
  RankerTable& table() noexcept { return *table_; }
  const RankerTable& table() const noexcept { return *table_; }
  DType table_type() const noexcept;
  uint64_t table_bytes() const noexcept;

 private:
  Ranker(ContextPtr context, const RankerConfig& config, DType table, std::shared_ptr<RankerTable> mapped = nullptr);
  ContextPtr context_;
  RankerConfig config_;
  std::shared_ptr<RankerWeights> weights_;
  std::shared_ptr<RankerTable> table_;
  std::vector<Calibrator> calibrators_;                     // [surfaces][tasks]
  std::vector<std::shared_ptr<const Names>> vocabularies_;  // [features], shared by copies
};

}  // namespace puna::recsys
