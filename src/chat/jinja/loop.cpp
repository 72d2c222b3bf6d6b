// loop.cpp -- {% for %}: the `loop` object, inline filtering, else, recursion. Items are drawn one at a time and
// the inline `if` sees what earlier rounds did; only loop.last, nextitem and length look ahead, as in Jinja.
#include <algorithm>
#include <iterator>

#include "chat/jinja/ast.h"

namespace puna::jinja {
namespace {

struct Loop final : Opaque {
  const For* code = nullptr;
  ScopePtr outer;  // where a recursive call assigns from
  Value iterable;
  Ref<Iterator> iterator;
  std::optional<Value> ahead, current, previous;
  std::optional<std::vector<Value>> last_changed;
  std::optional<int64_t> known_length;
  int64_t index0 = -1;
  int depth0 = 0;

  const char* type_name() const override { return "LoopContext"; }
  bool callable() const override { return true; }

  bool advance(Machine& m) {
    Value v;
    if (ahead) {
      v = std::move(*ahead);
      ahead.reset();
    } else if (!iterator || !iterator->next(m, v)) {
      return false;
    }
    ++index0;
    previous = std::move(current);
    current = std::move(v);
    return true;
  }

  const Value* peek(Machine& m) {
    Value v;
    if (!ahead && iterator && iterator->next(m, v)) ahead = std::move(v);
    return ahead ? &*ahead : nullptr;
  }

  int64_t length(Machine& m) {
    if (known_length) return *known_length;
    if (has_length(iterable)) {
      known_length = jinja::length(m, iterable);
    } else {
      std::vector<Value> rest;
      if (iterator) rest = m.collect(Value::of(Kind::iterator, iterator));
      known_length = int64_t(rest.size()) + index0 + 1 + (ahead ? 1 : 0);
      iterator = m.iterate(m.list(std::move(rest)));
    }
    return *known_length;
  }

  // The loop is over: whatever still holds this object must not hold what it walked over.
  void close() {
    iterable = Value();
    iterator.reset();
    ahead.reset();
    previous.reset();
    last_changed.reset();
    current.reset();
    outer.reset();
    code = nullptr;
  }

  Value cycle(Machine& m, Args& args) {
    if (args.positional.empty()) m.fail("no items for cycling given");
    return args.positional[size_t(std::max<int64_t>(index0, 0)) % args.positional.size()];
  }

  Value changed(Machine& m, Args& args) {
    const bool same = last_changed && last_changed->size() == args.positional.size() &&
                      std::equal(args.positional.begin(), args.positional.end(), last_changed->begin(),
                                 [&](const Value& a, const Value& b) { return equal(m, a, b); });
    if (!same && code) last_changed = args.positional;
    return Value::boolean(!same);
  }

  bool attribute(Machine& m, std::string_view name, Value& out) override;
  Value call(Machine& m, Args& args) override;
  Value repr(Machine& m) override {
    return m.text("<LoopContext " + std::to_string(index0 + 1) + "/" + std::to_string(length(m)) + ">");
  }
};

struct LoopMethod final : Opaque {
  Ref<Object> self;
  Value (Loop::*method)(Machine&, Args&) = nullptr;
  const char* type_name() const override { return "method"; }
  bool callable() const override { return true; }
  Value call(Machine& m, Args& args) override { return (static_cast<Loop&>(*self).*method)(m, args); }
};

// The items for which the inline `if` holds. The test sees the target (and nothing of the body's scope).
struct FilteredIterator final : Iterator {
  const For* code = nullptr;
  ScopePtr outer;
  Ref<Iterator> source;
  bool next(Machine& m, Value& out) override {
    Machine::ScopeGuard inner(m, outer, {});
    while (source->next(m, out)) {
      m.open_scope(outer, {});
      m.assign(code->target, out);
      if (m.condition(m.evaluate(*code->test))) return true;
    }
    return false;
  }
};

bool Loop::attribute(Machine& m, std::string_view name, Value& out) {
  const auto method = [&](Value (Loop::*f)(Machine&, Args&)) {
    out = m.make<LoopMethod>(Kind::object, 0);
    out.as<LoopMethod>().method = f;
    out.as<LoopMethod>().self = Ref<Object>(this);
  };
  if (name == "index0")
    out = Value::integer(index0);
  else if (name == "index")
    out = Value::integer(index0 + 1);
  else if (name == "first")
    out = Value::boolean(index0 == 0);
  else if (name == "last")
    out = Value::boolean(peek(m) == nullptr);
  else if (name == "length")
    out = Value::integer(length(m));
  else if (name == "revindex")
    out = Value::integer(length(m) - index0);
  else if (name == "revindex0")
    out = Value::integer(length(m) - index0 - 1);
  else if (name == "depth")
    out = Value::integer(depth0 + 1);
  else if (name == "depth0")
    out = Value::integer(depth0);
  else if (name == "previtem")
    out = previous && index0 > 0 ? *previous : m.missing("there is no previous item");
  else if (name == "nextitem")
    out = peek(m) ? *peek(m) : m.missing("there is no next item");
  else if (name == "cycle")
    method(&Loop::cycle);
  else if (name == "changed")
    method(&Loop::changed);
  else
    return false;
  return true;
}

Value Loop::call(Machine& m, Args& args) {
  if (!code || !code->recursive) m.fail("The loop must have the 'recursive' marker to be called recursively.");
  Bound b(m, "loop", {"iterable"}, 1, args);
  return m.text(m.capture([&] { code->loop(m, b[0], depth0 + 1, outer); }));
}

}  // namespace

Flow For::run(Machine& m) const {
  const Value over = m.evaluate(*iterable);
  m.line = line;
  return loop(m, over, 0, m.scope);
}

Flow For::loop(Machine& m, const Value& over, int depth0, ScopePtr outer) const {
  m.charge(4);
  const auto loop = make_ref<Loop>();
  struct Closer {
    Loop& loop;
    ~Closer() { loop.close(); }
  } closer{*loop};
  loop->code = this;
  loop->outer = outer;
  loop->depth0 = depth0;
  loop->iterable = test ? Value::none() : over;  // what len() is asked of: a filtered loop must count
  loop->iterator = m.iterate(over);
  if (test) {
    const auto chosen = make_ref<FilteredIterator>();
    chosen->code = this;
    chosen->outer = outer;
    chosen->source = std::move(loop->iterator);
    loop->iterator = chosen;
  }
  bool completed =
      false;  // a round reached its end: Jinja runs `else` otherwise, also after a break in the first round
  {
    Machine::ScopeGuard inner(m, outer, hidden);
    while (loop->advance(m)) {
      m.open_scope(outer, hidden);
      m.line = line;
      m.assign(target, *loop->current);
      m.set(kLoopName, Value::of(Kind::object, loop));
      const Flow flow = m.execute(body);
      if (flow == Flow::break_loop) break;
      completed = completed || flow == Flow::normal;
    }
  }
  if (completed || otherwise.empty()) return Flow::normal;
  Machine::ScopeGuard inner(m, outer, hidden_otherwise);
  return m.execute(otherwise);
}

}  // namespace puna::jinja
