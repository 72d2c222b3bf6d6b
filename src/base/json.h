// json.h -- JSON by nlohmann-json (header-only, private): strict, bounded, with errors that name the document and byte.
// Duplicate keys, nesting deeper than 64 and trailing text are errors: hostile files use all three.
#pragma once
#include <nlohmann/json.hpp>
#include <iterator>
#include <string>
#include <string_view>

#include "puna/base/watch.h"

namespace puna {

using Json = nlohmann::json;                 // objects sorted by key: configs, tokenizers, headers
using OrderedJson = nlohmann::ordered_json;  // objects in written order: chat messages and tools

// Throws Error{bad_file} "<what>: ...".
Json parse_json(std::string_view text, const char* what, const Watch& watch = Watch());
OrderedJson parse_ordered_json(std::string_view text, const char* what, const Watch& watch = Watch());
// The events of a document, for those who build no value. The parser is a template; this is its one copy.
void walk_json(std::string_view text, nlohmann::json_sax<Json>& events, const Watch& watch = Watch());

// nlohmann-json's destructor allocates (a stack of what is to be destroyed), so when memory is out it would end the process. Emptied
// from the inside out there is nothing left for it to stack. Depth is bounded by the parser.
template <class J>
void dismantle(J& json) noexcept {
  if (json.is_object()) {
    auto& members = json.template get_ref<typename J::object_t&>();
    for (auto& member : members) dismantle(member.second);
    members.clear();
  } else if (json.is_array()) {
    auto& elements = json.template get_ref<typename J::array_t&>();
    for (J& element : elements) dismantle(element);
    elements.clear();
  }
}

// A member of an ordered object, made as null when it is not there and emptied when it is. Values move when the object grows, where
// nlohmann-json's own operator[] copies them and destroys the old ones.
OrderedJson& fresh_member(OrderedJson& object, const std::string& key);

// Declared right behind a JSON value that came from outside: dismantles it before its destructor runs.
template <class J>
class JsonGuard {
 public:
  explicit JsonGuard(J& json) noexcept : json_(json) {}
  ~JsonGuard() { dismantle(json_); }
  JsonGuard(const JsonGuard&) = delete;
  JsonGuard& operator=(const JsonGuard&) = delete;

 private:
  J& json_;
};

// A JSON string: for writers, who put documents together as text, so that no tree of values has to be destroyed.
inline std::string quoted(const std::string& text) { return Json(text).dump(); }

// nlohmann-json's own comparison with a literal copies the literal inside a noexcept function.
template <class J>
bool is_text(const J& json, std::string_view text) {
  return json.is_string() && json.template get_ref<const std::string&>() == text;
}

}  // namespace puna
