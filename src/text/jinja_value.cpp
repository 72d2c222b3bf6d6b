// jinja_value.cpp -- dicts and their keys, and what Python calls each kind of value.
#include "text/jinja_value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "text/jinja_machine.h"
#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
namespace {
constexpr size_t kSmallDict = 8;
}

const std::string& Value::text() const { return as<Text>().text; }
const std::vector<Value>& Value::items() const { return as<Sequence>().items; }

Text::Text(std::string t, bool m) : text(std::move(t)), length(count_code_points(text)), markup(m) {}

Value Opaque::call(Machine& m, Args&) { m.fail("'%s' object is not callable", type_name()); }
std::string Opaque::repr(Machine& m) const { m.fail("a %s has no printable form", type_name()); }

bool is_markup(const Value& v) { return v.is_string() && v.as<Text>().markup; }

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

bool is_hashable(const Value& v) {
  if (v.is(Kind::tuple)) return std::all_of(v.items().begin(), v.items().end(), is_hashable);
  return !v.is(Kind::list) && !v.is(Kind::dict) && !v.is(Kind::view);
}

std::string canonical_key(const Value& v) {
  switch (v.kind()) {
    case Kind::string: return "s" + v.text();
    case Kind::boolean:
    case Kind::integer: return "i" + std::to_string(v.as_integer());
    case Kind::real: {
      const double d = v.as_real();
      if (d == std::floor(d) && std::fabs(d) < 9.2e18) return "i" + std::to_string(int64_t(d));
      std::string key = "r        ";
      std::memcpy(key.data() + 1, &d, sizeof d);
      return key;
    }
    case Kind::tuple: {
      std::string key = "t";
      for (const Value& item : v.items()) {
        const std::string part = canonical_key(item);
        key += std::to_string(part.size()) + ":" + part;
      }
      return key;
    }
    case Kind::range: {
      const Range& r = v.as<Range>();
      return "R" + std::to_string(r.count ? r.start : 0) + "," + std::to_string(r.count > 1 ? r.step : 0) + "," + std::to_string(r.count);
    }
    case Kind::undefined: return "u";
    case Kind::none: return "n";
    default: return "o" + std::to_string(reinterpret_cast<uintptr_t>(v.object().get()));
  }
}

Dict::Dict(std::vector<Item> items) {
  std::map<std::string, size_t> seen;
  for (Item& item : items) {
    depth = std::max({depth, item.first.depth() + 1, item.second.depth() + 1});
    const auto [at, is_new] = seen.emplace(canonical_key(item.first), items_.size());
    if (is_new) {
      items_.push_back(std::move(item));
    } else {
      items_[at->second].second = std::move(item.second);
    }
  }
  if (items_.size() > kSmallDict)
    for (auto& [key, at] : seen) index_.emplace_back(key, uint32_t(at));
}

const Value* Dict::find_canonical(const std::string& key) const {
  const auto at = std::lower_bound(index_.begin(), index_.end(), key, [](const auto& e, const std::string& k) { return e.first < k; });
  return at != index_.end() && at->first == key ? &items_[at->second].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (!index_.empty()) return find_canonical("s" + std::string(key));
  for (const Item& item : items_)
    if (item.first.is_string() && item.first.text() == key) return &item.second;
  return nullptr;
}

const Value* Dict::find(const Value& key) const {
  if (key.is_string()) return find(key.text());
  const std::string canonical = canonical_key(key);
  if (!index_.empty()) return find_canonical(canonical);
  for (const Item& item : items_)
    if (canonical_key(item.first) == canonical) return &item.second;
  return nullptr;
}

}  // namespace puna::jinja
