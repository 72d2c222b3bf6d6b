// jinja_machine.cpp -- paying, failing, scopes, iteration, and putting arguments into signatures.
#include "text/jinja_machine.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "text/jinja_ops.h"
#include "text/jinja_unicode.h"

namespace puna::jinja {
namespace {

constexpr int64_t kBytesPerStep = 32;

struct SequenceIterator final : Iterator {
  Value source;
  size_t at = 0;
  bool next(Machine&, Value& out) override {
    if (at >= source.items().size()) return false;
    out = source.items()[at++];
    return true;
  }
};

struct TextIterator final : Iterator {
  Value source;
  size_t at = 0;
  bool next(Machine& m, Value& out) override {
    const std::string& s = source.text();
    if (at >= s.size()) return false;
    const size_t start = at;
    next_code_point(s, at);
    out = m.text(s.substr(start, at - start));  // of markup too: Python's str.__iter__
    return true;
  }
};

struct RangeIterator final : Iterator {
  Value source;
  int64_t at = 0;
  bool next(Machine&, Value& out) override {
    const Range& r = source.as<Range>();
    if (at >= r.count) return false;
    out = Value::integer(r.at(at++));
    return true;
  }
};

struct DictIterator final : Iterator {
  Value dict;
  View::What what = View::What::keys;
  size_t at = 0;
  bool next(Machine& m, Value& out) override {
    const auto& items = dict.as<Dict>().items();
    if (at >= items.size()) return false;
    const auto& [key, value] = items[at++];
    out = what == View::What::keys ? key : what == View::What::values ? value : m.tuple({key, value});
    return true;
  }
};

struct EmptyIterator final : Iterator {
  bool next(Machine&, Value&) override { return false; }
};

template <class T>
std::shared_ptr<Iterator> over(Machine& m, Value T::*field, const Value& source) {
  m.charge(2);
  auto it = std::make_shared<T>();
  it.get()->*field = source;
  it->depth = source.depth() + 1;
  return it;
}

}  // namespace

Machine::~Machine() {
  scope.reset();
  for (const ScopePtr& s : captured_) s->variables.clear();
  for (auto& [object, cut] : cyclic_) cut(*object);
}

void Machine::fail(const char* format, ...) {
  char buffer[400];
  va_list args;
  va_start(args, format);
  std::vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  throw Raised{Status::invalid_argument, buffer};
}

void Machine::unsupported(const char* what) { throw Raised{Status::unsupported, std::string(what) + " is not supported"}; }

void Machine::raise(const Value& missing) {
  throw Raised{Status::invalid_argument, missing.object() ? missing.as<Missing>().message : "the value is undefined"};
}

void Machine::out_of_steps() {
  steps_ = 0;
  throw Raised{Status::bad_file, "the template needs more than " + std::to_string(limits_.steps) + " steps"};
}

void Machine::too_deep() { throw Raised{Status::bad_file, "the template nests deeper than " + std::to_string(limits_.depth)}; }

void Machine::check_depth(const Object& o) const {
  if (o.depth > limits_.depth) throw Raised{Status::bad_file, "values nest deeper than " + std::to_string(limits_.depth)};
}

void Machine::too_long() const { throw Raised{Status::bad_file, "a text of more than " + std::to_string(limits_.output_bytes) + " bytes"}; }

void Machine::charge_text(int64_t bytes) {
  if (bytes < 0 || bytes > limits_.output_bytes) too_long();
  charge(1 + bytes / kBytesPerStep);
}

Value Machine::text(std::string s, bool markup) {
  charge_text(int64_t(s.size()));
  return Value::of(Kind::string, std::make_shared<Text>(std::move(s), markup));
}

Value Machine::sequence(Kind kind, std::vector<Value> items) {
  charge(1 + int64_t(items.size()));
  auto s = std::make_shared<Sequence>();
  for (const Value& v : items) s->depth = std::max(s->depth, v.depth() + 1);
  check_depth(*s);
  s->items = std::move(items);
  return Value::of(kind, std::move(s));
}

Value Machine::dict(std::vector<Dict::Item> items) {
  std::vector<std::string> keys;
  for (const auto& [k, value] : items) {
    charge(2);
    keys.push_back(key(k));
  }
  auto d = std::make_shared<Dict>(std::move(items), std::move(keys));
  check_depth(*d);
  return Value::of(Kind::dict, std::move(d));
}

Value Machine::register_cyclic(std::shared_ptr<Object> object, void (*cut)(Object&)) {
  charge(8);
  cyclic_.emplace_back(object, cut);
  return Value::of(Kind::object, std::move(object));
}

void Machine::open_scope(ScopePtr parent, const std::vector<int>& hidden) {
  charge(1 + int64_t(hidden.size()));
  if (!scope || scope.use_count() > 1) scope = std::make_shared<Scope>();  // else the last round's, which nobody kept
  scope->variables.clear();
  scope->parent = std::move(parent);
  for (int name : hidden) scope->variables.emplace_back(name, Value());
}

void Machine::capture_scope(const ScopePtr& s) {
  charge(8);
  if (captured_.empty() || captured_.back() != s) captured_.push_back(s);
}

std::shared_ptr<Iterator> Machine::iterate(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined: return std::make_shared<EmptyIterator>();
    case Kind::list:
    case Kind::tuple: return over(*this, &SequenceIterator::source, v);
    case Kind::string: return over(*this, &TextIterator::source, v);
    case Kind::range: return over(*this, &RangeIterator::source, v);
    case Kind::dict: return over(*this, &DictIterator::dict, v);
    case Kind::view: {
      auto it = over(*this, &DictIterator::dict, v.as<View>().dict);
      static_cast<DictIterator&>(*it).what = v.as<View>().what;
      return it;
    }
    case Kind::iterator: return std::static_pointer_cast<Iterator>(v.object());
    default: fail("'%s' object is not iterable", type_name(v));
  }
}

