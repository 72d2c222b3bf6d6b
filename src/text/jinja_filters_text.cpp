// jinja_filters_text.cpp -- the filters that make text: case, trimming, padding, escaping, JSON.
#include <algorithm>
#include <iterator>

#include "text/jinja_filters.h"
#include "text/jinja_format.h"
#include "text/jinja_ops.h"
#include "text/jinja_text.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
namespace {

template <std::string (*Map)(std::string_view)>
Value mapped(Machine& m, const Value& input, Args& args) {
  Bound b(m, "case filter", {}, 0, args);
  const Value s = soft_text(m, input);
  m.charge_text(4 * int64_t(s.text().size()));
  return m.text(Map(s.text()), is_markup(s));
}

// Jinja's own title(): words start after white space and -({[<, nowhere else.
Value title(Machine& m, const Value& input, Args& args) {
  Bound b(m, "title", {}, 0, args);
  const std::string s = to_str(m, input);
  m.charge_text(4 * int64_t(s.size()));
  std::string out;
  for (size_t i = 0; i < s.size();) {
    const auto is_break = [](char32_t c) {
      return is_space(c) || (c < 0x80 && std::string_view("-({[<").find(char(c)) != std::string_view::npos);
    };
    const size_t start = i;
    const bool breaks = is_break(next_code_point(s, i));
    const size_t second = i;
    for (size_t next = i; i < s.size() && is_break(next_code_point(s, next)) == breaks; i = next) {}
    if (breaks) {
      out.append(s, start, i - start);
    } else {
      out += to_upper(std::string_view(s).substr(start, second - start)) + to_lower(std::string_view(s).substr(second, i - second));
    }
  }
  return m.text(std::move(out));
}

Value trim(Machine& m, const Value& input, Args& args) {
  Bound b(m, "trim", {"chars"}, 0, args);
  if (b.given(0)) b.string(0);
  return strip_text(m, soft_text(m, input), b.given(0) ? &b[0] : nullptr, true, true);
}

Value replace(Machine& m, const Value& input, Args& args) {
  Bound b(m, "replace", {"old", "new", "count"}, 2, args);
  const std::string from = to_str(m, b[0]), to = to_str(m, b[1]);
  return replace_text(m, m.text(to_str(m, input)), from, to, b.given(2) ? b.integer(2, -1) : -1);
}

Value center(Machine& m, const Value& input, Args& args) {
  Bound b(m, "center", {"width"}, 0, args);
  return center_text(m, soft_text(m, input), b.integer(0, 80), ' ');
}

Value indent(Machine& m, const Value& input, Args& args) {
  Bound b(m, "indent", {"width", "first", "blank"}, 0, args);
  m.require_defined(input);
  if (!input.is_string()) m.fail("can only indent a string, not a %s", type_name(input));
  std::string margin;
  if (b.has(0) && b[0].is_string()) {
    margin = b[0].text();
  } else {
    const int64_t width = std::max<int64_t>(b.integer(0, 4), 0);
    m.charge_text(width);
    margin.assign(size_t(width), ' ');
  }
  const bool first = b.truth(1, false), blank = b.truth(2, false);
  std::string out = first ? margin : "";
  const std::vector<Value> lines = split_lines(m, m.text(input.text() + "\n"), false);
  for (size_t i = 0; i < lines.size(); ++i) {
    m.charge_text(int64_t(margin.size() + lines[i].text().size()));
    m.check_size(out.size());
    if (i > 0) out += '\n';
    if (i > 0 && (blank || !lines[i].text().empty())) out += margin;
    out += lines[i].text();
  }
  return m.text(std::move(out), is_markup(input));
}

Value truncate(Machine& m, const Value& input, Args& args) {
  Bound b(m, "truncate", {"length", "killwords", "end", "leeway"}, 0, args);
  const Value end = b.value(2, m.text("..."));
  if (!end.is_string()) m.fail("truncate(): 'end' is a %s, expected a string", type_name(end));
  const int64_t limit = b.integer(0, 255), leeway = b.given(3) ? b.integer(3, 5) : 5, keep = limit - end.as<Text>().length;
  if (keep < 0) m.fail("expected length >= %lld, got %lld", static_cast<long long>(end.as<Text>().length), static_cast<long long>(limit));
  if (leeway < 0) m.fail("expected leeway >= 0, got %lld", static_cast<long long>(leeway));
  const int64_t length = jinja::length(m, input);
  if (length - std::min(leeway, length) <= limit) return input;
  if (!input.is_string()) m.fail("can only truncate a string, not a %s", type_name(input));
  std::string out = input.text().substr(0, byte_offset(input.text(), keep));
  if (!b.truth(1, false)) out = out.substr(0, out.rfind(' '));
  return m.text(out + end.text());
}

Value string(Machine& m, const Value& input, Args& args) {
  Bound b(m, "string", {}, 0, args);
  return soft_text(m, input);
}

Value format(Machine& m, const Value& input, Args& args) {
  if (!args.positional.empty() && !args.named.empty()) m.fail("can't handle positional and keyword arguments at the same time");
  if (args.named.empty()) return percent_format(m, soft_text(m, input), m.tuple(args.positional));
  std::vector<Dict::Item> items;
  for (auto& [name, value] : args.named) items.emplace_back(m.text(name), value);
  return percent_format(m, soft_text(m, input), m.dict(std::move(items)));
}

Value safe(Machine& m, const Value& input, Args& args) {
  Bound b(m, "safe", {}, 0, args);
  return is_markup(input) ? input : m.text(to_str(m, input), true);
}

Value escape(Machine& m, const Value& input, Args& args) {
  Bound b(m, "escape", {}, 0, args);
  return escaped(m, input);
}

Value force_escape(Machine& m, const Value& input, Args& args) {
  Bound b(m, "forceescape", {}, 0, args);
  return escaped(m, m.text(to_str(m, input)));
}

// The entities a chat text meets; others stay as written.
void append_unescaped(std::string& out, std::string_view s, size_t& i) {
  constexpr std::pair<std::string_view, std::string_view> kEntities[] = {{"&amp;", "&"},   {"&lt;", "<"},       {"&gt;", ">"},
                                                                         {"&quot;", "\""}, {"&#34;", "\""},     {"&#39;", "'"},
                                                                         {"&apos;", "'"},  {"&nbsp;", "\u00a0"}};
  for (const auto& [entity, character] : kEntities)
    if (s.substr(i).starts_with(entity)) {
      out += character;
      i += entity.size();
      return;
    }
  out += s[i++];
}

Value strip_tags(Machine& m, const Value& input, Args& args) {
  Bound b(m, "striptags", {}, 0, args);
  const std::string s = to_str(m, input);
  m.charge_text(2 * int64_t(s.size()));
  std::string text;
  size_t at = 0;
  for (size_t start; (start = s.find('<', at)) != s.npos;) {
    const bool comment = s.compare(start, 4, "<!--") == 0;
    const size_t end = comment ? s.find("-->", start + 4) : s.find('>', start);
    if (end == s.npos) break;
    text.append(s, at, start - at);
    at = end + (comment ? 3 : 1);
  }
  text.append(s, at);
  std::string words;  // white space runs become one space
  for (std::string_view rest = strip_space(text, true, true); !rest.empty();) {
    size_t i = 0, end = 0;
    for (; i < rest.size() && !is_space(next_code_point(rest, i)); end = i) {}
    for (size_t k = 0; k < end;) {
      if (rest[k] == '&') {
        append_unescaped(words, rest.substr(0, end), k);
      } else {
        words += rest[k++];
      }
    }
    rest = strip_space(rest.substr(end), true, false);
    if (!rest.empty()) words += ' ';
  }
  return m.text(std::move(words));
}

std::string quote_url(Machine& m, std::string_view s, bool query) {
  m.charge_text(3 * int64_t(s.size()));
  std::string out;
  for (char c : s) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("_.-~").find(c) != std::string_view::npos;
    if (keep || (c == '/' && !query)) {
      out += c;
    } else if (c == ' ' && query) {
      out += '+';
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      out += {'%', kHex[uint8_t(c) >> 4], kHex[uint8_t(c) & 15]};
    }
  }
  return out;
}

