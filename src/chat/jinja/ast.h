// ast.h -- a parsed template: expressions give a Value, statements print and assign. Nodes are immutable once
// parsed, so one template renders on many threads. `depth` of an expression is the height of its tree; the parser
// refuses to build one higher than the limit, so evaluating and destroying may recurse.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "chat/jinja/filters.h"
#include "chat/jinja/machine.h"
#include "chat/jinja/ops.h"

namespace puna::jinja {

struct Expr {
  virtual ~Expr() = default;
  virtual Value eval(Machine& m) const = 0;
  int line = 1;
  int depth = 1;
};
using ExprPtr = std::unique_ptr<const Expr>;

struct Stmt {
  virtual ~Stmt() = default;
  virtual Flow run(Machine& m) const = 0;
  int line = 1;
};
using StmtPtr = std::unique_ptr<Stmt>;

// ---- expressions (expr.cpp)

struct Constant final : Expr {
  Value value;
  Value eval(Machine&) const override { return value; }
};

struct Name final : Expr {
  int name = 0;
  std::string text;
  Value eval(Machine& m) const override;
};

struct Items final : Expr {  // [a, b] or (a, b)
  Kind kind = Kind::list;
  std::vector<ExprPtr> items;
  Value eval(Machine& m) const override;
};

struct DictItems final : Expr {
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
  Value eval(Machine& m) const override;
};

struct Unary final : Expr {
  char op = '-';  // - + !
  ExprPtr operand;
  Value eval(Machine& m) const override;
};

struct Binary final : Expr {
  Operator op = Operator::add;
  ExprPtr left, right;
  Value eval(Machine& m) const override;
};

struct Logic final : Expr {
  bool is_and = false;
  ExprPtr left, right;
  Value eval(Machine& m) const override;
};

struct Concat final : Expr {
  std::vector<ExprPtr> items;
  Value eval(Machine& m) const override;
};

struct Compare final : Expr {  // a < b <= c
  ExprPtr first;
  std::vector<std::pair<Comparison, ExprPtr>> rest;
  Value eval(Machine& m) const override;
};

struct Ternary final : Expr {
  ExprPtr test, then, otherwise;  // otherwise may be NULL: undefined
  Value eval(Machine& m) const override;
};

struct Attribute final : Expr {
  ExprPtr object;
  std::string name;
  Value eval(Machine& m) const override;
};

struct Subscript final : Expr {
  ExprPtr object, index;
  Value eval(Machine& m) const override;
};

struct Slice final : Expr {
  ExprPtr object, start, stop, step;  // the last three may be NULL
  Value eval(Machine& m) const override;
};

struct Arguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, double_star;  // *list, **dict
  Args eval(Machine& m) const;
};

struct CallExpr final : Expr {
  ExprPtr callee;
  Arguments arguments;
  Value eval(Machine& m) const override { return call(m, nullptr); }
  Value call(Machine& m, const Value* caller) const;  // caller: of a {% call %} block
};

struct FilterCall {
  Filter filter = nullptr;  // NULL: an unknown name in a branch that may never run
  std::string name;
  Arguments arguments;
  int line = 1;
  Value apply(Machine& m, const Value& input) const;
};

struct Filtered final : Expr {
  ExprPtr input;
  FilterCall call;
  Value eval(Machine& m) const override { return call.apply(m, m.evaluate(*input)); }
};

struct Tested final : Expr {
  ExprPtr input;
  Test test = nullptr;
  std::string name;
  Arguments arguments;
  Value eval(Machine& m) const override;
};

// ---- statements (eval.cpp, loop.cpp, macro.cpp). `hidden`: the names a scope owns from its start (j

// Where a value goes: a name, an attribute of a namespace, or one target per item.
struct Target {
  int name = 0;
  std::string text;
  std::optional<std::string> attribute;
  std::vector<Target> items;
  bool is_tuple = false;
};

struct Data final : Stmt {
  std::string text;
  Flow run(Machine& m) const override;
};

struct Print final : Stmt {
  std::vector<ExprPtr> values;
  Flow run(Machine& m) const override;
};

struct Set final : Stmt {
  Target target;
  ExprPtr value;
  Flow run(Machine& m) const override;
};

struct SetBlock final : Stmt {
  Target target;
  std::vector<FilterCall> filters;
  Body body;
  std::vector<int> hidden;
  Flow run(Machine& m) const override;
};

struct If final : Stmt {
  std::vector<std::pair<ExprPtr, Body>> branches;  // if, elif...
  Body otherwise;
  Flow run(Machine& m) const override;
};

struct For final : Stmt {
  Target target;
  ExprPtr iterable, test;  // test may be NULL
  bool recursive = false;
  Body body, otherwise;
  std::vector<int> hidden, hidden_otherwise;
  Flow run(Machine& m) const override;
  Flow loop(Machine& m, const Value& over, int depth0, ScopePtr outer) const;
};

struct With final : Stmt {
  std::vector<std::pair<Target, ExprPtr>> variables;
  Body body;
  std::vector<int> hidden;
  Flow run(Machine& m) const override;
};

struct FilterBlock final : Stmt {
  std::vector<FilterCall> filters;
  Body body;
  std::vector<int> hidden;
  Flow run(Machine& m) const override;
};

struct Jump final : Stmt {
  Flow flow = Flow::break_loop;
  Flow run(Machine&) const override { return flow; }
};

struct MacroCode {
  struct Parameter {
    int name = 0;
    std::string text;
    ExprPtr otherwise;  // may be NULL
  };
  std::string name;
  std::vector<Parameter> parameters;
  bool uses_varargs = false, uses_kwargs = false,
       uses_caller = false;      // the body mentions them, and no parameter has the name
  bool explicit_caller = false;  // a parameter is called caller
  Body body;
  std::vector<int> hidden;
};

struct MacroDefinition final : Stmt {
  int name = 0;
  std::shared_ptr<const MacroCode> code;
  Flow run(Machine& m) const override;
};

struct CallBlock final : Stmt {
  std::shared_ptr<const MacroCode> code;
  std::unique_ptr<const CallExpr> call;  // NULL: {% generation %}, which prints its own body
  Flow run(Machine& m) const override;
};

Value make_macro(Machine& m, std::shared_ptr<const MacroCode> code);

// A template: what it does and the names it uses. Names are interned so that scopes compare integers; the first ones
// are the interpreter's own.
enum : int { kLoopName, kCallerName, kVarargsName, kKwargsName };
struct Program {
  Body body;
  std::vector<int> hidden;
  std::vector<std::string> names;
  std::set<std::string, std::less<>> free;  // of them those that the render or Jinja's globals give
};

}  // namespace puna::jinja
