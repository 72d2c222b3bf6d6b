// macro.cpp -- {% macro %} and {% call %}: functions that print, and close over the scope they were defined in.
#include <algorithm>

#include "chat/jinja/ast.h"

namespace puna::jinja {
namespace {

struct Macro final : Opaque {
  std::shared_ptr<const MacroCode> code;
  ScopePtr closure;

  const char* type_name() const override { return "Macro"; }
  bool callable() const override { return true; }
  Value repr(Machine& m) override {
    return m.text(code->name.empty() ? "<Macro anonymous>" : "<Macro " + to_repr(m, m.text(code->name)).text() + ">");
  }
  bool attribute(Machine& m, std::string_view name, Value& out) override {
    if (name == "name") {
      out = code->name.empty() ? Value::none() : m.text(code->name);
    } else if (name == "arguments") {
      std::vector<Value> names;
      for (const auto& p : code->parameters) names.push_back(m.text(p.text));
      out = m.tuple(std::move(names));
    } else if (name == "catch_kwargs" || name == "catch_varargs" || name == "caller") {
      out = Value::boolean(name == "caller"         ? code->uses_caller
                           : name == "catch_kwargs" ? code->uses_kwargs
                                                    : code->uses_varargs);
    } else {
      return false;
    }
    return true;
  }

  Value call(Machine& m, Args& args) override {
    Machine::ScopeGuard inner(m, closure, code->hidden);
    bind(m, args);
    return m.text(m.capture([&] { m.execute(code->body); }));
  }

 private:
  // Positional arguments fill the parameters in order, named ones the rest; what is left goes to varargs and kwargs if
  // the body mentions them and is an error if not. Defaults are evaluated last, in order, and see the other parameters.
  void bind(Machine& m, Args& args) {
    const auto& parameters = code->parameters;
    const size_t given = std::min(args.positional.size(), parameters.size());
    m.charge(int64_t(parameters.size() * (1 + args.named.size() / 8)));
    std::vector<const MacroCode::Parameter*> missing;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const auto named = i < given ? args.named.end() : find(args, parameters[i].text);
      if (i < given) {
        m.set(parameters[i].name, args.positional[i]);
      } else if (named != args.named.end()) {
        m.set(parameters[i].name, named->value);
        args.named.erase(named);
      } else {
        missing.push_back(&parameters[i]);
      }
    }
    if (code->uses_caller) {
      const auto caller = find(args, "caller");
      m.set(kCallerName, caller == args.named.end() ? m.missing("No caller defined") : caller->value);
      if (caller != args.named.end()) args.named.erase(caller);
    }
    bind_rest(m, args);
    for (const MacroCode::Parameter* p : missing)
      m.set(p->name,
            p->otherwise ? m.evaluate(*p->otherwise) : m.missing("parameter '" + p->text + "' was not provided"));
  }

  void bind_rest(Machine& m, Args& args) {
    const char* name = code->name.c_str();
    if (code->uses_kwargs) {
      std::vector<std::pair<Value, Value>> rest;
      for (const NamedArgument& a : args.named) rest.emplace_back(a.name, a.value);
      m.set(kKwargsName, m.dict(std::move(rest)));
    } else if (!args.named.empty()) {
      m.fail("macro '%.64s' takes no keyword argument '%.64s'", name, args.named[0].text().c_str());
    }
    const size_t n = code->parameters.size();
    if (code->uses_varargs) {
      std::vector<Value> rest;
      if (args.positional.size() > n) rest.assign(args.positional.begin() + ptrdiff_t(n), args.positional.end());
      m.set(kVarargsName, m.tuple(std::move(rest)));
    } else if (args.positional.size() > n) {
      m.fail("macro '%.64s' takes not more than %zu argument(s)", name, n);
    }
  }

  static std::vector<NamedArgument>::iterator find(Args& args, std::string_view name) {
    return std::find_if(args.named.begin(), args.named.end(), [&](const NamedArgument& a) { return a.text() == name; });
  }
};

}  // namespace

Value make_macro(Machine& m, std::shared_ptr<const MacroCode> code) {
  m.capture_scope(m.scope);
  auto macro = make_ref<Macro>();
  macro->code = std::move(code);
  macro->closure = m.scope;
  return Value::of(Kind::object, std::move(macro));
}

Flow MacroDefinition::run(Machine& m) const {
  m.set(name, make_macro(m, code));
  return Flow::normal;
}

Flow CallBlock::run(Machine& m) const {
  const Value body = make_macro(m, code);
  Args none;
  m.print(call ? call->call(m, &body) : m.call(body, none));
  return Flow::normal;
}

}  // namespace puna::jinja
