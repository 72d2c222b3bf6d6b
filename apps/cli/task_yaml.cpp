#include "task_yaml.h"

#include <vector>

#include "base/json.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

#ifdef PUNA_HAVE_YAML
#include <yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace puna::cli {
namespace {

constexpr size_t kMostBytes = 1 << 20, kMostDepth = 64;

// A plain scalar as YAML 1.1 resolves it, PyYAML's way: as JSON.
bool is_one_of(std::string_view s, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), s) != words.end();
}

std::string plain_value(std::string_view s) {
  if (is_one_of(s, {"", "~", "null", "Null", "NULL"})) return "null";
  if (is_one_of(s, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return "true";
  if (is_one_of(s, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return "false";
  std::string_view digits = s;
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  const auto all_of = [](std::string_view t, std::string_view allowed) {
    return !t.empty() && t.find_first_not_of(allowed) == t.npos;
  };
  const std::string sign = negative ? "-" : "";
  if (all_of(digits, "0123456789") && (digits == "0" || digits[0] != '0')) return sign + std::string(digits);
  if (digits.starts_with("0x") && all_of(digits.substr(2), "0123456789abcdefABCDEF") && digits.size() < 18) {
    uint64_t value = 0;
    std::from_chars(digits.data() + 2, digits.data() + digits.size(), value, 16);
    return sign + std::to_string(value);
  }
  // A number with a point: 1.5, .5, 1., 1.5e+3. Without one, or with an exponent without sign, PyYAML reads a text.
  const size_t point = digits.find('.');
  const size_t exponent = digits.find_first_of("eE");
  const bool signed_exponent =
      exponent == digits.npos ||
      (exponent + 1 < digits.size() && (digits[exponent + 1] == '+' || digits[exponent + 1] == '-'));
  if (point != digits.npos && digits.size() > 1 && signed_exponent &&
      digits.find_first_of("0123456789") != digits.npos && all_of(digits, "0123456789.eE+-")) {
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size() && std::isfinite(value)) {
      char text[40];
      snprintf(text, sizeof text, "%.17g", value);
      return sign + text;
    }
  }
  return puna::quoted(std::string(s));
}

class Converter {
 public:
  Converter(std::string_view text, const std::string& file) : file_(file) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    const char* const from = text.empty() ? "" : text.data();  // libyaml asserts that it is not NULL
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(from), text.size());
  }
  ~Converter() { yaml_parser_delete(&parser_); }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  std::string convert() {
    for (bool more = true; more;) {
      Event e;
      if (!yaml_parser_parse(&parser_, &e.event)) {
        const std::string why = parser_.problem ? parser_.problem : "it is malformed";
        refuse(parser_.problem_mark, why);
      }
      e.parsed = true;
      more = e.event.type != YAML_STREAM_END_EVENT;
      take(e.event);
    }
    if (out_.empty()) fail(Status::bad_file, "%s: it is empty", file_.c_str());
    return std::move(out_);
  }

 private:
  struct Event {
    yaml_event_t event{};
    bool parsed = false;
    ~Event() {
      if (parsed) yaml_event_delete(&event);
    }
  };
  struct Level {
    bool is_map;
    size_t count = 0;  // of keys and values
    std::set<std::string> keys = {};
  };

  [[noreturn]] void refuse(const yaml_mark_t& at, const std::string& what) const {
    fail(Status::bad_file, "%s, line %zu: %s", file_.c_str(), at.line + 1, what.c_str());
  }
  static std::string text_of(const unsigned char* text) { return reinterpret_cast<const char*>(text); }

  void take(const yaml_event_t& e) {
    switch (e.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (++documents_ > 1) refuse(e.start_mark, "a second document: expected one a file");
        break;
      case YAML_ALIAS_EVENT:
        refuse(e.start_mark, "an alias, *" + shown(text_of(e.data.alias.anchor)) + ": write what it stands for");
      case YAML_MAPPING_START_EVENT: open(e, e.data.mapping_start.tag, true); break;
      case YAML_SEQUENCE_START_EVENT: open(e, e.data.sequence_start.tag, false); break;
      case YAML_MAPPING_END_EVENT:
      case YAML_SEQUENCE_END_EVENT:
        out_ += levels_.back().is_map ? '}' : ']';
        levels_.pop_back();
        break;
      case YAML_SCALAR_EVENT: scalar(e); break;
      default: break;
    }
  }

  // What comes next: a key, or a value behind one or in a list. True: a key.
  bool place(const yaml_event_t& e) {
    bool is_key = false;
    if (!levels_.empty()) {
      Level& level = levels_.back();
      is_key = level.is_map && level.count % 2 == 0;
      if (level.is_map && !is_key)
        out_ += ':';
      else if (level.count > 0)
        out_ += ',';
      ++level.count;
    }
    for (; line_ < e.start_mark.line; ++line_) out_ += '\n';
    return is_key;
  }

  void open(const yaml_event_t& e, const unsigned char* tag, bool is_map) {
    refuse_tag(e, tag);
    if (place(e)) refuse(e.start_mark, "a key that is no text");
    if (levels_.size() == kMostDepth) refuse(e.start_mark, "more than 64 levels");
    levels_.push_back({is_map});
    out_ += is_map ? '{' : '[';
  }

  void scalar(const yaml_event_t& e) {
    const auto& s = e.data.scalar;
    const bool is_text = s.tag && text_of(s.tag) == "tag:yaml.org,2002:str";
    if (!is_text) refuse_tag(e, s.tag);
    const std::string text(reinterpret_cast<const char*>(s.value), s.length);
    if (text.find('\0') != text.npos) refuse(e.start_mark, "a NUL character");
    if (place(e)) {
      if (text == "<<") refuse(e.start_mark, "a merge key, <<: use include");
      if (!levels_.back().keys.insert(text).second) refuse(e.start_mark, "the key '" + shown(text) + "' stands twice");
      out_ += puna::quoted(text);
      return;
    }
    out_ += s.style == YAML_PLAIN_SCALAR_STYLE && !is_text ? plain_value(text) : puna::quoted(text);
  }

  void refuse_tag(const yaml_event_t& e, const unsigned char* tag) const {
    if (tag && text_of(tag) != "!")
      refuse(e.start_mark, "the tag " + shown(text_of(tag)) + " is not supported: a task here is data alone");
  }

  yaml_parser_t parser_;
  const std::string& file_;
  std::string out_;
  std::vector<Level> levels_;
  size_t line_ = 0;
  int documents_ = 0;
};

}  // namespace

std::string yaml_to_json(std::string_view text, const std::string& file) {
  if (text.size() > kMostBytes)
    fail(Status::bad_file, "%s has %zu bytes, a task at most %zu", file.c_str(), text.size(), kMostBytes);
  if (!is_utf8(text)) fail(Status::bad_file, "%s is not valid UTF-8", file.c_str());
  return Converter(without_bom(text), file).convert();
}

}  // namespace puna::cli

#else

namespace puna::cli {
std::string yaml_to_json(std::string_view, const std::string& file) {
  fail(Status::unsupported, "%s: this build reads no YAML (libyaml was not there); give the task as JSON, FILE.json",
       file.c_str());
}
}  // namespace puna::cli
#endif
