#include "members.h"

#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "puna/base/error.h"

namespace puna::desk {
namespace {

const Watch kNoWatch;

[[noreturn]] void wrong(const char* name, std::string_view value, const char* expected) {
  fail(Status::invalid_argument, "\"%s\" is %s, expected %s", name, io::kind_of(value), expected);
}

}  // namespace

Members::Members(std::string_view json) {
  {
    OrderedJson parsed = parse_json_argument(json, "the request");  // that it is JSON; its parts are read from the text
    const JsonGuard guard(parsed);
    if (!parsed.is_object()) fail(Status::invalid_argument, "the request is no object");
  }
  io::each_member(json.substr(io::skip_space(json, 0, kNoWatch)), kNoWatch,
                  [&](const std::string& key, std::string_view value) {
                    if (!io::is_null(value)) all_[key] = value;
                  });
}

std::string_view Members::take(const char* name) {
  known_.emplace_back(name);
  const auto found = all_.find(name);
  if (found == all_.end()) return {};
  const std::string_view value = found->second;
  all_.erase(found);
  return value;
}

std::string_view Members::json(const char* name) { return take(name); }

std::string Members::text(const char* name, size_t most) {
  const std::string_view value = take(name);
  if (value.empty()) return "";
  if (!io::is_string(value)) wrong(name, value, "a text");
  std::string text = io::text_of(value, kNoWatch);
  if (text.size() > most)
    fail(Status::invalid_argument, "\"%s\" has %zu bytes, expected at most %zu", name, text.size(), most);
  return text;
}

std::string Members::required(const char* name, size_t most) {
  std::string value = text(name, most);
  if (value.empty()) fail(Status::invalid_argument, "the request has no \"%s\"", name);
  return value;
}

std::optional<int64_t> Members::whole(const char* name, int64_t low, int64_t high) {
  const std::string_view value = take(name);
  if (value.empty()) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < low || number > high)
    fail(Status::invalid_argument, "\"%s\" is %s, expected a whole number from %jd to %jd", name, shown(value).c_str(),
         low, high);
  return number;
}

std::optional<double> Members::number(const char* name) {
  const std::string_view value = take(name);
  if (value.empty()) return std::nullopt;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !std::isfinite(number))
    wrong(name, value, "a number");
  return number;
}

void Members::end() const {
  if (all_.empty()) return;
  const std::string& first = all_.begin()->first;
  fail(Status::invalid_argument, "the request has \"%s\", which means nothing here%s", shown(first).c_str(),
       did_you_mean(first, known_).c_str());
}

}  // namespace puna::desk