std::vector<Value> Machine::collect(const Value& v) {
  if (v.is_sequence()) {
    charge(int64_t(v.items().size()));
    return v.items();
  }
  std::vector<Value> out;
  const auto it = iterate(v);
  for (Value item; it->next(*this, item);) {
    charge(1);
    out.push_back(item);
  }
  return out;
}

Value Machine::call(const Value& callee, Args& args) {
  require_defined(callee);
  if (!callee.is(Kind::object)) fail("'%s' object is not callable", type_name(callee));
  Nested nested(*this);
  charge(2 + int64_t(args.positional.size() + args.named.size()));
  return callee.as<Opaque>().call(*this, args);
}

const Value* Machine::lookup(int name) {
  for (const Scope* s = scope.get(); s; s = s->parent.get()) {
    charge(int64_t(s->variables.size()) / 16);
    for (const auto& [id, value] : s->variables)
      if (id == name) return &value;
  }
  const Value& v = context[size_t(name)];
  return v.is_undefined() ? nullptr : &v;
}

void Machine::set(int name, Value value) {
  charge(1 + int64_t(scope->variables.size()) / 16);
  for (auto& [id, old] : scope->variables)
    if (id == name) {
      old = std::move(value);
      return;
    }
  scope->variables.emplace_back(name, std::move(value));
}

void Machine::print(std::string_view s) {
  charge(1 + int64_t(s.size()) / kBytesPerStep);
  if (int64_t(output_.size() + s.size()) > limits_.output_bytes)
    throw Raised{Status::bad_file, "the output is longer than " + std::to_string(limits_.output_bytes) + " bytes"};
  output_ += s;
}

void Machine::print(const Value& v) {
  if (v.is_string()) return print(std::string_view(v.text()));
  print(std::string_view(to_str(*this, v)));
}

// ---- Bound

Bound::Bound(Machine& m, const char* function, std::initializer_list<const char*> names, size_t required, Args& args)
    : m_(m), function_(function), names_(names), slots_(names.size()) {
  if (args.positional.size() > names_.size())
    m.fail("%s() takes at most %zu arguments (%zu given)", function, names_.size(), args.positional.size());
  for (size_t i = 0; i < args.positional.size(); ++i) slots_[i] = args.positional[i];
  for (auto& [name, value] : args.named) {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) m.fail("%s() got an unexpected keyword argument '%.64s'", function, name.c_str());
    std::optional<Value>& slot = slots_[size_t(at - names_.begin())];
    if (slot) m.fail("%s() got multiple values for argument '%s'", function, *at);
    slot = value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!slots_[i]) m.fail("%s() missing required argument '%s'", function, names_[i]);
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  m_.require_defined(*slots_[i]);
  if (!slots_[i]->is_integral()) m_.fail("%s(): '%s' is a %s, expected an integer", function_, names_[i], type_name(*slots_[i]));
  return slots_[i]->as_integer();
}

bool Bound::truth(size_t i, bool otherwise) const { return has(i) ? jinja::truth(*slots_[i]) : otherwise; }

const std::string& Bound::string(size_t i) const {
  m_.require_defined(*slots_[i]);
  if (!slots_[i]->is_string()) m_.fail("%s(): '%s' is a %s, expected a string", function_, names_[i], type_name(*slots_[i]));
  return slots_[i]->text();
}

}  // namespace puna::jinja
