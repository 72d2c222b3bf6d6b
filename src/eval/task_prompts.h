// task_prompts.h -- what a model is asked about each item: description, examples, question, as plain text or as a chat,
// put together as lm-evaluation-harness 0.4.13 does (Task.fewshot_context, construct_requests).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "eval/python_random.h"
#include "eval/task_texts.h"
#include "puna/runtime/model.h"

namespace puna::eval {

struct PromptOptions {
  bool chat = false, multiturn = false;  // multiturn: examples are turns of their own
  std::string system, date;              // with chat: a system message besides the description; today
  uint64_t fewshot_seed = 1234;
};

struct Ask {
  RenderedChat context;
  std::string continuation;  // of what is scored; of a rolling one the whole text
};

struct ItemPrompt {
  int64_t number = 0;  // of the item, in the file
  Document document;
  FieldValue target;
  std::vector<std::string> choices;
  std::vector<int64_t> gold;  // of the choices
  std::vector<Ask> asks;
};

class TaskPrompts {
 public:
  TaskPrompts(const Task& task, const Model& model, std::vector<std::string> items, std::vector<std::string> shots,
              const PromptOptions& options, const Watch& watch);
  TaskPrompts(const Task&, const Model&, std::vector<std::string>, std::vector<std::string>, const PromptOptions&,
              Watch&&) = delete;  // it is kept
  int64_t items() const noexcept { return int64_t(items_.size()); }
  // In ascending order: the examples of all items before are drawn as well.
  ItemPrompt prompt(int64_t item);

 private:
  struct Message {
    const char* role;
    std::string content, delimiter;
  };
  using Messages = std::vector<Message>;
  Document document(int64_t item) const;
  std::vector<Document> draw(int64_t item);
  Messages shots(const std::vector<Document>& drawn) const;
  void add_turn(Messages& to, const std::string& question, const std::string* answer, const std::string& prefix,
                const std::string& target_delimiter, const std::string& delimiter) const;
  RenderedChat render(const Messages& messages, bool continues, const Document& d) const;
  std::vector<int64_t> gold_of(const FieldValue& target, const std::vector<std::string>& choices,
                               const Document& d) const;

  const Task& task_;
  const Model& model_;
  std::vector<std::string> items_, shots_;
  PromptOptions options_;
  const Watch& watch_;
  TaskTexts texts_;
  PythonRandom random_;
  int64_t drawn_ = 0;  // items whose examples are drawn
};

}  // namespace puna::eval
