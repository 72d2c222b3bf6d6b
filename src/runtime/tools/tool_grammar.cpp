// tool_grammar.cpp -- from the pieces of a format (chat/tool_constraint.h) to rules.
#include "puna/runtime/tool_grammar.h"

#include "grammar/builder.h"
#include "grammar/json_schema/json_in_rules.h"
#include "puna/base/error.h"
#include "runtime/tools/tool_schema.h"

namespace puna {
namespace {

using grammar::Builder;
using grammar::ByteSet;
using grammar::JsonForm;
using grammar::kUnbounded;
using grammar::Regex;
using grammar::RegexBuilder;
using grammar::Symbol;

JsonForm form_of(ToolConstraint::Arguments arguments) {
  switch (arguments) {
    case ToolConstraint::Arguments::python: return JsonForm::python_keywords;
    case ToolConstraint::Arguments::gemma: return JsonForm::gemma_members;
    default: return JsonForm::json;
  }
}

class ToolRules {
 public:
  ToolRules(const ToolConstraint& constraint, const ToolGrammarOptions& options, Builder& build, const Watch& watch)
      : constraint_(constraint),
        options_(options),
        form_(form_of(constraint.arguments)),
        build_(build),
        regexes_(build.regexes()),
        space_(grammar::json_space(regexes_, options.json.max_whitespace)),
        watch_(watch) {}

  Symbol answer() {
    Symbol calls = calls_in_a_row();
    if (!constraint_.free_text_first) return calls;
    if (!constraint_.bare_calls.empty()) {
      const Symbol either = build_.rule("calls"), bare = any_of_calls(constraint_.bare_calls);
      build_.alternative(either, {&calls, 1});
      build_.alternative(either, {&bare, 1});
      calls = either;
    }
    const Symbol text = text_between_calls();
    const Symbol more[] = {calls, text};
    const Symbol root[] = {text, build_.repeat(rule("calls and text", more), 0, constraint_.many ? kUnbounded : 1)};
    return rule("answer", root);
  }

  Symbol calls_or_text() {
    const Symbol answer = build_.rule("answer");
    if (constraint_.constrained) {
      const Symbol calls[] = {calls_in_a_row()};
      build_.alternative(answer, calls);
    }
    const Symbol text[] = {add_json_schema(build_, options_.text_schema, JsonForm::json, options_.json, watch_)};
    build_.alternative(answer, text);
    return answer;
  }

 private:
  Symbol rule(std::string_view name, std::span<const Symbol> sequence) {
    const Symbol rule = build_.rule(name);
    build_.alternative(rule, sequence);
    return rule;
  }

  Symbol any_of_calls(const std::vector<ToolConstraint::Call>& calls) {
    const Symbol call = build_.rule("call");
    for (const ToolConstraint::Call& c : calls) {
      std::vector<Symbol> sequence;
      add(c.before, sequence);
      sequence.push_back(arguments(c));
      add(c.after, sequence);
      build_.alternative(call, sequence);
    }
    return call;
  }

  Symbol calls_in_a_row() {
    const Symbol call = any_of_calls(constraint_.calls);
    std::vector<Symbol> sequence, separator;
    add(constraint_.begin, sequence);
    add(constraint_.separator, separator);
    if (!constraint_.many)
      sequence.push_back(call);
    else if (separator.empty())
      sequence.push_back(build_.repeat(call, 1, kUnbounded));
    else
      sequence.push_back(build_.repeat(call, 1, kUnbounded, rule("between calls", separator)));
    add(constraint_.end, sequence);
    return rule("calls", sequence);
  }

  // Errors say which tool. A schema that nothing satisfies is one as well, where the grammar of all tools would leave
  // the tool out: so each is looked at alone first.
  Symbol arguments(const ToolConstraint::Call& call) {
    std::vector<std::string> notes;
    JsonSchemaOptions json = options_.json;
    json.notes = &notes;
    try {
      const std::string schema = tool_arguments_schema(call.schema, notes, watch_);
      {
        const std::unique_ptr<Builder> alone = grammar::make_builder(json.limits, watch_);
        JsonSchemaOptions silent = json;
        silent.notes = nullptr;
        (void)alone->finish(add_json_schema(*alone, schema, form_, silent, watch_));
      }
      const Symbol symbol = add_json_schema(build_, schema, form_, json, watch_);
      if (options_.json.notes)
        for (const std::string& note : notes) options_.json.notes->push_back("tool '" + call.name + "': " + note);
      return symbol;
    } catch (const Error& e) {
      if (e.status() != Status::invalid_argument && e.status() != Status::unsupported) throw;
      fail(e.status(), "tools: tool '%s': parameters: %s", call.name.c_str(), e.what());
    }
  }

  void add(const std::vector<ChatSegment>& segments, std::vector<Symbol>& sequence) {
    for (const ChatSegment& s : segments) {
      const int32_t id = s.special && options_.tokenizer ? options_.tokenizer->find(s.text) : -1;
      const bool token = id >= 0 && options_.tokenizer->is_special(id);
      sequence.push_back(token ? build_.special_token(s.text)
                               : build_.lexeme(s.special ? regexes_.literal(s.text) : written(s.text)));
    }
  }

