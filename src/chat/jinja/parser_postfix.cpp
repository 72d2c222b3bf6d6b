// parser_postfix.cpp -- what follows a value: .name, [index], [from:to:by], (arguments), |filter, is test.
#include <algorithm>
#include <set>

#include "chat/jinja/parser.h"

namespace puna::jinja {

using Type = Token::Type;

ExprPtr Parser::postfix(ExprPtr node) {
  while (true) {
    if (current().is_op(".") || current().is_op("[")) {
      node = subscript(std::move(node));
    } else if (current().is_op("(")) {
      node = call(std::move(node));
    } else {
      return node;
    }
  }
}

ExprPtr Parser::filters(ExprPtr input) {
  while (true) {
    if (skip_op("|")) {
      auto node = std::make_unique<Filtered>();
      node->call = filter_call();
      node->input = std::move(input);
      const int line = node->call.line;
      const Expr* a = node->input.get();
      const Arguments& arguments = node->call.arguments;
      input = finish(std::move(node), line, {a}, &arguments);
    } else if (current().is_name("is")) {
      input = test(std::move(input));
    } else if (current().is_op("(")) {
      input = call(std::move(input));
    } else {
      return input;
    }
  }
}

ExprPtr Parser::subscript(ExprPtr object) {
  const Token opening = take();
  if (opening.text == ".") {
    const Token name = take();
    if (name.type == Type::name) {
      auto node = std::make_unique<Attribute>();
      node->object = std::move(object);
      node->name = name.text;
      const Expr* a = node->object.get();
      return finish(std::move(node), opening.line, {a});
    }
    if (name.type != Type::integer) syntax_error(name.line, "expected a name or a number after '.'");
    auto node = std::make_unique<Subscript>();
    node->object = std::move(object);
    node->index = constant(Value::integer(name.integer), name.line);
    const Expr* a = node->object.get();
    return finish(std::move(node), opening.line, {a});
  }
  ExprPtr index;
  if (!current().is_op(":"))
    index = current().is_op("]") ? finish(std::make_unique<Items>(), opening.line, {}) : expression();
  if (current().is_op(":")) return slice(std::move(object), std::move(index), opening.line);
  if (current().is_op(",")) {  // d[a, b] is d[(a, b)]
    auto several = std::make_unique<Items>();
    several->kind = Kind::tuple;
    several->items.push_back(std::move(index));
    while (skip_op(",") && !current().is_op("]")) several->items.push_back(expression());
    for (const ExprPtr& e : several->items) several->depth = std::max(several->depth, e->depth + 1);
    index = finish(std::move(several), opening.line, {});
  }
  expect_op("]");
  auto node = std::make_unique<Subscript>();
  node->object = std::move(object);
  node->index = std::move(index);
  const Expr *a = node->object.get(), *b = node->index.get();
  return finish(std::move(node), opening.line, {a, b});
}

ExprPtr Parser::slice(ExprPtr object, ExprPtr start, int line) {
  auto node = std::make_unique<Slice>();
  node->object = std::move(object);
  node->start = std::move(start);
  expect_op(":");
  if (!current().is_op(":") && !current().is_op("]")) node->stop = expression();
  if (skip_op(":") && !current().is_op("]")) node->step = expression();
  expect_op("]");
  const Expr *a = node->object.get(), *b = node->start.get(), *c = node->stop.get(), *d = node->step.get();
  return finish(std::move(node), line, {a, b, c, d});
}

Arguments Parser::arguments() {
  Arguments out;
  std::set<std::string> names;
  const int line = current().line;
  const auto ensure = [line](bool condition) {
    if (!condition) syntax_error(line, "invalid syntax for function call expression");
  };
  expect_op("(");
  for (bool comma = false; !current().is_op(")"); comma = true) {
    if (comma) {
      expect_op(",");
      if (current().is_op(")")) break;
    }
    if (skip_op("*")) {
      ensure(!out.star && !out.double_star);
      out.star = expression();
    } else if (skip_op("**")) {
      ensure(!out.double_star);
      out.double_star = expression();
    } else if (current().type == Type::name && ahead().is_op("=")) {
      ensure(!out.double_star);
      const std::string name = take().text;
      take();
      ensure(names.insert(name).second);
      out.named.emplace_back(name, expression());
    } else {
      ensure(!out.star && !out.double_star && out.named.empty());
      out.positional.push_back(expression());
    }
  }
  expect_op(")");
  return out;
}

std::unique_ptr<CallExpr> Parser::call(ExprPtr callee) {
  auto node = std::make_unique<CallExpr>();
  const int line = current().line;
  node->callee = std::move(callee);
  node->arguments = arguments();
  // finish() without giving up the type, which {% call %} needs
  node->depth = node->callee->depth + 1;
  auto probe = std::make_unique<Constant>();
  const ExprPtr checked = finish(std::move(probe), line, {}, &node->arguments);
  node->depth = std::max(node->depth, checked->depth);
  node->line = line;
  check_depth(node->depth);
  return node;
}

std::string Parser::dotted_name() {
  std::string name = expect_name();
  while (skip_op(".")) name += "." + expect_name();
  return name;
}

FilterCall Parser::filter_call() {
  FilterCall call;
  call.line = current().line;
  call.name = dotted_name();
  call.filter = find_filter(call.name);
  if (!call.filter && soft_ == 0) syntax_error(call.line, "no filter named '%.64s'", call.name.c_str());
  if (current().is_op("(")) call.arguments = arguments();
  return call;
}

ExprPtr Parser::test(ExprPtr input) {
  const int line = take().line;  // "is"
  const bool negated = skip_name("not");
  auto node = std::make_unique<Tested>();
  node->name = dotted_name();
  node->test = find_test(node->name);
  if (!node->test && soft_ == 0) syntax_error(line, "no test named '%.64s'", node->name.c_str());
  const Token& next = current();
  const bool starts_value = next.type == Type::name || next.type == Type::string || next.type == Type::integer ||
                            next.type == Type::real || next.is_op("[") || next.is_op("{");
  if (next.is_op("(")) {
    node->arguments = arguments();
  } else if (starts_value && !next.is_name("else") && !next.is_name("or") && !next.is_name("and")) {
    if (next.is_name("is")) syntax_error(line, "you cannot chain multiple tests with is");
    node->arguments.positional.push_back(postfix(primary()));
  }
  node->input = std::move(input);
  const Expr* a = node->input.get();
  const Arguments& arguments = node->arguments;
  ExprPtr tested = finish(std::move(node), line, {a}, &arguments);
  if (!negated) return tested;
  auto negation = std::make_unique<Unary>();
  negation->op = '!';
  negation->operand = std::move(tested);
  const Expr* b = negation->operand.get();
  return finish(std::move(negation), line, {b});
}

}  // namespace puna::jinja
