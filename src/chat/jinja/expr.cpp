// expr.cpp -- evaluating expressions. Each node costs a step and a level of depth; errors name the line of the
// node that could not go on, so a node restores its line once its operands are done.
#include <algorithm>

#include "chat/jinja/ast.h"
#include "chat/jinja/builder.h"
#include "chat/jinja/search.h"

namespace puna::jinja {

Value Machine::evaluate(const Expr& e) {
  Nested nested(*this);
  charge(1);
  return e.eval(*this);
}

Value Name::eval(Machine& m) const {
  const Value* found = m.lookup(name);
  const bool known = found && (!found->is_undefined() || found->object());  // not hidden
  return known ? *found : m.missing("'" + text.substr(0, 64) + "' is undefined");
}

Value Items::eval(Machine& m) const {
  std::vector<Value> values;
  values.reserve(items.size());
  for (const ExprPtr& e : items) values.push_back(m.evaluate(*e));
  return kind == Kind::list ? m.list(std::move(values)) : m.tuple(std::move(values));
}

Value DictItems::eval(Machine& m) const {
  std::vector<std::pair<Value, Value>> pairs;
  pairs.reserve(items.size());
  for (const auto& [key, value] : items) {
    Value k = m.evaluate(*key);
    pairs.emplace_back(std::move(k), m.evaluate(*value));
  }
  m.line = line;
  return m.dict(std::move(pairs));
}

Value Unary::eval(Machine& m) const {
  const Value v = m.evaluate(*operand);
  m.line = line;
  if (op == '!') return Value::boolean(!m.condition(v));
  return op == '-' ? negate(m, v) : plus(m, v);
}

Value Binary::eval(Machine& m) const {
  const Value a = m.evaluate(*left), b = m.evaluate(*right);
  m.line = line;
  return calculate(m, op, a, b);
}

Value Logic::eval(Machine& m) const {
  const Value a = m.evaluate(*left);
  return m.condition(a) == is_and ? m.evaluate(*right) : a;
}

Value Concat::eval(Machine& m) const {
  TextBuilder out(m);
  for (const ExprPtr& e : items) out.add(to_str(m, m.evaluate(*e)));
  return out.finish();
}

Value Compare::eval(Machine& m) const {
  Value left = m.evaluate(*first);
  for (const auto& [op, e] : rest) {
    Value right = m.evaluate(*e);
    m.line = line;
    if (!compare(m, op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Ternary::eval(Machine& m) const {
  if (m.condition(m.evaluate(*test))) return m.evaluate(*then);
  if (otherwise) return m.evaluate(*otherwise);
  return m.missing("the inline if-expression evaluated to false and no else section was defined.");
}

Value Attribute::eval(Machine& m) const {
  const Value v = m.evaluate(*object);
  m.line = line;
  return get_attribute(m, v, name);
}

Value Subscript::eval(Machine& m) const {
  const Value v = m.evaluate(*object), i = m.evaluate(*index);
  m.line = line;
  return get_item(m, v, i);
}

Value Slice::eval(Machine& m) const {
  const auto part = [&](const ExprPtr& e) { return e ? m.evaluate(*e) : Value::none(); };
  const Value v = m.evaluate(*object), from = part(start), to = part(stop), by = part(step);
  m.line = line;
  return get_slice(m, v, from, to, by);
}

Args Arguments::eval(Machine& m) const {
  Args args;
  args.positional.reserve(positional.size());
  for (const ExprPtr& e : positional) args.positional.push_back(m.evaluate(*e));
  for (const auto& [name, e] : named) args.named.push_back({m.text(name), m.evaluate(*e)});
  if (star)
    for (Value& v : m.collect(m.evaluate(*star))) args.positional.push_back(std::move(v));
  if (double_star) {
    const Value more = m.evaluate(*double_star);
    m.require_defined(more);
    if (!more.is(Kind::dict)) m.fail("argument after ** must be a mapping, not %s", type_name(more));
    const Dict& d = more.as<Dict>();
    for (size_t i = 0; i < d.size(); ++i) {
      if (!d.key(i).is_string()) m.fail("keywords must be strings");
      m.charge(1 + int64_t(named.size()) / 4);
      for (const auto& [name, e] : named)
        if (equal_bytes(m, name, d.key(i).text()))
          m.fail("got multiple values for keyword argument '%.64s'", name.c_str());
      args.named.push_back({d.key(i), d.value(i)});
    }
  }
  return args;
}

Value CallExpr::call(Machine& m, const Value* caller) const {
  const Value function = m.evaluate(*callee);
  Args args = arguments.eval(m);
  if (caller) args.named.push_back({m.text("caller"), *caller});
  m.line = line;
  return m.call(function, args);
}

Value FilterCall::apply(Machine& m, const Value& input) const {
  Args args = arguments.eval(m);
  m.line = line;
  if (!filter) m.fail("No filter named '%.64s'.", name.c_str());
  return filter(m, input, args);
}

Value Tested::eval(Machine& m) const {
  const Value v = m.evaluate(*input);
  Args args = arguments.eval(m);
  m.line = line;
  if (!test) m.fail("No test named '%.64s'.", name.c_str());
  return Value::boolean(test(m, v, args));
}

}  // namespace puna::jinja
