#include "io/json_parts.h"

#include <algorithm>

#include "base/json.h"

namespace puna::io {
namespace {

constexpr size_t kStride = 4096;  // bytes between ticks

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// One past the string whose opening quote is at text[at]; where it is not closed, the end of its line.
struct StringEnd {
  size_t at;
  bool closed;
};
StringEnd end_of_string(std::string_view text, size_t at, const Watch& watch) {
  const size_t begin = at++;
  for (; at < text.size() && text[at] != '"' && text[at] != '\n'; ++at) {
    if (text[at] == '\\') ++at;
    if (((at - begin) & (kStride - 1)) == 0) watch.tick(kStride / 128);
  }
  watch.tick();
  const bool closed = at < text.size() && text[at] == '"';
  return {std::min(at + closed, text.size()), closed};
}

size_t end_of_word(std::string_view text, size_t at) {
  while (at < text.size() && !is_space(text[at]) && text[at] != ',' && text[at] != ']' && text[at] != '}') ++at;
  return at;
}

}  // namespace

size_t skip_space(std::string_view text, size_t at, const Watch& watch) {
  for (; at < text.size() && is_space(text[at]); ++at)
    if ((at & (kStride - 1)) == 0) watch.tick(kStride / 128);
  return at;
}

size_t end_of_value(std::string_view text, size_t at, const Watch& watch) {
  if (text[at] == '"') return end_of_string(text, at, watch).at;
  if (text[at] != '{' && text[at] != '[') return std::max(at + 1, end_of_word(text, at));
  size_t depth = 0;
  while (at < text.size()) {
    if (text[at] == '"') {
      const StringEnd end = end_of_string(text, at, watch);
      if (!end.closed) return end.at;  // the row ends here, and is no JSON
      at = end.at;
      continue;
    }
    if (text[at] == '{' || text[at] == '[') ++depth;
    if ((text[at] == '}' || text[at] == ']') && --depth == 0) return at + 1;
    if ((at++ & (kStride - 1)) == 0) watch.tick(kStride / 128);
  }
  return at;
}

const char* kind_of(std::string_view json) {
  if (is_object(json)) return "an object";
  if (is_array(json)) return "a list";
  if (is_string(json)) return "a text";
  if (is_null(json)) return "null";
  return json == "true" || json == "false" ? "true or false" : "a number";
}

void each_member(std::string_view object, const Watch& watch,
                 FunctionRef<void(const std::string& key, std::string_view value)> visit) {
  for (size_t at = skip_space(object, 1, watch); object[at] != '}';) {
    const size_t key_end = end_of_value(object, at, watch);
    const std::string key = text_of(object.substr(at, key_end - at), watch);
    at = skip_space(object, skip_space(object, key_end, watch) + 1, watch);  // the colon
    const size_t end = end_of_value(object, at, watch);
    visit(key, object.substr(at, end - at));
    at = skip_space(object, end, watch);
    if (object[at] == ',') at = skip_space(object, at + 1, watch);
  }
}

void each_element(std::string_view array, const Watch& watch, FunctionRef<void(std::string_view value)> visit) {
  for (size_t at = skip_space(array, 1, watch); array[at] != ']';) {
    const size_t end = end_of_value(array, at, watch);
    visit(array.substr(at, end - at));
    at = skip_space(array, end, watch);
    if (array[at] == ',') at = skip_space(array, at + 1, watch);
  }
}

// Depth is bounded: rows are checked (json_rows.cpp).
void each_text(std::string_view value, std::string_view key, const Watch& watch,
               FunctionRef<void(std::string_view key, const std::string& text)> visit) {
  if (is_string(value)) return visit(key, text_of(value, watch));
  if (is_array(value)) each_element(value, watch, [&](std::string_view v) { each_text(v, key, watch, visit); });
  if (is_object(value))
    each_member(value, watch, [&](const std::string& k, std::string_view v) { each_text(v, k, watch, visit); });
}

std::string_view member(std::string_view object, std::string_view key, const Watch& watch) {
  std::string_view found;
  each_member(object, watch, [&](const std::string& k, std::string_view value) {
    if (k == key && !is_null(value)) found = value;
  });
  return found;
}

std::string text_of(std::string_view string, const Watch& watch) {
  const std::string_view inside = string.substr(1, string.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return std::string(inside);
  Json text = parse_json(string, "text", watch);
  return std::move(text.get_ref<std::string&>());
}

}  // namespace puna::io