  // Where a call must come it is written in one way, which drafts foresee. After free text it may begin with any white
  // space that a model gives it, since otherwise one that has begun so could not go on.
  Regex written(std::string_view text) {
    if (!constraint_.free_text_first || form_ == JsonForm::gemma_members) return regexes_.literal(text);
    std::vector<Regex> parts;
    bool in_string = false, behind_space = false;
    const auto space = [&] {
      if (!behind_space) parts.push_back(space_);
      behind_space = true;
    };
    for (const char c : text) {
      if (c == '"') in_string = !in_string;
      const bool opens = !in_string && (c == '{' || c == ':' || c == ','), closes = !in_string && c == '}';
      if (!in_string && c == ' ') {
        space();
        continue;
      }
      if (closes) space();
      parts.push_back(regexes_.literal(std::string_view(&c, 1)));
      behind_space = false;
      if (opens) space();
    }
    return regexes_.concat(parts);
  }

  // Free text, and the special tokens of its messages' headers.
  Symbol text_between_calls() {
    const Symbol text = build_.lexeme(free_text());
    std::vector<Symbol> marks;
    for (const std::string& name : constraint_.free_text.specials) {
      const int32_t id = options_.tokenizer ? options_.tokenizer->find(name) : -1;
      if (id >= 0 && options_.tokenizer->is_special(id))
        marks.push_back(build_.special_token(name));  // else it is text
    }
    if (marks.empty()) return text;
    const Symbol token = build_.rule("mark of a message");
    for (const Symbol& mark : marks) build_.alternative(token, {&mark, 1});
    const Symbol more[] = {token, text};
    const Symbol sequence[] = {text, build_.repeat(rule("mark and text", more), 0, kUnbounded)};
    return rule("text", sequence);
  }

  // Text in which the parser sees no call.
  Regex free_text() {
    const auto literal = [&](std::string_view text) { return regexes_.literal(text); };
    const auto concat = [&](std::initializer_list<Regex> parts) { return regexes_.concat(std::vector<Regex>(parts)); };
    const auto either = [&](std::initializer_list<Regex> parts) { return regexes_.either(std::vector<Regex>(parts)); };
    const auto any_of = [&](std::string_view bytes) {
      ByteSet set;
      for (const char c : bytes) set.add(uint8_t(c));
      return regexes_.repeat(regexes_.bytes(set), 0, kUnbounded);
    };
    std::vector<std::string_view> names;
    for (const ToolConstraint::Call& c : constraint_.calls) names.push_back(c.name);
    const Regex name = regexes_.words(names), all = regexes_.all();

    const ToolConstraint::FreeText& free = constraint_.free_text;
    std::vector<Regex> never;
    for (const std::string& mark : free.marks) never.push_back(literal(mark));
    if (free.json_calls)
      never.push_back(concat({literal("\""), either({literal("name"), literal("function")}), literal("\""),
                              any_of(" \t\r\n"), literal(":"), any_of(" \t\r\n"), literal("\""), name, literal("\"")}));
    const Regex python_call = concat({name, either({literal(".call"), regexes_.empty()}), literal("(")});
    if (free.python_calls) {
      ByteSet in_line = ByteSet::any();
      in_line.bits[0] &= ~(uint64_t(1) << '\n');
      const Regex comment =
          concat({literal("#"), regexes_.repeat(regexes_.bytes(in_line), 0, kUnbounded), literal("\n")});
      ByteSet blank;
      for (const char c : {' ', '\t', '\r', '\n'}) blank.add(uint8_t(c));
      const Regex gap = regexes_.repeat(either({regexes_.bytes(blank), comment}), 0, kUnbounded);
      never.push_back(concat({literal("["), gap, python_call}));
    }
    std::vector<Regex> text{regexes_.complement(concat({all, regexes_.either(never), all}))};
    if (free.python_calls) text.push_back(regexes_.complement(concat({any_of(" \t\r\n;,"), python_call, all})));
    return regexes_.both(text);
  }

  const ToolConstraint& constraint_;
  const ToolGrammarOptions& options_;
  const JsonForm form_;
  Builder& build_;
  RegexBuilder& regexes_;
  const Regex space_;
  const Watch& watch_;
};

}  // namespace

GrammarPtr tool_grammar(const Tools& tools, const ToolFormat& format, const ToolGrammarOptions& options,
                        const Watch& watch) {
  ToolChoice choice = options.choice;
  if (!options.text_schema.empty()) {
    PUNA_REQUIRE(choice.kind == ToolChoice::Kind::automatic,
                 "a schema of the text, where a call must come or none may");
    choice.kind = tools.empty() ? ToolChoice::Kind::none : ToolChoice::Kind::required;
  }
  const ToolConstraint constraint = tool_constraint(tools, format, choice);
  if (!constraint.constrained && options.text_schema.empty()) return nullptr;
  const std::unique_ptr<Builder> build = grammar::make_builder(options.json.limits, watch);
  ToolRules rules(constraint, options, *build, watch);
  return build->finish(options.text_schema.empty() ? rules.answer() : rules.calls_or_text());
}

}  // namespace puna
