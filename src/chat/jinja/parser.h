// parser.h -- tokens to a Program, by Jinja 3.1's grammar and precedence. Recursive descent, at most `depth`
// levels deep.
#pragma once
#include <initializer_list>
#include <map>
#include <string_view>

#include "chat/jinja/ast.h"
#include "chat/jinja/lexer.h"
#include "chat/jinja/symbols.h"

namespace puna::jinja {

Program parse_program(std::string_view source, TemplateStyle style, int max_depth, const Watch& watch);

class Parser {
 public:
  Parser(std::string_view source, TemplateStyle style, int max_depth, const Watch& watch)
      : tokens_(source, style, watch), max_depth_(max_depth), watch_(watch) {
    current_ = tokens_.next();
    ahead_ = tokens_.next();
  }
  Program run();

 private:
  // ---- tokens
  const Token& current() const { return current_; }
  const Token& ahead() const { return ahead_; }
  const Token& take() {  // it stays until the next one is taken
    watch_.tick();
    if (current_.type == Token::Type::end) return current_;
    taken_ = std::move(current_);
    current_ = std::move(ahead_);
    ahead_ = tokens_.next();
    return taken_;
  }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  const Token& expect(Token::Type type, const char* what);
  std::string expect_name() { return expect(Token::Type::name, "a name").text; }
  bool at_end_of_tuple(std::string_view end_name) const;
  struct Nested {
    explicit Nested(Parser& parser) : p(parser) { p.check_depth(++p.depth_); }
    ~Nested() { --p.depth_; }
    Parser& p;
  };
  void check_depth(int depth) const;
  int intern(const std::string& name);
  // Sets line and depth of a new expression; children may be NULL.
  template <class T>
  ExprPtr finish(std::unique_ptr<T> node, int line, std::initializer_list<const Expr*> children,
                 const Arguments* arguments = nullptr);

  // ---- expressions (parser_expr.cpp)
  ExprPtr expression(bool with_ternary = true);
  ExprPtr ternary();
  ExprPtr either();
  ExprPtr both();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filter = true);
  ExprPtr primary();
  ExprPtr constant(Value value, int line);
  ExprPtr tuple(bool with_ternary, std::string_view end_name = {}, bool parenthesised = false);
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr node);
  ExprPtr filters(ExprPtr node);
  ExprPtr subscript(ExprPtr node);
  ExprPtr slice(ExprPtr object, ExprPtr start, int line);
  ExprPtr test(ExprPtr input);
  std::unique_ptr<CallExpr> call(ExprPtr callee);
  Arguments arguments();
  FilterCall filter_call();
  std::string dotted_name();

  // ---- statements (parser.cpp)
  // The statements up to one of `ends` (or the end of the source when empty); the end tag's name is the current token
  // then.
  Body body(std::initializer_list<std::string_view> ends);
  Body block(std::initializer_list<std::string_view> ends);  // after the opening tag's arguments: %} body {% end
  StmtPtr statement();
  StmtPtr set();
  StmtPtr for_loop();
  StmtPtr if_chain();
  StmtPtr with();
  StmtPtr macro();
  StmtPtr call_block();
  StmtPtr generation();
  StmtPtr filter_block();
  StmtPtr jump();
  StmtPtr print();
  Target target(bool with_attribute, std::string_view end_name = {});
  Target single_target(bool with_attribute);
  void store(const Target& target);    // the assignment happens here
  void declare(const Target& target);  // the scope opens with it assigned
  std::vector<FilterCall> filter_chain();
  void signature(MacroCode& code);
  int open_macro(MacroCode& code);
  Body macro_body(MacroCode& code, std::string_view end);

  Tokens tokens_;
  Token taken_, current_, ahead_;
  const int max_depth_;
  const Watch& watch_;
  int depth_ = 0;
  int soft_ = 0;   // inside if and ?: an unknown filter fails when it runs, not here
  int loops_ = 0;  // around this statement, within the same macro: where break may stand
  int for_depth_ = 0;
  std::vector<unsigned> mentioned_;  // for each macro body being parsed: bits of the special names it uses
  std::map<std::string, int> ids_;
  Symbols symbols_;
  Program program_;
};

template <class T>
ExprPtr Parser::finish(std::unique_ptr<T> node, int line, std::initializer_list<const Expr*> children,
                       const Arguments* arguments) {
  const auto add = [&](const Expr* e) {
    if (e) node->depth = std::max(node->depth, e->depth + 1);
  };
  for (const Expr* e : children) add(e);
  if (arguments) {
    for (const ExprPtr& e : arguments->positional) add(e.get());
    for (const auto& [name, e] : arguments->named) add(e.get());
    add(arguments->star.get());
    add(arguments->double_star.get());
  }
  node->line = line;
  check_depth(node->depth);
  return node;
}

}  // namespace puna::jinja
