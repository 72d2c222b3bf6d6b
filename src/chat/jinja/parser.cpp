// parser.cpp -- statements: each tag is a function that reads up to its end tag.
#include "chat/jinja/parser.h"

#include <algorithm>
#include <set>

namespace puna::jinja {

using Type = Token::Type;

Program parse_program(std::string_view source, TemplateStyle style, int max_depth, const Watch& watch) {
  return Parser(source, style, max_depth, watch).run();
}

Program Parser::run() {
  for (const char* name : {"loop", "caller", "varargs", "kwargs"}) intern(name);  // in the order of kLoopName...
  symbols_.open(&program_.hidden);
  program_.body = body({});
  symbols_.finish(watch_);
  for (const int name : symbols_.free())
    if (name > kKwargsName) program_.free.insert(program_.names[size_t(name)]);
  return std::move(program_);
}

// ---- tokens

bool Parser::skip_op(std::string_view op) {
  if (!current().is_op(op)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  take();
  return true;
}

void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) {
    const char* got = current().text.empty() ? "the end of the tag" : current().text.c_str();
    syntax_error(current().line, "expected '%.4s', got '%.40s'", std::string(op).c_str(), got);
  }
}

const Token& Parser::expect(Type type, const char* what) {
  if (current().type != type) {
    const char* got = current().text.empty() ? "the end of the tag" : current().text.c_str();
    syntax_error(current().line, "expected %s, got '%.40s'", what, got);
  }
  return take();
}

bool Parser::at_end_of_tuple(std::string_view end_name) const {
  const Token& t = current();
  return t.type == Type::variable_end || t.type == Type::block_end || t.is_op(")") ||
         (!end_name.empty() && t.is_name(end_name));
}

void Parser::check_depth(int depth) const {
  if (depth > max_depth_) syntax_error(current().line, "the template nests deeper than %d", max_depth_);
}

int Parser::intern(const std::string& name) {
  const auto [at, is_new] = ids_.emplace(name, int(program_.names.size()));
  if (is_new) program_.names.push_back(name);
  return at->second;
}

// ---- statements

Body Parser::body(std::initializer_list<std::string_view> ends) {
  Body out;
  while (current().type != Type::end) {
    const Token& token = take();
    const int line = token.line;
    if (token.type == Type::data) {
      auto data = std::make_unique<Data>();
      data->line = line;
      data->text = token.text;
      out.push_back(std::move(data));
    } else if (token.type == Type::variable_begin) {
      auto print = std::make_unique<Print>();
      print->line = line;
      print->values.push_back(tuple(true));
      expect(Type::variable_end, "'}}'");
      out.push_back(std::move(print));
    } else if (token.type == Type::block_begin) {
      if (std::any_of(ends.begin(), ends.end(), [&](std::string_view end) { return current().is_name(end); }))
        return out;
      out.push_back(statement());
      expect(Type::block_end, "'%}'");
    } else {
      syntax_error(line, "unexpected '%.40s'", token.text.c_str());
    }
  }
  if (ends.size() > 0)
    syntax_error(current().line, "unexpected end of template, expected '%s'", std::string(*(ends.end() - 1)).c_str());
  return out;
}

Body Parser::block(std::initializer_list<std::string_view> ends) {
  skip_op(":");
  expect(Type::block_end, "'%}'");
  return body(ends);
}

StmtPtr Parser::statement() {
  Nested nested(*this);
  using Rule = StmtPtr (Parser::*)();
  constexpr std::pair<std::string_view, Rule> kRules[] = {{"set", &Parser::set},
                                                          {"for", &Parser::for_loop},
                                                          {"if", &Parser::if_chain},
                                                          {"with", &Parser::with},
                                                          {"macro", &Parser::macro},
                                                          {"call", &Parser::call_block},
                                                          {"filter", &Parser::filter_block},
                                                          {"generation", &Parser::generation},
                                                          {"print", &Parser::print},
                                                          {"break", &Parser::jump},
                                                          {"continue", &Parser::jump}};
  constexpr std::string_view kUnsupported[] = {"block", "extends", "include", "import", "from", "autoescape"};
  const Token tag = current();
  if (tag.type != Type::name) syntax_error(tag.line, "expected the name of a tag");
  for (const auto& [name, rule] : kRules)
    if (tag.text == name) {
      StmtPtr node = (this->*rule)();
      node->line = tag.line;
      return node;
    }
  if (std::find(std::begin(kUnsupported), std::end(kUnsupported), tag.text) != std::end(kUnsupported))
    fail(Status::unsupported, "chat template line %d: the tag '%s' is not supported", tag.line, tag.text.c_str());
  syntax_error(tag.line, "unknown tag '%.64s'", tag.text.c_str());
}

