#include "eval/task_texts.h"

#include <algorithm>
#include <charconv>

#include "base/nearest.h"
#include "base/shown.h"
#include "eval/python_literal.h"
#include "io/json_parts.h"
#include "puna/base/error.h"

namespace puna::eval {
namespace {

bool all_digits(const std::string& text) {
  return !text.empty() && text.size() < 19 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

int64_t number_of(std::string_view digits) {
  int64_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

bool is_whole(std::string_view json) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), n);
  return error == std::errc() && end == json.data() + json.size();
}

FieldValue value_of(const PythonList& list) {
  if (!list.numbers) return list.items;
  std::vector<int64_t> numbers;
  for (const std::string& digits : list.items) numbers.push_back(number_of(digits));
  return numbers;
}

template <class T>
std::string python_list(const std::vector<T>& items, std::string (*text_of)(const T&)) {
  std::string all = "[";
  for (size_t i = 0; i < items.size(); ++i) all += (i ? ", " : "") + text_of(items[i]);
  return all + "]";
}

}  // namespace

std::string python_text(const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value))
    return python_list<std::string>(*texts, [](const std::string& t) { return python_repr(t); });
  return python_list<int64_t>(std::get<std::vector<int64_t>>(value),
                              [](const int64_t& n) { return std::to_string(n); });
}

std::string TaskTexts::rendered(const char* key, const std::string& source, const Document& d) const {
  try {
    std::shared_ptr<const ChatTemplate>& t = templates_[source];
    if (!t) t = ChatTemplate::parse(source, ChatTemplate::Limits(), watch_, TemplateStyle::plain);
    return t->render(d.json, {}, watch_).text;
  } catch (const Error& e) {
    if (e.status() == Status::cancelled || e.status() == Status::out_of_memory) throw;
    std::string why = e.what();
    if (why.starts_with("chat template")) why = "template" + why.substr(13);
    fail(e.status(), "%s: \"%s\": %s", d.what.c_str(), key, why.c_str());
  }
}

// One bare word is meant to be a field, but for what may be a text of the task's own.
void TaskTexts::require_no_field(const char* key, const std::string& word, const Document& d) const {
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (!std::string_view(key).starts_with("doc_to_") || word.empty() || !std::all_of(word.begin(), word.end(), in_name))
    return;
  std::vector<std::string> fields;
  bool is_null = false;
  io::each_member(d.json, watch_, [&](const std::string& name, std::string_view) {
    fields.push_back(name);
    is_null |= name == word;
  });
  fail(Status::bad_file, "%s: \"%s\" names the field '%s', which %s%s", d.what.c_str(), key, shown(word).c_str(),
       is_null ? "is null" : "is not there", is_null ? "" : did_you_mean(word, fields).c_str());
}

// A rule that is a field's name is that field; everything else is a template. A rendering of digits, where there are
// choices, is one of them by its place; one in brackets a list.
FieldValue TaskTexts::value(const char* key, const FieldRule& rule, const Document& d) const {
  if (rule.number) return *rule.number;
  if (rule.is_list) return rule.list;
  const std::string_view field = io::member(d.json, rule.text, watch_);
  if (field.empty()) {
    require_no_field(key, rule.text, d);
    std::string text = rendered(key, rule.text, d);
    if (task_.choice.given && all_digits(text)) return number_of(text);
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']' && key != std::string_view("doc_to_text"))
      if (const auto list = read_python_list(text)) return value_of(*list);
    return text;
  }
  if (io::is_string(field)) return io::text_of(field, watch_);
  if (is_whole(field)) return number_of(field);
  if (field == "true" || field == "false") return int64_t(field == "true");
  if (!io::is_array(field)) {
    if (io::is_object(field))
      fail(Status::bad_file, "%s: the field '%s', which \"%s\" names, is %s, expected a text, a number or a list",
           d.what.c_str(), shown(rule.text).c_str(), key, io::kind_of(field));
    return std::string(field);
  }
  PythonList list;
  size_t numbers = 0;
  io::each_element(field, watch_, [&](std::string_view one) {
    if (!io::is_string(one) && !is_whole(one))
      fail(Status::bad_file, "%s: the field '%s', which \"%s\" names, has %s, expected texts or whole numbers",
           d.what.c_str(), shown(rule.text).c_str(), key, io::kind_of(one));
    numbers += !io::is_string(one);
    list.items.push_back(io::is_string(one) ? io::text_of(one, watch_) : std::string(one));
  });
  list.numbers = numbers > 0 && numbers == list.items.size();
  return value_of(list);
}

FieldValue TaskTexts::text(const Document& d, bool shot) const {
  return value("doc_to_text", shot && task_.shot_text.given ? task_.shot_text : task_.text, d);
}

FieldValue TaskTexts::target(const Document& d, bool shot) const {
  return value("doc_to_target", shot && task_.shot_target.given ? task_.shot_target : task_.target, d);
}

std::vector<std::string> TaskTexts::choices(const Document& d, bool shot) const {
  const FieldRule& rule = shot && task_.shot_choice.given ? task_.shot_choice : task_.choice;
  if (!rule.given) return {};
  const FieldValue v = value("doc_to_choice", rule, d);
  const auto* list = std::get_if<std::vector<std::string>>(&v);
  if (!list || list->empty())
    fail(Status::bad_file, "%s: \"doc_to_choice\" gives '%s', expected a list of texts", d.what.c_str(),
         shown(python_text(v)).c_str());
  return *list;
}

std::string TaskTexts::prefix(const Document& d, bool shot) const {
  const FieldRule& rule = shot && task_.shot_prefix.given ? task_.shot_prefix : task_.prefix;
  return rule.given ? python_text(value("gen_prefix", rule, d)) : std::string();
}

std::string TaskTexts::description(const Document& d) const {
  if (task_.description.empty()) return {};
  FieldRule rule;
  rule.text = task_.description;
  return python_text(value("description", rule, d));
}

}  // namespace puna::eval
