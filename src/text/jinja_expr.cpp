// jinja_expr.cpp -- evaluating expressions. Each node costs a step and a level of depth; errors name the line of the node that
// could not go on, so a node restores its line once its operands are done.
#include <algorithm>

#include "text/jinja_ast.h"

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
  std::vector<Dict::Item> pairs;
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
  if (op == '!') return Value::boolean(!truth(v));
  return op == '-' ? negate(m, v) : plus(m, v);
}

Value Binary::eval(Machine& m) const {
  const Value a = m.evaluate(*left), b = m.evaluate(*right);
  m.line = line;
  return calculate(m, op, a, b);
}

Value Logic::eval(Machine& m) const {
  const Value a = m.evaluate(*left);
  return truth(a) == is_and ? m.evaluate(*right) : a;
}

Value Concat::eval(Machine& m) const {
  std::string out;
  for (const ExprPtr& e : items) {
    const std::string piece = to_str(m, m.evaluate(*e));
    m.charge_text(int64_t(out.size() + piece.size()));
    out += piece;
  }
  return m.text(std::move(out));
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
  if (truth(m.evaluate(*test))) return m.evaluate(*then);
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
  for (const auto& [name, e] : named) args.named.emplace_back(name, m.evaluate(*e));
  if (star)
    for (Value& v : m.collect(m.evaluate(*star))) args.positional.push_back(std::move(v));
  if (double_star) {
    const Value more = m.evaluate(*double_star);
    m.require_defined(more);
    if (!more.is(Kind::dict)) m.fail("argument after ** must be a mapping, not %s", type_name(more));
    for (const auto& [key, value] : more.as<Dict>().items()) {
      if (!key.is_string()) m.fail("keywords must be strings");
      m.charge_text(int64_t(key.text().size() + named.size()));
      for (const auto& [name, e] : named)
        if (name == key.text()) m.fail("got multiple values for keyword argument '%.64s'", name.c_str());
      args.named.emplace_back(key.text(), value);
    }
  }
  return args;
}

Value CallExpr::call(Machine& m, const Value* caller) const {
  const Value function = m.evaluate(*callee);
  Args args = arguments.eval(m);
  if (caller) args.named.emplace_back("caller", *caller);
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