Target Parser::single_target(bool with_attribute) {
  Nested nested(*this);
  if (skip_op("(")) {
    Target inner = target(false);
    expect_op(")");
    return inner;
  }
  const Token& name = expect(Type::name, "a name to assign to");
  constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kConstants), std::end(kConstants), name.text) != std::end(kConstants))
    syntax_error(name.line, "can't assign to '%s'", name.text.c_str());
  Target out;
  out.text = name.text;
  out.name = intern(name.text);
  if (with_attribute && skip_op(".")) {
    out.attribute = expect_name();
    symbols_.load(out.name);
  } else if (out.name == kLoopName && for_depth_ > 0) {
    syntax_error(name.line, "can't assign to special loop variable inside a for loop");
  }
  return out;
}

Target Parser::target(bool with_attribute, std::string_view end_name) {
  Target out;
  while (true) {
    if (!out.items.empty()) expect_op(",");
    if (at_end_of_tuple(end_name)) break;
    out.items.push_back(single_target(with_attribute));
    if (!current().is_op(",")) break;
    out.is_tuple = true;
  }
  if (out.items.empty()) syntax_error(current().line, "expected a name to assign to");
  if (out.is_tuple) return out;
  Target only = std::move(out.items[0]);
  return only;
}

void Parser::store(const Target& target) {
  if (!target.is_tuple && !target.attribute) symbols_.store(target.name);
  for (const Target& item : target.items) store(item);
}

void Parser::declare(const Target& target) {
  if (!target.is_tuple) symbols_.declare(target.name);
  for (const Target& item : target.items) declare(item);
}

StmtPtr Parser::set() {
  take();
  Target to = target(true);
  if (skip_op("=")) {
    auto node = std::make_unique<Set>();
    node->target = std::move(to);
    node->value = tuple(true);
    store(node->target);
    return node;
  }
  auto node = std::make_unique<SetBlock>();
  node->target = std::move(to);
  store(node->target);
  node->filters = filter_chain();
  symbols_.open(&node->hidden);
  node->body = block({"endset"});
  symbols_.leave();
  take();
  return node;
}

std::vector<FilterCall> Parser::filter_chain() {
  std::vector<FilterCall> out;
  while (skip_op("|")) out.push_back(filter_call());
  return out;
}

StmtPtr Parser::for_loop() {
  take();
  auto node = std::make_unique<For>();
  ++for_depth_;
  node->target = target(false, "in");
  if (!skip_name("in")) syntax_error(current().line, "expected 'in'");
  node->iterable = tuple(false, "recursive");
  if (skip_name("if")) {
    std::vector<int>& nothing = node->hidden;  // an expression stores nothing
    symbols_.open(&nothing);
    declare(node->target);
    node->test = expression();
    symbols_.leave();
  }
  node->recursive = skip_name("recursive");
  symbols_.open(&node->hidden);
  declare(node->target);
  symbols_.declare(kLoopName);
  ++loops_;
  node->body = block({"else", "endfor"});
  --loops_;
  symbols_.leave();
  if (take().text == "else") {
    symbols_.open(&node->hidden_otherwise);
    node->otherwise = block({"endfor"});
    symbols_.leave();
    take();
  }
  --for_depth_;
  return node;
}

StmtPtr Parser::if_chain() {
  auto node = std::make_unique<If>();
  ++soft_;
  std::string end;
  do {
    take();
    ExprPtr test = tuple(false);
    symbols_.enter_branch();
    node->branches.emplace_back(std::move(test), block({"elif", "else", "endif"}));
    symbols_.leave_branch();
  } while (current().is_name("elif"));
  if (take().text == "else") {
    symbols_.enter_branch();
    node->otherwise = block({"endif"});
    symbols_.leave_branch();
    take();
  }
  --soft_;
  return node;
}

StmtPtr Parser::with() {
  take();
  auto node = std::make_unique<With>();
  while (current().type != Type::block_end) {
    if (!node->variables.empty()) expect_op(",");
    Target to = target(false);
    expect_op("=");
    node->variables.emplace_back(std::move(to), expression());
  }
  symbols_.open(&node->hidden);
  for (const auto& [to, value] : node->variables) declare(to);
  node->body = block({"endwith"});
  symbols_.leave();
  take();
  return node;
}

