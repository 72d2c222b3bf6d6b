// shared_pass.h -- one forward over the next rows of many sessions, each with an append of its own under way. It may be
// left between tiles and gone on with.
#pragma once
#include <vector>

#include "puna/runtime/engine.h"
#include "runtime/engine/engine_access.h"
#include "runtime/engine/prompt_scores.h"

namespace puna {

class SharedPass {
 public:
  SharedPass(const ModelPtr& model, const SessionOptions& mode) : model_(model), exact_(mode.exact) {}

  // Whose rows a pass holds.
  struct Part {
    Session* session;
    std::span<const AdapterShare> adapters;
    PromptScores* scores;  // of a prompt whose tokens are scored; NULL = not
    int64_t rows;
  };

  void clear() noexcept;  // a new pass, or none
  // Adds up to `most` of the next rows of the session's append, and prepares their pages. Error{out_of_memory} leaves
  // the pass without them.
  void add(Session& session, std::span<const AdapterShare> adapters, PromptScores* scores, int64_t most);
  void drop_last() noexcept;
  void begin();  // all parts are there: takes the scratch. Error{out_of_memory}
  // False: `stop` said so.
  bool run(FunctionRef<bool()> stop);

  std::span<const BatchRow> last_rows() const noexcept {  // of the part that was added last
    return std::span(batch_.rows).last(size_t(parts_.back().rows));
  }
  int64_t rows() const noexcept { return int64_t(batch_.rows.size()); }
  bool empty() const noexcept { return parts_.empty(); }
  uint64_t scratch_bytes() const noexcept { return scratch_.size(); }
  void free_scratch() noexcept { scratch_ = Buffer(); }

 private:
  bool forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop);
  void group_adapters();

  ModelPtr model_;
  bool exact_;
  Batch batch_;
  std::vector<float*> targets_;
  std::vector<Part> parts_;
  struct Group {  // of rows with the same adapters
    std::span<const AdapterShare> adapters;
    std::vector<RowLoras::Share> shares;
    std::vector<int32_t> rows, wanted;
  };
  const LoraMap* one_for_all_ = nullptr;
  std::vector<Group> groups_;
  std::vector<RowLoras> row_loras_;
  std::vector<int32_t> group_of_;  // of each row; -1 = the model alone
  Buffer scratch_;
  Cursor cursor_;
};

}  // namespace puna
