// access.cpp -- v.name, v[key] and v[a:b:c] as Jinja's immutable sandbox resolves them: the dot prefers the
// attribute, the bracket the item, each falls back to the other, and a miss is an undefined value that remembers what
// was missing. Attributes a sandbox hides (mutators, names with two underscores) are undefined: only using them fails.
#include <algorithm>
#include <charconv>

#include "base/shown.h"
#include "chat/jinja/builder.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/text.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace {

bool is_mutator(const Value& v, std::string_view name) {
  constexpr std::string_view kList[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"};
  constexpr std::string_view kDict[] = {"clear", "pop", "popitem", "setdefault", "update"};
  if (v.is(Kind::list)) return std::find(std::begin(kList), std::end(kList), name) != std::end(kList);
  return v.is(Kind::dict) && std::find(std::begin(kDict), std::end(kDict), name) != std::end(kDict);
}

bool get_python_item(Machine& m, const Value& v, const Value& key, Value& out) {
  m.charge(1);
  if (v.is(Kind::dict)) {
    const std::optional<std::string> canonical = m.hash(key);
    const Value* found = canonical ? v.as<Dict>().find(m, *canonical) : nullptr;
    if (found) out = *found;
    return found != nullptr;
  }
  if (!key.is_integral()) return false;
  const bool indexable = v.is_sequence() || v.is_string() || v.is(Kind::range);
  if (!indexable) return false;
  const int64_t n = length(m, v);
  const int64_t i = key.as_integer() + (key.as_integer() < 0 ? n : 0);
  if (i < 0 || i >= n) return false;
  if (v.is_sequence()) {
    out = v.items()[size_t(i)];
  } else if (v.is_string()) {
    const size_t from = v.as<Text>().ascii() ? size_t(i) : character_offset(m, v.text(), i);
    size_t to = from;
    next_code_point(v.text(), to);
    out = part_of(m, v, from, to);
  } else {
    out = Value::integer(v.as<Range>().at(i)).from_content(v.as<Range>().content);
  }
  return true;
}

Value miss(Machine& m, const Value& v, const Value& key) {
  if (key.is_string())
    return m.missing("'" + std::string(type_name(v)) + " object' has no attribute '" + shown(key.text()) + "'");
  return m.missing(std::string(type_name(v)) + " object has no element " + shown(to_repr(m, key).text()));
}

// Python's slice.indices(): where a slice of `n` items starts and how many items it takes.
struct Cut {
  int64_t start, step, count;
};

Cut cut(Machine& m, int64_t n, const Value& start, const Value& stop, const Value& step) {
  const auto number = [&](const Value& v, int64_t otherwise) {
    m.require_defined(v);
    if (v.is_none()) return otherwise;
    if (!v.is_integral()) m.fail("slice indices must be integers or None or have an __index__ method");
    return v.as_integer();
  };
  const int64_t s = std::max(number(step, 1), -INT64_MAX);
  if (s == 0) m.fail("slice step cannot be zero");
  const int64_t low = s < 0 ? -1 : 0, high = s < 0 ? n - 1 : n;
  const auto place = [&](const Value& v, int64_t otherwise) {
    const int64_t i = number(v, otherwise);
    return v.is_none() ? i : std::clamp(i < 0 ? i + n : i, low, high);
  };
  const int64_t from = place(start, s < 0 ? high : low), to = place(stop, s < 0 ? low : high);
  const int64_t span = s < 0 ? from - to : to - from, size = s < 0 ? -s : s;
  return {from, s, span <= 0 ? 0 : (span - 1) / size + 1};
}

Value slice_text(Machine& m, const Value& v, const Cut& c) {
  const Text& t = v.as<Text>();
  const auto offset = [&](int64_t i) {
    return t.ascii() ? size_t(i) : i >= t.length ? t.text.size() : character_offset(m, t.text, i);
  };
  if (c.count == 0) return m.text("", t.markup);
  size_t at = offset(c.start);
  if (c.step == 1)
    return part_of(
        m, v, at,
        t.ascii() ? at + size_t(c.count) : at + character_offset(m, std::string_view(t.text).substr(at), c.count));
  TextBuilder out(m);
  for (int64_t i = 0; i < c.count; ++i) {
    for (int64_t skip = i > 0 && !t.ascii() ? c.step : 0; skip != 0;
         skip -= skip < 0 ? -1 : 1) {  // from the character before to this one
      m.charge_bytes(8);
      if (skip > 0) next_code_point(t.text, at);
      if (skip < 0) previous_code_point(t.text, at);
    }
    if (t.ascii()) at = size_t(c.start + i * c.step);
    size_t end = at;
    next_code_point(t.text, end);
    m.charge_bytes(16);
    out.add(t, at, end);
  }
  return out.finish(t.markup);
}

}  // namespace

