#include "puna/runtime/chat_templates.h"

#include <algorithm>

#include "base/nearest.h"
#include "puna/base/error.h"

namespace puna {

const ChatTemplates::Entry* ChatTemplates::find(std::string_view name) const noexcept {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  return at == entries_.end() ? nullptr : &*at;
}

void ChatTemplates::add(const std::string& name, const std::string& place, std::string_view source,
                        const Watch& watch) {
  try {
    Entry entry{name, ChatTemplate::parse(source, {}, watch), {}};
    if (const Entry* same = find(name))
      entries_[size_t(same - entries_.data())] = std::move(entry);
    else
      entries_.push_back(std::move(entry));
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory || e.status() == Status::cancelled) throw;
    add_unreadable(name, place + ": " + e.what());
  }
}

void ChatTemplates::add_unreadable(const std::string& name, const std::string& error) {
  if (const Entry* same = find(name))
    entries_[size_t(same - entries_.data())] = {name, nullptr, error};
  else
    entries_.push_back({name, nullptr, error});
}

const ChatTemplate& ChatTemplates::choose(std::string_view name, bool with_tools) const {
  if (entries_.empty()) fail(Status::unsupported, "the model ships no chat template");
  std::vector<std::string_view> names;
  std::string list;
  for (const Entry& e : entries_) {
    names.push_back(e.name);
    list += (list.empty() ? "" : ", ") + e.name;
  }
  const Entry* chosen = find(!name.empty() ? name : with_tools && has("tool_use") ? "tool_use" : "default");
  if (!chosen && name.empty())
    fail(Status::invalid_argument, "none of the model's chat templates is the default: name one of %s", list.c_str());
  if (!chosen)
    fail(Status::invalid_argument, "the model has no chat template '%.64s'%s (there are: %s)",
         std::string(name).c_str(), did_you_mean(name, names).c_str(), list.c_str());
  if (!chosen->program) fail(Status::unsupported, "%s", chosen->error.c_str());
  return *chosen->program;
}

bool ChatTemplates::reads(std::string_view variable) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.program && e.program->reads(variable); });
}

const ChatTemplate* ChatTemplates::without_tools() const noexcept {
  const Entry* entry = find("default");
  return entry ? entry->program.get() : nullptr;
}

const ChatTemplate* ChatTemplates::with_tools() const noexcept {
  const Entry* entry = find("tool_use");
  return entry ? entry->program.get() : without_tools();
}

}  // namespace puna
