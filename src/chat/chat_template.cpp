// chat_template.cpp -- ChatTemplate on the interpreter in jinja/: parse once, render on any number of threads.
#include "puna/chat/chat_template.h"

#include "chat/jinja/globals.h"
#include "chat/jinja/parser.h"
#include "chat/jinja/reader.h"

namespace puna {
namespace {

using namespace jinja;

Value value_of(Machine& m, const ChatTemplate::Texts::mapped_type& texts) {
  if (const auto* one = std::get_if<std::string>(&texts)) return m.text(*one);
  std::vector<Value> items;
  for (const std::string& text : std::get<std::vector<std::string>>(texts)) items.push_back(m.text(text));
  return m.list(std::move(items));
}

bool is_one_of(const Value& given, const ChatTemplate::Texts& tokens) {
  if (!given.is_string()) return false;
  for (const auto& [name, texts] : tokens)
    if (const auto* one = std::get_if<std::string>(&texts); one && *one == given.text()) return true;
  return false;
}

class JinjaTemplate final : public ChatTemplate {
 public:
  JinjaTemplate(std::string_view source, const Limits& limits, const Watch& watch, TemplateStyle style)
      : limits_(limits), style_(style), source_(source), program_(parse_program(source, style, limits.depth, watch)) {}

  RenderedChat render(std::string_view variables_json, std::string_view now, const Watch& watch,
                      const Texts& otherwise) const override {
    PUNA_REQUIRE(now.empty() || is_date(now), "now is '%.20s', expected a date YYYY-MM-DD", std::string(now).c_str());
    const Value variables = read_variables(variables_json, watch);
    Machine m(limits_, now, watch, style_);
    try {
      for (const std::string& name : program_.names) {
        const Value* given = variables.as<Dict>().find_text(m, name);
        const auto token = otherwise.find(name);
        if (token == otherwise.end())
          m.context.push_back(given ? *given : find_global(m, name));
        else if (!given)
          m.context.push_back(value_of(m, token->second));
        else
          m.context.push_back(is_one_of(*given, otherwise) ? m.text(given->text()) : *given);
      }
      m.open_scope(nullptr, program_.hidden);
      m.execute(program_.body);
    } catch (const Raised& r) {
      if (now.empty() && r.message.find("'strftime_now' is undefined") != std::string::npos)
        fail(Status::invalid_argument,
             "the chat template asks for today's date, and the library reads no clock: give one, YYYY-MM-DD (C: date "
             "of the options; "
             "puna: --date; Python and Rust: date). It said: chat template line %d: %s",
             m.line, r.message.c_str());
      fail(r.status, "chat template line %d: %s", m.line, r.message.c_str());
    }
    Marked output = m.take_output();
    return {std::move(output.text), std::move(output.spans)};
  }

  bool reads(std::string_view variable) const override {
    return program_.free.contains(variable) && (variable == "strftime_now" || !is_global(variable));
  }

  const std::string& source() const noexcept override { return source_; }

 private:
  const Limits limits_;
  const TemplateStyle style_;
  const std::string source_;
  const Program program_;
};

}  // namespace

std::shared_ptr<const ChatTemplate> ChatTemplate::parse(std::string_view source, const Limits& limits,
                                                        const Watch& watch, TemplateStyle style) {
  return std::make_shared<JinjaTemplate>(source, limits, watch, style);
}

}  // namespace puna
