// chat_templates.h -- the chat templates that a model ships: one, or several by name ("default", "tool_use", "rag").
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "puna/chat/chat_template.h"

namespace puna {

class ChatTemplates {
 public:
  struct Entry {
    std::string name;
    std::shared_ptr<const ChatTemplate> program;  // NULL: it cannot be used, and `error` says why; the others can
    std::string error;
  };

  // A later one takes the place of an earlier one of the same name. `place` is the file or key that holds it; errors
  // name it.
  void add(const std::string& name, const std::string& place, std::string_view source, const Watch& watch = Watch());
  void add_unreadable(const std::string& name, const std::string& error);

  bool empty() const noexcept { return entries_.empty(); }
  const std::vector<Entry>& entries() const noexcept { return entries_; }  // in the order in which they were found
  // "" is what transformers takes: "tool_use" where tools are given and there is one of that name, "default" otherwise.
  // Error{invalid_argument} that lists the names when there is none of this name, {unsupported} when the model ships
  // none or this one cannot be used.
  const ChatTemplate& choose(std::string_view name, bool with_tools) const;
  const ChatTemplate* without_tools() const noexcept;  // choose("", false), or NULL
  const ChatTemplate* with_tools() const noexcept;     // choose("", true), or NULL
  bool reads(std::string_view variable) const;         // whether any of them would read it (ChatTemplate::reads)
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

 private:
  const Entry* find(std::string_view name) const noexcept;
  std::vector<Entry> entries_;
};

}  // namespace puna