Value url_encode(Machine& m, const Value& input, Args& args) {
  Bound b(m, "urlencode", {}, 0, args);
  const bool iterable = !input.is_string() && !input.is_none() && !input.is_number() && !input.is(Kind::object);
  if (!iterable) return m.text(quote_url(m, to_str(m, input), false));
  std::string out;
  std::vector<Value> pairs;
  if (input.is(Kind::dict)) {
    for (const auto& [key, value] : input.as<Dict>().items()) pairs.push_back(m.tuple({key, value}));
  } else {
    pairs = m.collect(input);
  }
  for (const Value& pair : pairs) {
    const std::vector<Value> kv = m.collect(pair);
    if (kv.size() != 2) m.fail("urlencode expects pairs");
    if (!out.empty()) out += '&';
    out += quote_url(m, to_str(m, kv[0]), true) + "=" + quote_url(m, to_str(m, kv[1]), true);
    m.charge_text(int64_t(out.size()));
  }
  return m.text(std::move(out));
}

Value word_count(Machine& m, const Value& input, Args& args) {
  Bound b(m, "wordcount", {}, 0, args);
  const std::string s = to_str(m, input);
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < s.size();) {
    const char32_t c = next_code_point(s, i);
    const bool word = c == '_' || is_alnum(c);
    words += word && !inside;
    inside = word;
  }
  return Value::integer(words);
}

