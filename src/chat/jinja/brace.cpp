// brace.cpp -- "{} {0.name[key]!r:>{width}}".format(arguments), as the sandbox's formatter does it.
#include <algorithm>
#include <charconv>
#include <functional>

#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"

namespace puna::jinja {
namespace {

class BraceFormatter {
 public:
  BraceFormatter(Machine& m, std::vector<Value> positional, std::function<const Value*(std::string_view)> named,
                 bool markup)
      : m_(m), positional_(std::move(positional)), named_(std::move(named)), markup_(markup) {}

  Value run(const Value& format, int depth) {
    if (depth > 2) m_.fail("Max string recursion exceeded");
    const Text& t = format.as<Text>();
    const std::string_view s = t.text;
    TextBuilder out(m_);
    for (size_t i = 0, start = 0; i < s.size(); start = i) {
      for (; i < s.size() && s[i] != '{' && s[i] != '}'; ++i) m_.charge_bytes(1);
      out.add(t, start, i);
      if (i == s.size()) break;
      const char c = s[i++];
      if (i < s.size() && s[i] == c) {
        out.add(t, i, i + 1);
        ++i;
      } else if (c == '}') {
        m_.fail("Single '}' encountered in format string");
      } else {
        field(out, format, i, depth);
      }
    }
    return out.finish();
  }

 private:
  // After '{': name[!conversion][:spec]}, where the spec may hold fields of its own.
  void field(TextBuilder& out, const Value& format, size_t& i, int depth) {
    const std::string_view s = format.text();
    const size_t start = i;
    size_t end = i;
    for (int open = 1; open > 0; ++end) {
      if (end >= s.size()) m_.fail("expected '}' before end of string");
      m_.charge_bytes(8);
      open += s[end] == '{' ? 1 : s[end] == '}' ? -1 : 0;
    }
    const std::string_view whole = s.substr(i, end - 1 - i);
    i = end;
    m_.charge(1);
    size_t name_end = whole.find_first_of("!:");
    if (const size_t bracket = whole.find('['); bracket < name_end)
      name_end = whole.find_first_of("!:", std::min(whole.find(']', bracket), whole.size()));
    name_end = std::min(name_end, whole.size());
    Value v = resolve(whole.substr(0, name_end));
    std::string_view rest = whole.substr(name_end);
    if (!rest.empty() && rest[0] == '!') {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) m_.fail("expected ':' after conversion specifier");
      if (rest[1] != 's' && rest[1] != 'r') m_.fail("Unknown conversion specifier '%c'", rest[1]);
      v = rest[1] == 's' ? to_str(m_, v) : to_repr(m_, v);
      rest.remove_prefix(2);
    }
    const Value spec =
        rest.empty()
            ? m_.text("")
            : run(part_of(m_, format, start + whole.size() - rest.size() + 1, start + whole.size()), depth + 1);
    const bool escapes = markup_ && !is_markup(v) && depth == 1;
    if (spec.text().empty()) {
      v = to_str(m_, v);
      out.add(escapes ? escaped(m_, v) : v);
      return;
    }
    FormatSpec parsed = parse_spec(m_, spec.text());
    parsed.content = is_content(spec);
    TextBuilder formatted(m_);
    format_value(m_, escapes ? formatted : out, v, parsed);
    if (escapes) out.add(escaped(m_, formatted.finish()));
  }

  Value resolve(std::string_view name) {
    const std::string_view first = name.substr(0, name.find_first_of(".["));
    if (first.empty() && !name.empty()) m_.fail("KeyError: ''");  // only a wholly empty name is numbered
    Value v = root(first);
    for (size_t i = first.size(); i < name.size();) {
      if (name[i] == '.') {
        const size_t end = std::min(name.find_first_of(".[", i + 1), name.size());
        if (end == i + 1) m_.fail("Empty attribute in format string");
        v = get_attribute(m_, v, name.substr(i + 1, end - i - 1));
        i = end;
      } else if (name[i] == '[') {
        const size_t close = name.find(']', i);
        if (close == name.npos) m_.fail("Missing ']' in format string");
        const std::string_view key = name.substr(i + 1, close - i - 1);
        int64_t index = 0;
        const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
        const bool is_index = error == std::errc() && end == key.data() + key.size() && key[0] != '-';
        v = get_item(m_, v, is_index ? Value::integer(index) : m_.text(std::string(key)));
        i = close + 1;
      } else {
        m_.fail("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  Value root(std::string_view first) {
    int64_t index = 0;
    const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), index);
    const bool is_index =
        !first.empty() && error == std::errc() && end == first.data() + first.size() && first[0] != '-';
    if (first.empty() || is_index) {
      const char mode = first.empty() ? 'a' : 'm';
      if (numbering_ && numbering_ != mode) m_.fail("cannot switch between manual and automatic field numbering");
      numbering_ = mode;
      if (first.empty()) index = automatic_++;
      if (index >= int64_t(positional_.size()))
        m_.fail("Replacement index %jd out of range for positional args tuple", index);
      return positional_[size_t(index)];
    }
    const Value* v = named_(first);
    if (!v) m_.fail("KeyError: '%.64s'", std::string(first).c_str());
    return *v;
  }

  Machine& m_;
  const std::vector<Value> positional_;
  std::function<const Value*(std::string_view)> named_;
  const bool markup_;
  char numbering_ = 0;
  int64_t automatic_ = 0;
};

}  // namespace

Value brace_format(Machine& m, const Value& self, Args& args) {
  const auto named = [&](std::string_view name) -> const Value* {
    for (const NamedArgument& argument : args.named) {
      m.charge(1);
      if (equal_bytes(m, argument.text(), name)) return &argument.value;
    }
    return nullptr;
  };
  const Value out = BraceFormatter(m, args.positional, named, is_markup(self)).run(self, 1);
  return is_markup(self) ? as_markup(m, out) : out;
}

Value brace_format_map(Machine& m, const Value& self, Args& args) {
  Bound b(m, "format_map", {"mapping"}, 1, args);
  if (!b[0].is(Kind::dict)) m.fail("format_map() expects a dict");
  const auto named = [&](std::string_view name) { return b[0].as<Dict>().find_text(m, name); };
  const Value out = BraceFormatter(m, {}, named, is_markup(self)).run(self, 1);
  return is_markup(self) ? as_markup(m, out) : out;
}

}  // namespace puna::jinja
