// filters_text.cpp -- the filters that make text: case, trimming, padding, escaping, JSON.
#include <algorithm>
#include <iterator>

#include "chat/jinja/filters.h"
#include "chat/jinja/format.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"

namespace puna::jinja {
namespace text_filters {
namespace {

template <CaseMap Map>
Value mapped(Machine& m, const Value& input, Args& args) {
  Bound b(m, "case filter", {}, 0, args);
  return with_case(m, to_str(m, input), Map);
}

// Jinja's own title(): words start after white space and -({[<, nowhere else.
Value title(Machine& m, const Value& input, Args& args) {
  Bound b(m, "title", {}, 0, args);
  const Value text = to_str(m, input);
  const std::string& s = text.text();
  TextBuilder out(m);
  const auto is_break = [](char32_t c) {
    return is_space(c) || (c < 0x80 && std::string_view("-({[<").find(char(c)) != std::string_view::npos);
  };
  for (size_t i = 0; i < s.size();) {
    const size_t start = i;
    const bool breaks = is_break(next_code_point(s, i));
    const size_t second = i;
    for (size_t next = i; i < s.size() && is_break(next_code_point(s, next)) == breaks; i = next) m.charge_bytes(8);
    if (breaks) {
      out.add(text.as<Text>(), start, i);
    } else {
      out.add(with_case(m, part_of(m, text, start, second), map_upper));
      out.add(with_case(m, part_of(m, text, second, i), map_lower));
    }
  }
  return out.finish();
}

Value trim(Machine& m, const Value& input, Args& args) {
  Bound b(m, "trim", {"chars"}, 0, args);
  if (b.given(0)) b.string(0);
  return strip_text(m, to_str(m, input), b.given(0) ? &b[0] : nullptr, true, true);
}

Value replace(Machine& m, const Value& input, Args& args) {
  Bound b(m, "replace", {"old", "new", "count"}, 2, args);
  return replace_text(m, as_markup(m, to_str(m, input), false), to_str(m, b[0]), to_str(m, b[1]),
                      b.given(2) ? b.integer(2, -1) : -1);
}

Value center(Machine& m, const Value& input, Args& args) {
  Bound b(m, "center", {"width"}, 0, args);
  return center_text(m, to_str(m, input), b.integer(0, 80), m.text(" "));
}

Value indent(Machine& m, const Value& input, Args& args) {
  Bound b(m, "indent", {"width", "first", "blank"}, 0, args);
  m.require_defined(input);
  if (!input.is_string()) m.fail("can only indent a string, not a %s", type_name(input));
  TextBuilder spaces(m);
  if (!(b.has(0) && b[0].is_string())) spaces.repeat(" ", b.integer(0, 4));
  const Value margin = b.has(0) && b[0].is_string() ? b[0] : spaces.finish();
  const bool first = b.truth(1, false), blank = b.truth(2, false);
  TextBuilder whole(m), out(m);
  whole.add(input);
  whole.add("\n");
  if (first) out.add(margin);
  const Value text = whole.finish();
  size_t at = 0;  // the end of the line before
  const std::vector<Value> lines = split_lines(m, text, false);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.add("\n", text.as<Text>().has_content(at, at + 1));
    if (i > 0 && (blank || !lines[i].text().empty())) out.add(margin);
    out.add(lines[i]);
    at += lines[i].text().size();
    if (at < text.text().size()) {
      const bool pair = text.text()[at] == '\r' && at + 1 < text.text().size() && text.text()[at + 1] == '\n';
      size_t next = at;
      next_code_point(text.text(), next);
      at = next + pair;
    }
  }
  return out.finish(is_markup(input));
}

Value truncate(Machine& m, const Value& input, Args& args) {
  Bound b(m, "truncate", {"length", "killwords", "end", "leeway"}, 0, args);
  const Value end = b.value(2, m.text("..."));
  if (!end.is_string()) m.fail("truncate(): 'end' is a %s, expected a string", type_name(end));
  const int64_t limit = b.integer(0, 255), leeway = b.given(3) ? b.integer(3, 5) : 5;
  if (limit < end.as<Text>().length) m.fail("expected length >= %jd, got %jd", end.as<Text>().length, limit);
  if (leeway < 0) m.fail("expected leeway >= 0, got %jd", leeway);
  const int64_t length = jinja::length(m, input);
  if (length - std::min(leeway, length) <= limit) return input;
  if (!input.is_string()) m.fail("can only truncate a string, not a %s", type_name(input));
  const std::string_view s = input.text();
  size_t keep = character_offset(m, s, limit - end.as<Text>().length);
  if (!b.truth(1, false)) keep = std::min(keep, find_last_byte(m, s.substr(0, keep), ' '));
  TextBuilder out(m);
  out.add(input.as<Text>(), 0, keep);
  out.add(end);
  return out.finish();
}

Value string(Machine& m, const Value& input, Args& args) {
  Bound b(m, "string", {}, 0, args);
  return to_str(m, input);
}

Value format(Machine& m, const Value& input, Args& args) {
  if (!args.positional.empty() && !args.named.empty())
    m.fail("can't handle positional and keyword arguments at the same time");
  if (args.named.empty()) return percent_format(m, to_str(m, input), m.tuple(args.positional));
  std::vector<std::pair<Value, Value>> items;
  for (NamedArgument& a : args.named) items.emplace_back(a.name, a.value);
  return percent_format(m, to_str(m, input), m.dict(std::move(items)));
}

Value safe(Machine& m, const Value& input, Args& args) {
  Bound b(m, "safe", {}, 0, args);
  return as_markup(m, to_str(m, input));
}

Value escape(Machine& m, const Value& input, Args& args) {
  Bound b(m, "escape", {}, 0, args);
  return escaped(m, input);
}

Value force_escape(Machine& m, const Value& input, Args& args) {
  Bound b(m, "forceescape", {}, 0, args);
  return escaped(m, as_markup(m, to_str(m, input), false));
}

// The entities a chat text meets; others stay as written.
void append_unescaped(std::string& out, std::string_view s, size_t& i) {
  constexpr std::pair<std::string_view, std::string_view> kEntities[] = {
      {"&amp;", "&"},  {"&lt;", "<"},  {"&gt;", ">"},   {"&quot;", "\""},
      {"&#34;", "\""}, {"&#39;", "'"}, {"&apos;", "'"}, {"&nbsp;", "\u00a0"}};
  for (const auto& [entity, character] : kEntities)
    if (s.substr(i).starts_with(entity)) {
      out += character;
      i += entity.size();
      return;
    }
  out += s[i++];
}

// Tags and comments go, white space runs become one space, entities characters. Where one byte is the caller's, all of
// it counts as theirs.
Value strip_tags(Machine& m, const Value& input, Args& args) {
  Bound b(m, "striptags", {}, 0, args);
  const Value source = to_str(m, input);
  const std::string_view s = source.text();
  const Needle comment_end(m, "-->"), tag_end(m, ">"), tag_start(m, "<");
  TextBuilder kept(m);
  size_t at = 0;
  for (size_t start; (start = tag_start.find(s.substr(at))) != s.npos;) {
    start += at;
    const bool comment = s.compare(start, 4, "<!--") == 0;
    const size_t end = (comment ? comment_end : tag_end).find(s.substr(std::min(start + (comment ? 4 : 1), s.size())));
    if (end == s.npos) break;
    kept.add(s.substr(at, start - at));
    at = start + end + (comment ? 7 : 2);
    m.charge_bytes(8);
  }
  kept.add(s.substr(at));
  const Value text = strip_text(m, kept.finish(), nullptr, true, true);
  std::string words;
  bool space = false;
  for (size_t i = 0; i < text.text().size();) {
    m.charge_bytes(16);
    size_t next = i;
    const bool is_gap = is_space(next_code_point(text.text(), next));
    if (is_gap) {
      if (!space) words += ' ';
      i = next;
    } else if (text.text()[i] == '&') {
      append_unescaped(words, text.text(), i);
    } else {
      words.append(text.text(), i, next - i);
      i = next;
    }
    space = is_gap;
  }
  return m.text(std::move(words), false, is_content(source));
}

void quote_url(Machine& m, TextBuilder& out, const Value& text, bool query) {
  const Text& t = text.as<Text>();
  out.add_mapped(t, 0, t.text.size(), [&](std::string& piece, size_t from, size_t to) {
    for (; from < to && piece.size() < 4096; ++from) {
      m.charge_bytes(4);
      const char c = t.text[from];
      const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        std::string_view("_.-~").find(c) != std::string_view::npos;
      if (keep || (c == '/' && !query)) {
        piece += c;
      } else if (c == ' ' && query) {
        piece += '+';
      } else {
        constexpr char kHex[] = "0123456789ABCDEF";
        piece += {'%', kHex[uint8_t(c) >> 4], kHex[uint8_t(c) & 15]};
      }
    }
    return from;
  });
}

Value url_encode(Machine& m, const Value& input, Args& args) {
  Bound b(m, "urlencode", {}, 0, args);
  TextBuilder out(m);
  const bool iterable = !input.is_string() && !input.is_none() && !input.is_number() && !input.is(Kind::object);
  if (!iterable) {
    quote_url(m, out, to_str(m, input), false);
    return out.finish();
  }
  const auto add = [&](const Value& key, const Value& value) {
    m.charge(1);
    if (!out.empty()) out.add("&");
    quote_url(m, out, to_str(m, key), true);
    out.add("=");
    quote_url(m, out, to_str(m, value), true);
  };
  if (input.is(Kind::dict)) {
    for (size_t i = 0; i < input.as<Dict>().size(); ++i) add(input.as<Dict>().key(i), input.as<Dict>().value(i));
    return out.finish();
  }
  const auto it = m.iterate(input);
  for (Value pair; it->next(m, pair);) {
    const std::vector<Value> kv = m.collect(pair);
    if (kv.size() != 2) m.fail("urlencode expects pairs");
    add(kv[0], kv[1]);
  }
  return out.finish();
}

Value word_count(Machine& m, const Value& input, Args& args) {
  Bound b(m, "wordcount", {}, 0, args);
  const Value text = to_str(m, input);
  int64_t words = 0;
  bool inside = false;
  for (size_t i = 0; i < text.text().size();) {
    m.charge_bytes(16);
    const char32_t c = next_code_point(text.text(), i);
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
  style.item_separator = m.text(b.given(1) ? "," : ", ");
  style.key_separator = m.text(": ");
  if (b.given(1)) {
    style.indented = true;
    TextBuilder indent(m);
    if (!b[1].is_string()) indent.repeat(" ", b.integer(1, 0));
    style.indent = b[1].is_string() ? b[1] : indent.finish();
  }
  if (b.given(2)) {
    const std::vector<Value> pair = m.collect(b[2]);
    if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
      m.fail("tojson(): 'separators' must be two strings");
    style.item_separator = pair[0];
    style.key_separator = pair[1];
  }
  return as_markup(m, to_json(m, input, style), false);
}

Value not_supported(Machine& m, const Value&, Args&) { m.unsupported("this filter"); }

constexpr FilterEntry kFilters[] = {{"capitalize", mapped<map_capitalized>},
                                    {"center", center},
                                    {"e", escape},
                                    {"escape", escape},
                                    {"forceescape", force_escape},
                                    {"format", format},
                                    {"indent", indent},
                                    {"lower", mapped<map_lower>},
                                    {"replace", replace},
                                    {"safe", safe},
                                    {"string", string},
                                    {"striptags", strip_tags},
                                    {"title", title},
                                    {"tojson", to_json_filter},
                                    {"trim", trim},
                                    {"truncate", truncate},
                                    {"upper", mapped<map_upper>},
                                    {"urlencode", url_encode},
                                    {"wordcount", word_count},
                                    {"filesizeformat", not_supported},
                                    {"pprint", not_supported},
                                    {"random", not_supported},
                                    {"urlize", not_supported},
                                    {"wordwrap", not_supported},
                                    {"xmlattr", not_supported}};

}  // namespace
}  // namespace text_filters

Filter find_text_filter(std::string_view name) { return find_among(text_filters::kFilters, name); }

}  // namespace puna::jinja
