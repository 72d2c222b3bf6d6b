// sequence_model.h -- next-item prediction from a user's history: HSTU (arXiv:2402.17152) and SASRec
// (arXiv:1808.09781) as in the code behind their published figures. A history becomes a vector of unit length, and so
// does each item; the score of an item is their dot product.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/function_ref.h"
#include "puna/recsys/model_tensor.h"
#include "puna/recsys/names.h"

namespace puna::recsys {

enum class SequenceKind : int32_t { hstu = 0, sasrec = 1 };

struct SequenceConfig {
  SequenceKind kind = SequenceKind::hstu;
  int64_t items = 0;           // ids are 1 ... items
  int64_t max_sequence = 200;  // events of a history that are looked at: the latest ones
  int64_t output_slots = 11;   // positions beyond them; slots() is HSTU's divisor
  int64_t dim = 50;            // of an embedding
  int64_t blocks = 2;
  int64_t heads = 1;
  int64_t qk_dim = 50, v_dim = 50;  // of a head; SASRec's are dim / heads
  int64_t ffn = 50;                 // SASRec's feed-forward width
  int64_t slots() const noexcept { return max_sequence + output_slots; }

  static SequenceConfig hstu(int64_t items);
  static SequenceConfig hstu_large(int64_t items);  // 8 blocks, 2 heads of 25
  static SequenceConfig sasrec(int64_t items);
};
void check(const SequenceConfig& config);  // Error{invalid_argument} naming the field
int64_t parameter_count(const SequenceConfig& config) noexcept;

struct Event {
  int32_t item = 0;  // 1 ... items
  int64_t time = 0;  // seconds, of any epoch
};

// What a user did, oldest first, and when the question is asked: not before the last event. Only the last max_sequence
// events count.
struct History {
  std::span<const Event> events;
  int64_t query_time = 0;
};

struct SequenceWeights;  // src/recsys/sequence/weights.h

// Weights and what to do with them. A model that a trainer works on changes between two steps; otherwise it is
// immutable and may be shared.
class SequenceModel {
 public:
  // Random weights.
  static std::shared_ptr<SequenceModel> create(ContextPtr context, const SequenceConfig& config, uint64_t seed);
  // A safetensors file that save() wrote. Error{bad_file} naming the tensor or field.
  static std::shared_ptr<SequenceModel> load(ContextPtr context, const std::string& path);
  void save(const std::string& path) const;  // replaces the file in one step

  // The users' vectors [users][dim]. Error{invalid_argument} naming the user and the event; {cancelled} when
  // should_stop says so.
  std::vector<float> encode(std::span<const History> users, FunctionRef<bool()> should_stop = {}) const;
  // The items' vectors of unit length [items + 1][dim]; row 0 belongs to no item.
  std::vector<float> unit_items() const;

  // What the items are called: item i is item_names()[i - 1]. None, or all; part of the file. To be set before anybody
  // shares the model.
  const Names& item_names() const noexcept { return item_names_; }
  void set_item_names(Names names);  // Error{invalid_argument} unless there are as many as items

  const SequenceConfig& config() const noexcept { return config_; }
  const SequenceWeights& weights() const noexcept { return *weights_; }
  // Named and shaped as in the original code.
  std::vector<ModelTensor>& tensors() noexcept;
  const std::vector<ModelTensor>& tensors() const noexcept;
  const ContextPtr& context() const noexcept { return context_; }

 private:
  SequenceModel(ContextPtr context, const SequenceConfig& config);
  ContextPtr context_;
  SequenceConfig config_;
  std::shared_ptr<SequenceWeights> weights_;
  Names item_names_;
};

// One user as events come in. The keys and values of rows that can no longer change are kept, so a question after an
// event computes two rows, not all: a row changes once more when the time of the event behind it becomes known. The
// vector has the bits of a full run. One thread at a time.
class UserState {
 public:
  explicit UserState(std::shared_ptr<const SequenceModel> model);
  // Error{invalid_argument} for an item or a time that the model does not take. Past max_sequence events the window
  // slides: all is computed again.
  void append(const Event& event);
  std::vector<float> encode(int64_t query_time);  // [dim]
  std::span<const Event> events() const noexcept { return events_; }
  int64_t computed_rows() const noexcept { return computed_; }  // by the last encode()

 private:
  std::shared_ptr<const SequenceModel> model_;
  std::vector<Event> events_;
  std::vector<Buffer> keys_, values_;  // a block each
  Buffer scratch_;
  int64_t known_ = 0, computed_ = 0;  // rows whose keys and values are final
};

}  // namespace puna::recsys
