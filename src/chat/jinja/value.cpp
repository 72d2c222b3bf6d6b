// value.cpp -- texts and their content, dicts and their keys, and what Python calls each kind of value.
#include "chat/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>

#include "chat/jinja/machine.h"
#include "chat/jinja/ops.h"
#include "chat/jinja/search.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
const std::string& Value::text() const { return as<Text>().text; }
const std::vector<Value>& Value::items() const { return as<Sequence>().items; }

// ---- texts

void Marked::add(std::string_view s, bool content) {
  const size_t begin = text.size();
  text += s;
  if (!content || s.empty()) return;
  if (!spans.empty() && spans.back().end == begin) {
    spans.back().end = text.size();
  } else {
    spans.push_back({begin, text.size()});
  }
}

Text::Text(std::string t, bool is_markup, bool is_content)
    : text(std::move(t)), length(count_code_points(text)), all(is_content && !text.empty()), markup(is_markup) {}

Text::Text(Marked t, int64_t code_points, bool is_markup)
    : text(std::move(t.text)), length(code_points), markup(is_markup) {
  all = t.spans.size() == 1 && t.spans[0].begin == 0 && t.spans[0].end == text.size();
  if (!all && !t.spans.empty()) some = std::make_unique<std::vector<TextSpan>>(std::move(t.spans));
}

size_t Text::first_span(size_t at) const {
  const auto first =
      std::upper_bound(some->begin(), some->end(), at, [](size_t byte, const TextSpan& s) { return byte < s.end; });
  return size_t(first - some->begin());
}

bool Text::has_content(size_t begin, size_t end) const {
  if (begin >= end || !some) return all && begin < end;
  const size_t i = first_span(begin);
  return i < some->size() && (*some)[i].begin < end;
}

bool ContentAt::operator()(size_t byte) {
  if (!text_.some) return text_.all;
  const std::vector<TextSpan>& spans = *text_.some;
  while (span_ > 0 && spans[span_ - 1].end > byte) --span_;
  while (span_ < spans.size() && spans[span_].end <= byte) ++span_;
  return span_ < spans.size() && spans[span_].begin <= byte;
}

bool is_content(const Value& v) { return v.is_string() ? v.as<Text>().has_content() : v.is_content() || big_digits(v); }

bool is_markup(const Value& v) { return v.is_string() && v.as<Text>().markup; }

// ---- objects

Value Opaque::call(Machine& m, Args&) { m.fail("'%s' object is not callable", type_name()); }
Value Opaque::repr(Machine& m) { m.fail("a %s has no printable form", type_name()); }

const char* type_name(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined: return "Undefined";
    case Kind::none: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::real: return "float";
    case Kind::string: return "str";
    case Kind::list: return "list";
    case Kind::tuple: return "tuple";
    case Kind::dict: return "dict";
    case Kind::range: return "range";
    case Kind::view: return "dict view";
    case Kind::iterator: return "generator";
    case Kind::object: return v.as<Opaque>().type_name();
  }
  return "object";
}

int deepest(std::span<const Value> values) {
  int depth = 0;
  for (const Value& v : values) depth = std::max(depth, v.depth());
  return depth;
}

int deepest(const Args& args) {
  int depth = deepest(args.positional);
  for (const NamedArgument& a : args.named) depth = std::max(depth, a.value.depth());
  return depth;
}

// ---- dicts

namespace {

std::string number_key(const Value& v) {
  const double d = v.as_real();
  if (v.is_integral()) return "i" + std::to_string(v.as_integer());
  if (d == std::floor(d) && std::fabs(d) < 9.2e18) return "i" + std::to_string(int64_t(d));
  std::string key = "r        ";
  std::memcpy(key.data() + 1, &d, sizeof d);
  return key;
}

std::string range_key(const Range& r) {
  return "R" + std::to_string(r.count ? r.start : 0) + "," + std::to_string(r.count > 1 ? r.step : 0) + "," +
         std::to_string(r.count);
}

}  // namespace