bool find_attribute(Machine& m, const Value& v, std::string_view name, Value& out) {
  if (name.starts_with("__") || is_mutator(v, name)) {
    out = m.missing("access to attribute '" + shown(name) + "' of '" + type_name(v) + "' object is unsafe.");
    return true;
  }
  if (v.is(Kind::object)) return v.as<Opaque>().attribute(m, name, out);
  if (v.is(Kind::tuple) && v.as<Sequence>().is_group && (name == "grouper" || name == "list")) {
    out = v.items()[name == "list"];
    return true;
  }
  if (v.is(Kind::range) && (name == "start" || name == "stop" || name == "step")) {
    const Range& r = v.as<Range>();
    out = Value::integer(name == "start" ? r.start : name == "stop" ? r.stop : r.step).from_content(r.content);
    return true;
  }
  return get_method(m, v, name, out);
}

Value get_attribute(Machine& m, const Value& v, std::string_view name) {
  Value out;
  if (name != "__class__") m.require_defined(v);  // which even an undefined value has, and the sandbox hides
  m.charge(1);
  if (find_attribute(m, v, name, out)) return out;
  if (v.is(Kind::dict)) {
    const Value* found = v.as<Dict>().find_text(m, name);
    if (found) return *found;
  }
  return miss(m, v, m.text(std::string(name)));
}

Value get_item(Machine& m, const Value& v, const Value& key) {
  Value out;
  m.require_defined(v);
  if (get_python_item(m, v, key, out)) return out;
  if (key.is_string() && find_attribute(m, v, key.text(), out)) return out;
  return miss(m, v, key);
}

Value get_slice(Machine& m, const Value& v, const Value& start, const Value& stop, const Value& step) {
  m.require_defined(v);
  const bool sliceable = v.is_sequence() || v.is_string() || v.is(Kind::range);
  if (!sliceable) m.fail("'%s' object is not subscriptable by a slice", type_name(v));
  const Cut c = cut(m, length(m, v), start, stop, step);
  if (v.is_string()) return slice_text(m, v, c);
  if (v.is(Kind::range)) {
    auto r = make_ref<Range>();
    r->content = v.as<Range>().content || start.is_content() || step.is_content();
    const Range& of = v.as<Range>();
    r->start = of.at(c.start);
    r->step = int64_t(uint64_t(of.step) * uint64_t(c.step));
    r->count = c.count;
    r->stop = r->at(c.count);
    return Value::of(Kind::range, std::move(r));
  }
  std::vector<Value> items;
  items.reserve(size_t(c.count));
  for (int64_t i = 0; i < c.count; ++i) {
    m.charge(1);
    items.push_back(v.items()[size_t(c.start + i * c.step)]);
  }
  return v.is(Kind::list) ? m.list(std::move(items)) : m.tuple(std::move(items));
}

std::vector<Value> attribute_parts(Machine& m, const Value& attribute) {
  if (attribute.is_none()) return {};
  if (!attribute.is_string()) return {attribute};
  std::vector<Value> parts;
  std::string_view rest = attribute.text();
  while (true) {
    size_t dot = 0;
    for (; dot < rest.size() && rest[dot] != '.'; ++dot) m.charge_bytes(2);
    const std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = !part.empty() && part[0] != '-' && error == std::errc() && end == part.data() + part.size();
    parts.push_back(is_index ? Value::integer(index) : m.text(std::string(part)));
    if (part.size() == rest.size()) return parts;
    rest.remove_prefix(part.size() + 1);
  }
}

Value get_path(Machine& m, Value v, const std::vector<Value>& parts, const Value* fallback) {
  for (const Value& part : parts) {
    v = get_item(m, v, part);
    if (fallback && v.is_undefined()) v = *fallback;
  }
  return v;
}

}  // namespace puna::jinja
