#include "base/json_fault.h"

#include <algorithm>
#include <utility>

#include "base/shown.h"

namespace puna {
namespace {

constexpr size_t kMostShown = 40;

std::string_view between(std::string_view text, std::string_view from, std::string_view to) {
  const size_t begin = text.find(from);
  if (begin == text.npos) return {};
  text.remove_prefix(begin + from.size());
  return to.empty() ? text : text.substr(0, text.find(to));
}

std::string called(std::string_view token) {
  constexpr std::pair<std::string_view, const char*> kTokens[] = {{"string literal", "a text in double quotes"},
                                                                  {"number literal", "a number"},
                                                                  {"true literal", "true"},
                                                                  {"false literal", "false"},
                                                                  {"null literal", "null"},
                                                                  {"'[', '{', or a literal", "a value"},
                                                                  {"end of input", "the end of the document"}};
  for (const auto& [name, words] : kTokens)
    if (token == name) return words;
  return std::string(token);  // ':' and other marks
}

// "unexpected ']'; expected ':'"
std::string of_token(std::string_view said) {
  const std::string_view found = between(said, "unexpected ", "; expected "),
                         expected = between(said, "; expected ", "");
  return expected.empty() ? called(found) + " does not belong there"
                          : "expected " + called(expected) + ", not " + called(found);
}

// "invalid string: missing closing quote; last read: '"a'"
std::string of_letters(std::string_view said) {
  constexpr std::string_view kText = "invalid string: ", kNumber = "invalid number; ";
  const std::string_view why = said.substr(0, said.find("; last read: "));
  if (why == "invalid literal") {
    std::string_view read = between(said, "; last read: '", "");
    read = read.substr(0, read.rfind('\''));
    return "'" + shown(read.substr(0, kMostShown)) +
           "' is no value: expected a text in double quotes, a number, true, false, null, '{' or '['";
  }
  if (why.starts_with(kText) && why.find("missing closing quote") != why.npos)
    return "a text is not closed in its line";
  if (why.starts_with(kText) && why.find("UTF-8") != why.npos) return "a text has a byte that is no UTF-8";
  if (why.starts_with(kText)) return "in a text: " + std::string(why.substr(kText.size()));
  if (why.starts_with(kNumber)) return "in a number: " + std::string(why.substr(kNumber.size()));
  return std::string(why);
}

std::string in_our_words(std::string_view said) {
  if (const std::string_view number = between(said, "number overflow parsing '", "'"); !number.empty())
    return "the number " + shown(number.substr(0, kMostShown)) + " is too large for 64 bits";
  const size_t dash = said.find("syntax error ");
  if (dash == said.npos) return "it cannot be read";
  said.remove_prefix(dash);
  said.remove_prefix(std::min(said.find("- ") + 2, said.size()));
  return said.starts_with("unexpected ") ? of_token(said) : of_letters(said);
}

}  // namespace

std::string JsonFault::where() const { return "line " + std::to_string(line) + ", column " + std::to_string(column); }

JsonFault json_fault(std::string_view text, size_t position, std::string_view said) {
  JsonFault f;
  f.byte = std::min(position > 0 ? position - 1 : 0, text.size());
  const std::string_view before = text.substr(0, f.byte);
  f.line = 1 + size_t(std::count(before.begin(), before.end(), '\n'));
  f.column = f.byte - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  f.what = in_our_words(said);
  return f;
}

}  // namespace puna
