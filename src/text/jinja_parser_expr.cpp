// jinja_parser_expr.cpp -- expressions, loosest binding first: a if b else c; or; and; not; comparisons; + -; ~; * / // %; **;
// unary + -; then what follows a value: .name [index] (call) |filter, is test.
#include <algorithm>

#include "text/jinja_parser.h"

namespace puna::jinja {

using Type = Token::Type;

ExprPtr Parser::expression(bool with_ternary) {
  Nested nested(*this);
  return with_ternary ? ternary() : either();
}

ExprPtr Parser::ternary() {
  int line = current().line;
  ExprPtr value = either();
  while (skip_name("if")) {
    Nested nested(*this);
    auto node = std::make_unique<Ternary>();
    node->then = std::move(value);
    node->test = either();
    ++soft_;
    if (skip_name("else")) node->otherwise = ternary();
    --soft_;
    const Expr *a = node->test.get(), *b = node->then.get(), *c = node->otherwise.get();
    value = finish(std::move(node), line, {a, b, c});
    line = current().line;
  }
  return value;
}

ExprPtr Parser::either() {
  ExprPtr left = both();
  while (current().is_name("or")) {
    auto node = std::make_unique<Logic>();
    const int line = take().line;
    node->left = std::move(left);
    node->right = both();
    const Expr *a = node->left.get(), *b = node->right.get();
    left = finish(std::move(node), line, {a, b});
  }
  return left;
}

ExprPtr Parser::both() {
  ExprPtr left = negation();
  while (current().is_name("and")) {
    auto node = std::make_unique<Logic>();
    const int line = take().line;
    node->is_and = true;
    node->left = std::move(left);
    node->right = negation();
    const Expr *a = node->left.get(), *b = node->right.get();
    left = finish(std::move(node), line, {a, b});
  }
  return left;
}

ExprPtr Parser::negation() {
  if (!current().is_name("not")) return comparison();
  Nested nested(*this);
  auto node = std::make_unique<Unary>();
  const int line = take().line;
  node->op = '!';
  node->operand = negation();
  const Expr* a = node->operand.get();
  return finish(std::move(node), line, {a});
}

ExprPtr Parser::comparison() {
  constexpr std::pair<std::string_view, Comparison> kOps[] = {{"==", Comparison::eq}, {"!=", Comparison::ne}, {"<", Comparison::lt},
                                                              {"<=", Comparison::le}, {">", Comparison::gt}, {">=", Comparison::ge}};
  const int line = current().line;
  ExprPtr first = sum();
  auto node = std::make_unique<Compare>();
  int depth = first->depth;
  while (true) {
    const auto op = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& o) { return current().is_op(o.first); });
    Comparison kind = Comparison::in;
    if (op != std::end(kOps)) {
      take();
      kind = op->second;
    } else if (current().is_name("not") && ahead().is_name("in")) {
      take();
      take();
      kind = Comparison::not_in;
    } else if (!skip_name("in")) {
      break;
    }
    node->rest.emplace_back(kind, sum());
    depth = std::max(depth, node->rest.back().second->depth);
  }
  if (node->rest.empty()) return first;
  node->depth = depth + 1;
  node->first = std::move(first);
  return finish(std::move(node), line, {});
}

ExprPtr Parser::sum() {
  ExprPtr left = concat();
  while (current().is_op("+") || current().is_op("-")) {
    auto node = std::make_unique<Binary>();
    const Token& op = take();
    const int line = op.line;
    node->op = op.text == "+" ? Operator::add : Operator::subtract;
    node->left = std::move(left);
    node->right = concat();
    const Expr *a = node->left.get(), *b = node->right.get();
    left = finish(std::move(node), line, {a, b});
  }
  return left;
}

ExprPtr Parser::concat() {
  const int line = current().line;
  ExprPtr first = product();
  if (!current().is_op("~")) return first;
  auto node = std::make_unique<Concat>();
  node->depth = first->depth + 1;
  node->items.push_back(std::move(first));
  while (skip_op("~")) {
    node->items.push_back(product());
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
  }
  return finish(std::move(node), line, {});
}

ExprPtr Parser::product() {
  constexpr std::pair<std::string_view, Operator> kOps[] = {
      {"*", Operator::multiply}, {"/", Operator::divide}, {"//", Operator::floor_divide}, {"%", Operator::modulo}};
  ExprPtr left = power();
  while (true) {
    const auto op = std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& o) { return current().is_op(o.first); });
    if (op == std::end(kOps)) return left;
    auto node = std::make_unique<Binary>();
    const int line = take().line;
    node->op = op->second;
    node->left = std::move(left);
    node->right = power();
    const Expr *a = node->left.get(), *b = node->right.get();
    left = finish(std::move(node), line, {a, b});
  }
}

