// label_studio.cpp -- Label Studio's results: {id, from_name, to_name, type, value}. One value a label: the result of
// the project's type; several spans are several results.
#include "label/label_studio.h"

#include "base/json.h"
#include "io/json_parts.h"

namespace puna::label {
namespace {

struct ResultType {
  const char* name;
  Type type;
  const char* key;  // of "value"
};
constexpr ResultType kResults[] = {{"choices", Type::choice, "choices"},     {"choices", Type::multi_choice, "choices"},
                                   {"textarea", Type::text, "text"},         {"rating", Type::rating, "rating"},
                                   {"pairwise", Type::pairwise, "selected"}, {"labels", Type::spans, "labels"}};

const ResultType& result_of(Type type) {
  for (const ResultType& r : kResults)
    if (r.type == type) return r;
  return kResults[0];
}

// What stands inside the list; "" where there are not `one` element.
std::string only_element(std::string_view list, const Watch& watch) {
  std::string element;
  int64_t count = 0;
  if (!io::is_array(list)) return io::is_string(list) ? std::string(list) : "";
  io::each_element(list, watch, [&](std::string_view e) {
    element = e;
    ++count;
  });
  return count == 1 ? element : "";
}

std::string span_of(std::string_view value, const Watch& watch) {
  const std::string label = only_element(io::member(value, "labels", watch), watch);
  const std::string_view start = io::member(value, "start", watch), end = io::member(value, "end", watch);
  if (label.empty() || start.empty() || end.empty()) return "";
  return "{\"start\":" + std::string(start) + ",\"end\":" + std::string(end) + ",\"label\":" + label + "}";
}

}  // namespace

std::optional<Type> type_of_result(std::string_view result_type) {
  for (const ResultType& r : kResults)
    if (result_type == r.name) return r.type;
  return std::nullopt;
}

std::string value_of_results(std::string_view results, Type type, const Watch& watch) {
  const ResultType& wanted = result_of(type);
  std::string value;
  int64_t count = 0;
  if (!io::is_array(results)) return "";
  io::each_element(results, watch, [&](std::string_view result) {
    if (!io::is_object(result)) return;
    const std::string_view name = io::member(result, "type", watch), inside = io::member(result, "value", watch);
    if (!io::is_string(name) || io::text_of(name, watch) != wanted.name || !io::is_object(inside)) return;
    std::string one;
    if (type == Type::spans)
      one = span_of(inside, watch);
    else if (type == Type::multi_choice)
      one = io::member(inside, wanted.key, watch);
    else if (type == Type::choice || type == Type::text)
      one = only_element(io::member(inside, wanted.key, watch), watch);
    else
      one = io::member(inside, wanted.key, watch);
    if (one.empty()) return;
    value += (count++ > 0 && type == Type::spans ? "," : "") + one;
  });
  if (type == Type::spans) return count > 0 ? "[" + value + "]" : "";
  return count == 1 ? value : "";  // two questions answered at once: which one is meant, nobody knows
}

std::string results_of(std::string_view value, Type type) {
  const ResultType& r = result_of(type);
  const Watch none;
  int64_t number = 0;
  const auto result = [&](const std::string& inside) {
    return "{\"id\":\"r" + std::to_string(++number) + "\",\"from_name\":\"label\",\"to_name\":\"text\",\"type\":\"" +
           r.name + "\",\"value\":{" + inside + "}}";
  };
  const std::string text(value), key = "\"" + std::string(r.key) + "\":";
  if (type == Type::choice || type == Type::text) return "[" + result(key + "[" + text + "]") + "]";
  if (type != Type::spans) return "[" + result(key + text) + "]";
  std::string all;
  io::each_element(value, none, [&](std::string_view span) {
    all += (all.empty() ? "" : ",") + result("\"start\":" + std::string(io::member(span, "start", none)) +
                                             ",\"end\":" + std::string(io::member(span, "end", none)) + "," + key +
                                             "[" + std::string(io::member(span, "label", none)) + "]");
  });
  return "[" + all + "]";
}

}  // namespace puna::label
