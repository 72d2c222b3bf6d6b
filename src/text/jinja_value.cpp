// jinja_value.cpp -- dicts and their keys, and what Python calls each kind of value.
#include "text/jinja_value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "text/jinja_machine.h"
#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
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
  return "R" + std::to_string(r.count ? r.start : 0) + "," + std::to_string(r.count > 1 ? r.step : 0) + "," + std::to_string(r.count);
}

}  // namespace

std::optional<std::string> Machine::hash(const Value& v) {
  charge(1);
  switch (v.kind()) {
    case Kind::string: charge_text(int64_t(v.text().size())); return Dict::text_key(v.text());
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
    default: return "o" + std::to_string(reinterpret_cast<uintptr_t>(v.object().get()));
  }
  std::string out = "t";  // a tuple may hold itself many times over: every part is paid for
  for (const Value& item : v.items()) {
    const std::optional<std::string> part = hash(item);
    if (!part) return std::nullopt;
    charge_text(int64_t(out.size() + part->size()));
    out += std::to_string(part->size()) + ":" + *part;
  }
  return out;
}

std::string Machine::key(const Value& v) {
  std::optional<std::string> out = hash(v);
  if (!out) fail("unhashable type: '%s'", type_name(v));
  return std::move(*out);
}

Dict::Dict(std::vector<Item> items, std::vector<std::string> keys) {
  std::map<std::string, uint32_t> seen;
  for (size_t i = 0; i < items.size(); ++i) {
    depth = std::max({depth, items[i].first.depth() + 1, items[i].second.depth() + 1});
    const auto [at, is_new] = seen.emplace(std::move(keys[i]), uint32_t(items_.size()));
    if (is_new) {
      items_.push_back(std::move(items[i]));
    } else {
      items_[at->second].second = std::move(items[i].second);
    }
  }
  index_.assign(seen.begin(), seen.end());
}

const Value* Dict::find(const std::string& canonical) const {
  const auto at =
      std::lower_bound(index_.begin(), index_.end(), canonical, [](const auto& e, const std::string& k) { return e.first < k; });
  return at != index_.end() && at->first == canonical ? &items_[at->second].second : nullptr;
}

}  // namespace puna::jinja
