// parser_expr.cpp -- expressions, loosest binding first: a if b else c; or; and; not; comparisons; + -; ~; * / //
// %; **; unary + -; then values. What may follow a value is in parser_postfix.cpp.
#include <algorithm>

#include "chat/jinja/parser.h"

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
  constexpr std::pair<std::string_view, Comparison> kOps[] = {{"==", Comparison::eq}, {"!=", Comparison::ne},
                                                              {"<", Comparison::lt},  {"<=", Comparison::le},
                                                              {">", Comparison::gt},  {">=", Comparison::ge}};
  const int line = current().line;
  ExprPtr first = sum();
  auto node = std::make_unique<Compare>();
  int depth = first->depth;
  while (true) {
    const auto op =
        std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& o) { return current().is_op(o.first); });
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
    const auto op =
        std::find_if(std::begin(kOps), std::end(kOps), [&](const auto& o) { return current().is_op(o.first); });
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
      return constant(Value::of(Kind::string, make_ref<Text>(std::move(text), false)), token.line);
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
  syntax_error(token.line, "expected an expression, got '%.40s'",
               token.type == Type::op ? token.text.c_str() : "the end of the tag");
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

}  // namespace puna::jinja