Value to_json_filter(Machine& m, const Value& input, Args& args) {
  Bound b(m, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, args);
  JsonStyle style;
  style.ensure_ascii = b.truth(0, false);
  style.sort_keys = b.truth(3, false);
  if (b.given(1)) {
    style.indented = true;
    style.item_separator = ",";
    if (b[1].is_string()) {
      style.indent = b[1].text();
    } else {
      const int64_t width = std::max<int64_t>(b.integer(1, 0), 0);
      m.charge_text(width);
      style.indent.assign(size_t(width), ' ');
    }
  }
  if (b.given(2)) {
    const std::vector<Value> pair = m.collect(b[2]);
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) m.fail("tojson(): 'separators' must be two strings");
    style.item_separator = pair[0].text();
    style.key_separator = pair[1].text();
  }
  return m.text(to_json(m, input, style));
}

Value not_supported(Machine& m, const Value&, Args&) { m.unsupported("this filter"); }

constexpr FilterEntry kFilters[] = {{"capitalize", mapped<to_capitalized>},
                                    {"center", center},
                                    {"e", escape},
                                    {"escape", escape},
                                    {"forceescape", force_escape},
                                    {"format", format},
                                    {"indent", indent},
                                    {"lower", mapped<to_lower>},
                                    {"replace", replace},
                                    {"safe", safe},
                                    {"string", string},
                                    {"striptags", strip_tags},
                                    {"title", title},
                                    {"tojson", to_json_filter},
                                    {"trim", trim},
                                    {"truncate", truncate},
                                    {"upper", mapped<to_upper>},
                                    {"urlencode", url_encode},
                                    {"wordcount", word_count},
                                    {"filesizeformat", not_supported},
                                    {"pprint", not_supported},
                                    {"random", not_supported},
                                    {"urlize", not_supported},
                                    {"wordwrap", not_supported},
                                    {"xmlattr", not_supported}};

}  // namespace

Filter find_text_filter(std::string_view name) {
  for (const FilterEntry& e : kFilters)
    if (e.name == name) return e.filter;
  return nullptr;
}

Value soft_text(Machine& m, const Value& v) { return v.is_string() ? v : m.text(to_str(m, v)); }

}  // namespace puna::jinja
