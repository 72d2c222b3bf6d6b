// eval.cpp -- running statements. `set` assigns in the scope it stands in: loops, macros, with, and captured
// blocks open scopes of their own, if does not. break and continue travel outwards as a Flow; what a captured block
// printed before is lost.
#include <algorithm>

#include "chat/jinja/ast.h"
#include "chat/jinja/globals.h"

namespace puna::jinja {

Flow Machine::execute(const Body& body) {
  Nested nested(*this);
  for (const auto& statement : body) {
    charge(1);
    line = statement->line;
    const Flow flow = statement->run(*this);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

void Machine::assign(const Target& target, const Value& value) {
  if (target.attribute) {
    const Value* space = lookup(target.name);
    if (!space || !set_namespace_attribute(*this, *space, *target.attribute, value))
      fail("cannot assign attribute on non-namespace object");
    return;
  }
  if (!target.is_tuple) return set(target.name, value);
  if (value.is_number() || value.is_none() || value.is(Kind::object))
    fail("cannot unpack non-iterable %s object", type_name(value));
  const std::vector<Value> values = collect(value);
  if (values.size() != target.items.size())
    fail("%s values to unpack (expected %zu, got %zu)", values.size() > target.items.size() ? "too many" : "not enough",
         target.items.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) assign(target.items[i], values[i]);
}

Flow Data::run(Machine& m) const {
  m.print(std::string_view(text));
  return Flow::normal;
}

Flow Print::run(Machine& m) const {
  for (const ExprPtr& e : values) m.print(m.evaluate(*e));
  return Flow::normal;
}

Flow Set::run(Machine& m) const {
  m.assign(target, m.evaluate(*value));
  return Flow::normal;
}

namespace {

Value filtered(Machine& m, const std::vector<FilterCall>& filters, Marked text) {
  Value v = m.text(std::move(text));
  for (const FilterCall& call : filters) v = call.apply(m, v);
  return v;
}

}  // namespace

Flow SetBlock::run(Machine& m) const {
  Value value;
  {
    Machine::ScopeGuard inner(m, m.scope, hidden);
    Flow flow = Flow::normal;
    Marked text = m.capture([&] { flow = m.execute(body); });
    if (flow != Flow::normal) return flow;
    value = filtered(m, filters, std::move(text));
  }
  m.assign(target, value);
  return Flow::normal;
}

Flow FilterBlock::run(Machine& m) const {
  Value value;
  {
    Machine::ScopeGuard inner(m, m.scope, hidden);
    Flow flow = Flow::normal;
    Marked text = m.capture([&] { flow = m.execute(body); });
    if (flow != Flow::normal) return flow;
    value = filtered(m, filters, std::move(text));
  }
  m.print(value);
  return Flow::normal;
}

Flow If::run(Machine& m) const {
  for (const auto& [test, body] : branches)
    if (m.condition(m.evaluate(*test))) return m.execute(body);
  return m.execute(otherwise);
}

Flow With::run(Machine& m) const {
  std::vector<Value> values;  // all in the outer scope: b=a does not see a=1 beside it
  for (const auto& [target, e] : variables) values.push_back(m.evaluate(*e));
  Machine::ScopeGuard inner(m, m.scope, hidden);
  for (size_t i = 0; i < values.size(); ++i) m.assign(variables[i].first, values[i]);
  return m.execute(body);
}

}  // namespace puna::jinja
