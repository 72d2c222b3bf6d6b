// json.h -- JSON by nlohmann-json (header-only, private): strict, bounded, with errors that name the document and byte.
// Duplicate keys, nesting deeper than 64 and trailing text are errors: malicious files use all three.
#pragma once
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "puna/base/function_ref.h"
#include "puna/base/watch.h"

namespace puna {

using Json = nlohmann::json;                 // objects sorted by key: configs, tokenizers, headers
using OrderedJson = nlohmann::ordered_json;  // objects in written order: chat messages and tools

// Throws Error{bad_file} "<what>: ...". A tree takes 16 to 60 times the bytes of values such as {}, so it may become as
// large as the text and 48 MB more: documents of a few hundred thousand values and long ones of long texts pass,
// millions of empty values do not.
Json parse_json(std::string_view text, const char* what, const Watch& watch = Watch());
// The same without the members of the containers at `paths` ("model.vocab"), which are empty in the tree: `member` gets
// them one after the other, those of a list with their number as the key. For lists of hundreds of thousands, which
// would be hundreds of megabytes of tree. Whether a key appears twice there is for `member` to see.
using JsonMember =
    FunctionRef<void(const std::string& path, bool of_object, const std::string& key, const Json& value)>;
Json parse_json_parts(std::string_view text, const char* what, std::span<const std::string> paths, JsonMember member,
                      const Watch& watch = Watch());
// An integer that 64 bits do not hold becomes the nearest double, or, `exactly`, is kept by its digits: then write it
// with json_text().
OrderedJson parse_ordered_json(std::string_view text, const char* what, const Watch& watch = Watch(),
                               bool exactly = false);
// The same for JSON that a caller passes: what is wrong with it is Error{invalid_argument}, there is no file.
OrderedJson parse_json_argument(std::string_view text, const char* what, const Watch& watch = Watch(),
                                bool exactly = false);
// The digits of such an integer, "-12345678901234567890"; "" for every other value.
std::string_view digits_of(const OrderedJson& value) noexcept;
// The document on one line, as nlohmann-json's dump() writes it; integers of any length come out as they went in, bytes
// that are no UTF-8 as U+FFFD.
std::string json_text(const OrderedJson& value);
// The events of a document, for those who build no value. The parser is a template; this is its one copy.
void walk_json(std::string_view text, nlohmann::json_sax<Json>& events, const Watch& watch = Watch());

// nlohmann-json's destructor allocates (a stack of what is to be destroyed), so when memory is out it would end the
// process. Emptied from the inside out there is nothing left for it to stack. Depth is bounded by the parser.
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

// A member of an ordered object, made as null when it is not there and emptied when it is. Values move when the object
// grows, where nlohmann-json's own operator[] copies them and destroys the old ones.
OrderedJson& fresh_member(OrderedJson& object, const std::string& key);
// The same where the caller knows that it is not there: the others are not looked through.
OrderedJson& new_member(OrderedJson& object, const std::string& key);

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

// A whole number that int64_t holds. nlohmann-json's get<int64_t>() also takes 1e300, NaN and 2^63: undefined, or
// another number.
template <class J>
std::optional<int64_t> whole_number(const J& json) noexcept {
  if (!json.is_number_integer()) return std::nullopt;
  if (json.is_number_unsigned() && json.template get<uint64_t>() > uint64_t(INT64_MAX)) return std::nullopt;
  return json.template get<int64_t>();
}

// A JSON string: for writers, who put documents together as text, so that no tree of values has to be destroyed. Bytes
// that are no UTF-8 become U+FFFD.
inline std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// nlohmann-json's own comparison with a literal copies the literal inside a noexcept function.
template <class J>
bool is_text(const J& json, std::string_view text) {
  return json.is_string() && json.template get_ref<const std::string&>() == text;
}

}  // namespace puna
