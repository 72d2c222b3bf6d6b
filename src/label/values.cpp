#include "label/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "puna/base/error.h"

namespace puna::label {
namespace {

const Watch kNoWatch;

std::string wrong_label(const Project& p, const std::string& label) {
  if (label.empty()) return "is an empty label";
  if (p.labels.empty() || std::find(p.labels.begin(), p.labels.end(), label) != p.labels.end()) return "";
  return "is '" + shown(label) + "', which is none of the project's labels" + did_you_mean(label, p.labels);
}

std::string check_number(std::string_view text, std::string& value) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return "is '" + shown(text) + "', expected a number";
  char shortest[40];
  const auto [to, no_error] = std::to_chars(shortest, shortest + sizeof shortest, number);
  value.assign(shortest, to);
  return "";
}

std::string check_side(const std::string& side) {
  if (side == "left" || side == "right" || side == "tie") return "";
  return "is '" + shown(side) + "', expected left, right or tie" +
         did_you_mean(side, std::vector<std::string>{"left", "right", "tie"});
}

std::string check_choices(const Project& p, std::vector<std::string> choices, std::string& value) {
  for (const std::string& c : choices)
    if (std::string wrong = wrong_label(p, c); !wrong.empty()) return wrong;
  std::sort(choices.begin(), choices.end());
  choices.erase(std::unique(choices.begin(), choices.end()), choices.end());
  value = "[";
  for (const std::string& c : choices) value += (value.size() > 1 ? "," : "") + puna::quoted(c);
  value += "]";
  return "";
}

// [{"start": 0, "end": 3, "label": "name"}]
std::string check_spans(const Project& p, std::string_view json, std::string& value) {
  std::string wrong;
  value = "[";
  io::each_element(json, kNoWatch, [&](std::string_view span) {
    if (!wrong.empty()) return;
    if (!io::is_object(span)) {
      wrong = "has " + std::string(io::kind_of(span)) + ", expected spans";
      return;
    }
    int64_t start = -1, end = -1;
    std::string label, unknown;
    io::each_member(span, kNoWatch, [&](const std::string& key, std::string_view v) {
      if (key == "start" || key == "end")
        std::from_chars(v.data(), v.data() + v.size(), key == "start" ? start : end);
      else if (key == "label" && io::is_string(v))
        label = io::text_of(v, kNoWatch);
      else if (key != "text")
        unknown = key;
    });
    if (!unknown.empty()) wrong = "has a span with \"" + shown(unknown) + "\", expected start, end and label";
    if (start < 0 || end <= start) wrong = "has a span without \"start\" before \"end\"";
    if (wrong.empty()) wrong = wrong_label(p, label);
    value += (value.size() > 1 ? "," : "") + ("{\"start\":" + std::to_string(start)) +
             ",\"end\":" + std::to_string(end) + ",\"label\":" + puna::quoted(label) + "}";
  });
  value += "]";
  return wrong;
}

std::string not_a(std::string_view json, const char* expected) {
  return "is " + std::string(io::kind_of(json)) + ", expected " + expected;
}

}  // namespace

std::string check_value(const Project& p, std::string_view json, std::string& value) {
  switch (p.type) {
    case Type::rating:
      if (io::is_string(json)) return check_number(io::text_of(json, kNoWatch), value);
      return check_number(json, value);
    case Type::multi_choice: {
      if (io::is_string(json)) return check_choices(p, {io::text_of(json, kNoWatch)}, value);
      if (!io::is_array(json)) return not_a(json, "a list of labels");
      std::vector<std::string> choices;
      std::string wrong;
      io::each_element(json, kNoWatch, [&](std::string_view c) {
        if (!io::is_string(c)) wrong = "has " + std::string(io::kind_of(c)) + ", expected labels";
        if (wrong.empty()) choices.push_back(io::text_of(c, kNoWatch));
      });
      return wrong.empty() ? check_choices(p, std::move(choices), value) : wrong;
    }
    case Type::spans: return io::is_array(json) ? check_spans(p, json, value) : not_a(json, "a list of spans");
    default: break;
  }
  const bool scalar = !io::is_object(json) && !io::is_array(json) && !io::is_null(json);
  if (!scalar || (p.type == Type::text && !io::is_string(json))) return not_a(json, "a text");
  const std::string text = io::is_string(json) ? io::text_of(json, kNoWatch) : std::string(json);  // 1, true: names
  std::string wrong;
  if (p.type == Type::choice) wrong = wrong_label(p, text);
  if (p.type == Type::pairwise) wrong = check_side(text);
  value = puna::quoted(text);
  return wrong;
}

std::string check_word(const Project& p, std::string_view word, std::string& value) {
  if (p.type == Type::spans) {
    try {
      Json parsed = parse_json(word, "value");
      const JsonGuard guard(parsed);
      return check_value(p, word, value);
    } catch (const Error& e) {
      if (e.status() != Status::bad_file) throw;
      return "is no list of spans in JSON";
    }
  }
  if (p.type == Type::rating) return check_number(word, value);
  if (p.type != Type::multi_choice) return check_value(p, puna::quoted(std::string(word)), value);
  std::vector<std::string> choices;
  for (size_t at = 0; at <= word.size();) {
    const size_t bar = std::min(word.find('|', at), word.size());
    choices.emplace_back(word.substr(at, bar - at));
    at = bar + 1;
  }
  return check_choices(p, std::move(choices), value);
}

std::string skipped_source(const std::string& reason) { return "{\"skipped\":" + puna::quoted(reason) + "}"; }

std::string skipped_reason(std::string_view source) {
  if (!io::is_object(source)) return "";
  const std::string_view reason = io::member(source, "skipped", kNoWatch);
  return io::is_string(reason) ? io::text_of(reason, kNoWatch) : "";
}

std::string word_of(std::string_view value) {
  if (io::is_string(value)) return io::text_of(value, kNoWatch);
  if (!io::is_array(value) || value.find('{') != value.npos) return std::string(value);
  std::string all;
  io::each_element(value, kNoWatch, [&](std::string_view v) { all += (all.empty() ? "" : "|") + word_of(v); });
  return all;
}

}  // namespace puna::label