std::optional<std::string> Machine::hash(const Value& v) {
  charge(1);
  switch (v.kind()) {
    case Kind::string: {
      std::string key = "s";
      append(key, v.text());
      return key;
    }
    case Kind::boolean:
    case Kind::integer:
    case Kind::real: return number_key(v);
    case Kind::range: return range_key(v.as<Range>());
    case Kind::undefined: return "u";
    case Kind::none: return "n";
    case Kind::list:
    case Kind::dict:
    case Kind::view: return std::nullopt;
    case Kind::tuple: break;
    default:
      if (const std::string* digits = big_digits(v)) return "i" + *digits;
      return "o" + std::to_string(reinterpret_cast<uintptr_t>(v.object()));
  }
  std::string out = "t";  // a tuple may hold itself many times over: every part is paid for
  for (const Value& item : v.items()) {
    const std::optional<std::string> part = hash(item);
    if (!part) return std::nullopt;
    out += std::to_string(part->size()) + ":";
    append(out, *part);
  }
  return out;
}

std::string Machine::key(const Value& v) {
  std::optional<std::string> out = hash(v);
  if (!out) fail("unhashable type: '%s'", type_name(v));
  return std::move(*out);
}

size_t Keys::find_text(Machine& m, std::string_view key) const {
  if (!canonical_.empty()) return find(m, "s" + std::string(key));
  m.charge(1);
  if (order_.empty()) {
    for (size_t i = 0; i < values.size(); ++i)
      if (equal_bytes(m, values[i].text(), key)) return i;
    return npos;
  }
  const auto at = std::lower_bound(order_.begin(), order_.end(), key, [&](uint32_t i, std::string_view k) {
    return compare_bytes(m, values[i].text(), k) < 0;
  });
  return at != order_.end() && equal_bytes(m, values[*at].text(), key) ? *at : npos;
}

size_t Keys::find(Machine& m, std::string_view key) const {
  if (canonical_.empty()) return key.starts_with('s') ? find_text(m, key.substr(1)) : npos;
  const auto at = std::lower_bound(order_.begin(), order_.end(), key, [&](uint32_t i, std::string_view k) {
    return compare_bytes(m, canonical_[i], k) < 0;
  });
  return at != order_.end() && equal_bytes(m, canonical_[*at], key) ? *at : npos;
}

Ref<Dict> Dict::make(Ref<const Keys> keys, std::span<Value> values) {
  return Ref<Dict>(new (TrailingValues{values.size()}) Dict(std::move(keys), values));
}

Dict::Dict(Ref<const Keys> keys, std::span<Value> values) : keys_(std::move(keys)) {
  depth = 1;
  for (size_t i = 0; i < values.size(); ++i) {
    new (this->values() + i) Value(std::move(values[i]));
    depth = std::max({depth, key(i).depth() + 1, value(i).depth() + 1});
  }
}

Dict::~Dict() { std::destroy_n(values(), size()); }

// The last value of equal keys wins, at the first one's place.
Value Machine::dict(std::vector<std::pair<Value, Value>> items) {
  charge(2 + int64_t(items.size()));
  std::vector<std::string> canonical;
  canonical.reserve(items.size());
  bool texts = true;
  for (const auto& [k, value] : items) {
    canonical.push_back(key(k));
    texts = texts && k.is_string();
  }
  std::vector<uint32_t> order(items.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = uint32_t(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return compare_bytes(*this, canonical[a], canonical[b]) < 0; });
  std::vector<bool> again(items.size());  // equal to one before it
  for (size_t k = 1, first = 0; k < order.size(); ++k) {
    if (!equal_bytes(*this, canonical[order[k]], canonical[order[first]])) {
      first = k;
      continue;
    }
    again[order[k]] = true;
    items[order[first]].second = items[order[k]].second;
  }
  std::vector<uint32_t> place(items.size());
  std::vector<Value> keys;
  std::vector<std::string> names;
  size_t n = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    if (again[i]) continue;
    place[i] = uint32_t(n++);
    keys.push_back(std::move(items[i].first));
    if (!texts) names.push_back(std::move(canonical[i]));
  }
  std::vector<Value> values(n);
  std::vector<uint32_t> sorted;
  for (uint32_t i : order) {
    if (again[i]) continue;
    values[place[i]] = std::move(items[i].second);
    if (!texts || n > kFewKeys) sorted.push_back(place[i]);
  }
  Ref<Object> d = Dict::make(make_ref<const Keys>(std::move(keys), std::move(names), std::move(sorted)), values);
  check_depth(*d);
  return Value::of(Kind::dict, std::move(d));
}

}  // namespace puna::jinja