int Parser::open_macro(MacroCode& code) {
  const int scope = symbols_.open(&code.hidden);
  for (int name : {kCallerName, kVarargsName, kKwargsName}) symbols_.declare(name);
  return scope;
}

void Parser::signature(MacroCode& code) {
  std::set<int> names;
  expect_op("(");
  while (!current().is_op(")")) {
    if (!code.parameters.empty()) expect_op(",");
    MacroCode::Parameter p;
    p.text = expect_name();
    p.name = intern(p.text);
    symbols_.declare(p.name);
    if (!names.insert(p.name).second) syntax_error(current().line, "duplicate argument '%.64s'", p.text.c_str());
    if (skip_op("=")) {
      p.otherwise = expression();
    } else if (!code.parameters.empty() && code.parameters.back().otherwise) {
      syntax_error(current().line, "non-default argument follows default argument");
    }
    code.parameters.push_back(std::move(p));
  }
  expect_op(")");
}

// A macro's body is a function of its own: break cannot leave it. Records which special names it uses.
Body Parser::macro_body(MacroCode& code, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  const int line = current().line;
  mentioned_.push_back(0);
  Body out = block({end});
  take();
  const unsigned names = mentioned_.back();
  mentioned_.pop_back();
  loops_ = loops;
  const auto parameter = [&](int name) {
    return std::find_if(code.parameters.begin(), code.parameters.end(), [&](const auto& p) { return p.name == name; });
  };
  const auto uses = [&](int name) { return (names >> name & 1) && parameter(name) == code.parameters.end(); };
  code.uses_varargs = uses(kVarargsName);
  code.uses_kwargs = uses(kKwargsName);
  code.uses_caller = uses(kCallerName);
  const auto caller = parameter(kCallerName);
  code.explicit_caller = caller != code.parameters.end();
  if (code.explicit_caller && !caller->otherwise && (names >> kCallerName & 1))
    syntax_error(line, "the special \"caller\" argument must be omitted or be given a default");
  return out;
}

StmtPtr Parser::macro() {
  take();
  const Target name = single_target(false);
  store(name);
  auto code = std::make_shared<MacroCode>();
  code->name = name.text;
  open_macro(*code);
  signature(*code);
  code->body = macro_body(*code, "endmacro");
  symbols_.leave();
  auto node = std::make_unique<MacroDefinition>();
  node->name = name.name;
  node->code = std::move(code);
  return node;
}

StmtPtr Parser::call_block() {
  const int line = take().line;
  auto node = std::make_unique<CallBlock>();
  auto code = std::make_shared<MacroCode>();
  const int scope = open_macro(*code);
  if (current().is_op("(")) signature(*code);
  symbols_.leave();
  ExprPtr target = expression();
  const auto* call = dynamic_cast<const CallExpr*>(target.get());
  if (!call) syntax_error(line, "expected a call");
  target.release();
  node->call.reset(call);
  symbols_.enter(scope);
  code->body = macro_body(*code, "endcall");
  symbols_.leave();
  node->code = std::move(code);
  return node;
}

StmtPtr Parser::generation() {
  take();
  auto node = std::make_unique<CallBlock>();
  auto code = std::make_shared<MacroCode>();
  open_macro(*code);
  code->body = macro_body(*code, "endgeneration");
  symbols_.leave();
  node->code = std::move(code);
  return node;
}

StmtPtr Parser::filter_block() {
  take();
  auto node = std::make_unique<FilterBlock>();
  node->filters.push_back(filter_call());
  for (FilterCall& more : filter_chain()) node->filters.push_back(std::move(more));
  symbols_.open(&node->hidden);
  node->body = block({"endfilter"});
  symbols_.leave();
  take();
  return node;
}

StmtPtr Parser::jump() {
  auto node = std::make_unique<Jump>();
  const Token& token = take();
  if (loops_ == 0) syntax_error(token.line, "'%s' outside loop", token.text.c_str());
  node->flow = token.text == "break" ? Flow::break_loop : Flow::continue_loop;
  return node;
}

StmtPtr Parser::print() {
  take();
  auto node = std::make_unique<Print>();
  while (current().type != Type::block_end) {
    if (!node->values.empty()) expect_op(",");
    node->values.push_back(expression());
  }
  return node;
}

}  // namespace puna::jinja
