// evaluation_impl.h -- a run's items, requests and answers.
#pragma once
#include <unordered_map>

#include "eval/item_scores.h"
#include "eval/task_prompts.h"
#include "puna/eval/evaluation.h"

namespace puna::eval {

struct Evaluation::Impl {
  struct Request {
    size_t item;               // index into `items`
    size_t index;              // of the item's asks
    int64_t first = 0;         // of a rolling one: which window
    Continuation tokens = {};  // of a generated one scored = 0: all are the prompt
    uint64_t id = 0;
    bool answered = false;
    ContinuationScore score = {};
    std::vector<std::string> texts = {};
  };
  struct Item {
    int64_t number = 0;
    std::string document, cluster;
    FieldValue target;
    std::vector<std::string> choices;
    std::vector<int64_t> gold;
    std::vector<std::string> contexts, continuations;  // contexts: one, where all asks have the same
    size_t first_request = 0, requests = 0;
    const std::string& context(size_t ask) const { return contexts[contexts.size() == 1 ? 0 : ask]; }
  };
  // What the answers of an item say, for one filter.
  struct ItemResult {
    std::map<std::string, double> metrics;
    double confidence = 0, margin = 0;  // of choices
    std::string answer;                 // as it is scored
  };

  ModelPtr model;
  Task task;
  EvaluationOptions options;
  std::vector<Item> items;
  std::vector<Request> requests;
  std::unordered_map<uint64_t, size_t> by_id;
  int64_t answered = 0;
  uint64_t fingerprint = 0;
  std::vector<std::string> notes;

  void add_item(ItemPrompt prompt, const Watch& watch);
  void add_request(Request r);
  Continuation pair(const Ask& ask, const std::string& what, const Watch& watch) const;
  void add_windows(const ItemPrompt& p, const Watch& watch);
  std::string line_of(const Request& r) const;  // its answer
  // The answer is there. Called once the line that says so is made: an answer that nobody was told must not count.
  void keep(Request& r) noexcept;
  ContinuationWork run_continuations(OnAnswer on_answer, FunctionRef<bool()> stop);
  void run_texts(OnAnswer on_answer, FunctionRef<bool()> stop);

  void require_complete() const;
  double log_likelihood(const Item& item) const;  // of all its requests
  std::vector<std::string> targets(const Item& item) const;
  ItemResult score(const Item& item, const FilterChain& chain) const;
  std::string sample(const Item& item, const FilterChain& chain) const;  // a line of samples()
  std::vector<int64_t> clusters() const;                                 // empty: every item its own
};

}  // namespace puna::eval
