// task_texts.h -- a document's question, target and choices, as lm-evaluation-harness makes them of its fields.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "puna/chat/chat_template.h"
#include "puna/eval/task.h"

namespace puna::eval {

// What a rule gives: a text, a number (a choice by its place), or a list of either.
using FieldValue = std::variant<std::string, int64_t, std::vector<std::string>, std::vector<int64_t>>;
std::string python_text(const FieldValue& value);  // str() of it

struct Document {
  std::string json;
  std::string what;  // "item 3 of 'arc_easy'", for errors
};

class TaskTexts {
 public:
  TaskTexts(const Task& task, const Watch& watch) : task_(task), watch_(watch) {}

  // Of the item itself, or as an example for others.
  FieldValue text(const Document& d, bool shot) const;
  FieldValue target(const Document& d, bool shot) const;
  std::vector<std::string> choices(const Document& d, bool shot) const;  // empty: the task has none
  std::string prefix(const Document& d, bool shot) const;                // "" = none
  std::string description(const Document& d) const;

 private:
  FieldValue value(const char* key, const FieldRule& rule, const Document& d) const;
  std::string rendered(const char* key, const std::string& source, const Document& d) const;
  void require_no_field(const char* key, const std::string& word, const Document& d) const;
  const Task& task_;
  const Watch& watch_;
  mutable std::map<std::string, std::shared_ptr<const ChatTemplate>> templates_;  // by source
};

}  // namespace puna::eval
