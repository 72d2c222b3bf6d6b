// machine.cpp -- paying, failing, scopes, iteration, and putting arguments into signatures.
#include "chat/jinja/machine.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "chat/jinja/ops.h"
#include "chat/jinja/unicode.h"

namespace puna::jinja {
namespace {

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
    out = m.text(s.substr(start, at - start), false,
                 source.as<Text>().has_content(start, at));  // of markup too: Python's str.__iter__
    return true;
  }
};

struct RangeIterator final : Iterator {
  Value source;
  int64_t at = 0;
  bool next(Machine&, Value& out) override {
    const Range& r = source.as<Range>();
    if (at >= r.count) return false;
    out = Value::integer(r.at(at++)).from_content(r.content);
    return true;
  }
};

struct DictIterator final : Iterator {
  Value dict;
  View::What what = View::What::keys;
  size_t at = 0;
  bool next(Machine& m, Value& out) override {
    const Dict& d = dict.as<Dict>();
    if (at >= d.size()) return false;
    const Value &key = d.key(at), &value = d.value(at);
    ++at;
    out = what == View::What::keys ? key : what == View::What::values ? value : m.tuple({key, value});
    return true;
  }
};

struct EmptyIterator final : Iterator {
  bool next(Machine&, Value&) override { return false; }
};

template <class T>
Ref<Iterator> over(Machine& m, Value T::*field, const Value& source) {
  m.charge(2);
  auto it = make_ref<T>();
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

void Machine::unsupported(const char* what) {
  throw Raised{Status::unsupported, std::string(what) + " is not supported"};
}

void Machine::raise(const Value& missing) {
  throw Raised{Status::invalid_argument, missing.object() ? missing.as<Missing>().message : "the value is undefined"};
}

void Machine::out_of_steps() {
  steps_ = 0;
  throw Raised{Status::bad_file, "the template needs more than " + std::to_string(limits_.steps) + " steps"};
}

void Machine::too_deep() {
  throw Raised{Status::bad_file, "the template nests deeper than " + std::to_string(limits_.depth)};
}

void Machine::check_depth(const Object& o) const {
  if (o.depth > limits_.depth)
    throw Raised{Status::bad_file, "values nest deeper than " + std::to_string(limits_.depth)};
}

void Machine::too_long() const {
  throw Raised{Status::bad_file, "a text of more than " + std::to_string(limits_.output_bytes) + " bytes"};
}

Value Machine::text(std::string s, bool markup, bool content) {
  check_size(int64_t(s.size()));
  if (s.size() > kPiece) {
    Marked marked{std::move(s), {}};
    if (content) marked.spans.push_back({0, marked.text.size()});
    return text(std::move(marked), markup);
  }
  charge_bytes(int64_t(s.size()));
  charge(1);
  return Value::of(Kind::string, make_ref<Text>(std::move(s), markup, content));
}

Value Machine::text(Marked s, bool markup) {
  check_size(int64_t(s.text.size()));
  charge(1);
  int64_t length = 0;
  for (size_t i = 0; i < s.text.size(); i += kPiece) {
    const std::string_view piece = std::string_view(s.text).substr(i, kPiece);
    charge_bytes(int64_t(piece.size()));
    length += count_code_points(piece);
  }
  return Value::of(Kind::string, make_ref<Text>(std::move(s), length, markup));
}

Value Machine::sequence(Kind kind, std::vector<Value> items) {
  charge(1 + int64_t(items.size()));
  auto s = make_ref<Sequence>();
  for (const Value& v : items) s->depth = std::max(s->depth, v.depth() + 1);
  check_depth(*s);
  s->items = std::move(items);
  return Value::of(kind, std::move(s));
}

Value Machine::register_cyclic(Ref<Object> object, void (*cut)(Object&)) {
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

Ref<Iterator> Machine::iterate(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
      if (strict_) raise(v);
      return make_ref<EmptyIterator>();
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
    case Kind::iterator: return Ref<Iterator>(&v.as<Iterator>());
    default: fail("'%s' object is not iterable", type_name(v));
  }
}

std::vector<Value> Machine::collect(const Value& v) {
  if (v.is_sequence()) {
    std::vector<Value> items;
    items.reserve(v.items().size());
    for (const Value& item : v.items()) {
      charge(1);
      items.push_back(item);
    }
    return items;
  }
  std::vector<Value> out;
  const auto it = iterate(v);
  for (Value item; it->next(*this, item);) {
    charge(1);
    out.push_back(std::move(item));
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

void Machine::print(std::string_view s, bool content) {
  charge(1);
  if (int64_t(output_.text.size() + s.size()) > limits_.output_bytes)
    throw Raised{Status::bad_file, "the output is longer than " + std::to_string(limits_.output_bytes) + " bytes"};
  for (size_t i = 0; i < s.size(); i += kPiece) {
    const std::string_view piece = s.substr(i, kPiece);
    charge_bytes(int64_t(piece.size()));
    output_.add(piece, content);
  }
}

bool Machine::condition(const Value& v) {
  if (strict_) require_defined(v);
  return truth(v);
}

void Machine::print(const Value& v) {
  if (strict_) require_defined(v);
  const Value printed = to_str(*this, v);
  const Text& text = printed.as<Text>();
  text.each_stretch(0, text.text.size(), [&](size_t from, size_t to, bool content) {
    print(std::string_view(text.text).substr(from, to - from), content);
  });
}

// ---- Bound

Bound::Bound(Machine& m, const char* function, std::initializer_list<const char*> names, size_t required, Args& args)
    : m_(m), function_(function), names_(names), slots_(names.size()) {
  if (args.positional.size() > names_.size())
    m.fail("%s() takes at most %zu arguments (%zu given)", function, names_.size(), args.positional.size());
  for (size_t i = 0; i < args.positional.size(); ++i) slots_[i] = args.positional[i];
  for (const NamedArgument& argument : args.named) {
    const auto at = std::find(names_.begin(), names_.end(), argument.text());
    if (at == names_.end())
      m.fail("%s() got an unexpected keyword argument '%.64s'", function, argument.text().c_str());
    std::optional<Value>& slot = slots_[size_t(at - names_.begin())];
    if (slot) m.fail("%s() got multiple values for argument '%s'", function, *at);
    slot = argument.value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!slots_[i]) m.fail("%s() missing required argument '%s'", function, names_[i]);
}

int64_t Bound::integer(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  m_.require_defined(*slots_[i]);
  if (!slots_[i]->is_integral())
    m_.fail("%s(): '%s' is a %s, expected an integer", function_, names_[i], type_name(*slots_[i]));
  return slots_[i]->as_integer();
}

bool Bound::truth(size_t i, bool otherwise) const { return has(i) ? jinja::truth(*slots_[i]) : otherwise; }

const std::string& Bound::string(size_t i) const {
  m_.require_defined(*slots_[i]);
  if (!slots_[i]->is_string())
    m_.fail("%s(): '%s' is a %s, expected a string", function_, names_[i], type_name(*slots_[i]));
  return slots_[i]->text();
}

}  // namespace puna::jinja