ExprPtr Parser::power() {  // Jinja groups it to the left, as it reads
  ExprPtr left = unary();
  while (current().is_op("**")) {
    auto node = std::make_unique<Binary>();
    const int line = take().line;
    node->op = Operator::power;
    node->left = std::move(left);
    node->right = unary();
    const Expr *a = node->left.get(), *b = node->right.get();
    left = finish(std::move(node), line, {a, b});
  }
  return left;
}

ExprPtr Parser::unary(bool with_filter) {
  Nested nested(*this);
  ExprPtr node;
  if (current().is_op("-") || current().is_op("+")) {
    auto sign = std::make_unique<Unary>();
    const Token& op = take();
    const int line = op.line;
    sign->op = op.text[0];
    sign->operand = unary(false);
    const Expr* a = sign->operand.get();
    node = finish(std::move(sign), line, {a});
  } else {
    node = primary();
  }
  node = postfix(std::move(node));
  return with_filter ? filters(std::move(node)) : std::move(node);
}

ExprPtr Parser::constant(Value value, int line) {
  auto node = std::make_unique<Constant>();
  node->value = std::move(value);
  return finish(std::move(node), line, {});
}

ExprPtr Parser::primary() {
  const Token token = current();
  switch (token.type) {
    case Type::name: {
      take();
      if (token.text == "true" || token.text == "True") return constant(Value::boolean(true), token.line);
      if (token.text == "false" || token.text == "False") return constant(Value::boolean(false), token.line);
      if (token.text == "none" || token.text == "None") return constant(Value::none(), token.line);
      auto node = std::make_unique<Name>();
      node->name = intern(token.text);
      node->text = token.text;
      symbols_.load(node->name);
      if (node->name <= kKwargsName)
        for (unsigned& names : mentioned_) names |= 1u << node->name;
      return finish(std::move(node), token.line, {});
    }
    case Type::string: {
      std::string text;
      while (current().type == Type::string) text += take().text;  // adjacent strings are one
      return constant(Value::of(Kind::string, std::make_shared<Text>(std::move(text), false)), token.line);
    }
    case Type::integer: take(); return constant(Value::integer(token.integer), token.line);
    case Type::real: take(); return constant(Value::real(token.real), token.line);
    default: break;
  }
  if (skip_op("(")) {
    ExprPtr node = tuple(true, {}, true);
    expect_op(")");
    return node;
  }
  if (token.is_op("[")) return list();
  if (token.is_op("{")) return dict();
  syntax_error(token.line, "expected an expression, got '%.40s'", token.type == Type::op ? token.text.c_str() : "the end of the tag");
}

ExprPtr Parser::tuple(bool with_ternary, std::string_view end_name, bool parenthesised) {
  const int line = current().line;
  auto node = std::make_unique<Items>();
  bool is_tuple = false;
  while (true) {
    if (!node->items.empty()) expect_op(",");
    if (at_end_of_tuple(end_name)) break;
    node->items.push_back(expression(with_ternary));
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
    if (!current().is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!node->items.empty()) return std::move(node->items[0]);
    if (!parenthesised) syntax_error(line, "expected an expression");
  }
  node->kind = Kind::tuple;
  return finish(std::move(node), line, {});
}

ExprPtr Parser::list() {
  auto node = std::make_unique<Items>();
  const int line = take().line;
  while (!current().is_op("]")) {
    if (!node->items.empty()) expect_op(",");
    if (current().is_op("]")) break;
    node->items.push_back(expression());
    node->depth = std::max(node->depth, node->items.back()->depth + 1);
  }
  expect_op("]");
  return finish(std::move(node), line, {});
}

ExprPtr Parser::dict() {
  auto node = std::make_unique<DictItems>();
  const int line = take().line;
  while (!current().is_op("}")) {
    if (!node->items.empty()) expect_op(",");
    if (current().is_op("}")) break;
    ExprPtr key = expression();
    expect_op(":");
    node->items.emplace_back(std::move(key), expression());
    node->depth = std::max({node->depth, node->items.back().first->depth + 1, node->items.back().second->depth + 1});
  }
  expect_op("}");
  return finish(std::move(node), line, {});
}

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
  if (!current().is_op(":")) index = current().is_op("]") ? finish(std::make_unique<Items>(), opening.line, {}) : expression();
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
      for (const auto& [other, value] : out.named) ensure(other != name);
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
  const bool starts_value = next.type == Type::name || next.type == Type::string || next.type == Type::integer || next.type == Type::real ||
                            next.is_op("[") || next.is_op("{");
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
