// tools.cpp -- tools that a model may call, and the calls in its answers.
#include <deque>

#include "base/json.h"
#include "buffer.h"
#include "grammar_handle.h"
#include "handles.h"
#include "puna/chat/tool_parser.h"
#include "puna/runtime/tool_grammar.h"
#include "puna_chat.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

struct puna_tools {
  struct State {
    ModelPtr model;  // or NULL
    Tools tools;
    const ToolFormat* format = nullptr;
    std::string format_name, json;
  };
  std::shared_ptr<const State> state;  // shared with its parsers
};

struct puna_tool_parser {
  struct Event {
    ToolEvent event;
    std::string text;
  };
  std::shared_ptr<const puna_tools::State> tools;
  ToolCallParser parser;
  std::deque<Event> events;
  size_t read = 0;  // events that were taken

  void forget_read() {
    events.erase(events.begin(), events.begin() + ptrdiff_t(read));
    read = 0;
  }
  auto sink() {
    return [this](const ToolEvent& e) { events.push_back({e, std::string(e.text)}); };
  }
};

namespace puna::capi {

static const puna_tools::State& use(const puna_tools* tools) {
  PUNA_REQUIRE(tools != nullptr, "tools is NULL");
  if (tools->state->model) tools->state->model->context().require_same_process();
  return *tools->state;
}

static puna_tool_parser& use(puna_tool_parser* parser) {
  PUNA_REQUIRE(parser != nullptr, "parser is NULL");
  if (parser->tools->model) parser->tools->model->context().require_same_process();
  return *parser;
}

}  // namespace puna::capi

namespace {

std::vector<WrittenCall> written_calls(std::string_view text) {
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_json_argument(text, "calls", Watch(), /*exactly=*/true);
  PUNA_REQUIRE(json.is_array(), "calls: expected a JSON list");
  std::vector<WrittenCall> out;
  for (size_t i = 0; i < json.size(); ++i) {
    const OrderedJson& call = json[i];
    const bool fine = call.is_object() && call.contains("name") && call["name"].is_string() &&
                      call.contains("arguments") && (call["arguments"].is_object() || call["arguments"].is_string());
    PUNA_REQUIRE(fine, "calls: /%zu: expected an object with a name and arguments, an object or its JSON", i);
    const OrderedJson& arguments = call["arguments"];
    out.push_back({call["name"], arguments.is_string() ? arguments.get<std::string>() : json_text(arguments)});
  }
  return out;
}

}  // namespace

puna_status puna_tools_create(const puna_model* model, const char* json, size_t bytes,
                              const puna_tools_options* options, puna_tools** tools) {
  return guard([&] {
    PUNA_REQUIRE(tools != nullptr, "tools is NULL");
    const puna_tools_options o = read_options(options, "puna_tools_options");
    require_reserved(o.reserved, "puna_tools_options");
    const std::string_view format = o.format ? o.format : std::string_view();
    PUNA_REQUIRE(model != nullptr || !format.empty(), "model is NULL and the options name no format");
    const auto state = std::make_shared<puna_tools::State>();
    if (model) {
      capi::use(model);
      state->model = model->impl;
    }
    state->tools = Tools::parse(text_view(json, bytes, "json"));
    state->format = format.empty() ? &model->impl->tool_format() : &tool_format(format);
    state->format_name = tool_format_name(*state->format);
    state->json = state->tools.json();
    *tools = new puna_tools{state};
  });
}

puna_status puna_tools_get_info(const puna_tools* tools, puna_tools_info* info) {
  return guard([&] {
    const puna_tools::State& t = use(tools);
    puna_tools_info i{};
    i.count = int32_t(t.tools.all().size());
    i.format = t.format_name.c_str();
    i.json = t.json.c_str();
    i.json_size = t.json.size();
    write_info(i, info, "puna_tools_info");
  });
}

puna_status puna_tools_write(const puna_tools* tools, const char* calls, size_t bytes, puna_buffer* text) {
  return guard([&] {
    const puna_tools::State& t = use(tools);
    puna_buffer& out = capi::use(text, "text");
    std::string joined;
    for (const ChatSegment& s : write_tool_calls(*t.format, written_calls(text_view(calls, bytes, "calls"))))
      joined += s.text;
    out.store(joined);
  });
}

puna_status puna_tools_create_grammar(const puna_tools* tools, const puna_tools_grammar_options* options,
                                      puna_grammar** grammar) {
  return guard([&] {
    const puna_tools::State& t = use(tools);
    PUNA_REQUIRE(grammar != nullptr, "grammar is NULL");
    const puna_tools_grammar_options o = read_options(options, "puna_tools_grammar_options");
    const puna_grammar_options json = read_options(o.json, "puna_grammar_options");
    PUNA_REQUIRE(json.kind == PUNA_GRAMMAR_JSON_SCHEMA, "kind is %d, expected 0: arguments are JSON by a schema",
                 json.kind);
    require_reserved(json.reserved, "puna_grammar_options");
    const auto go_on = [&] { return json.watch(json.watch_user) == 0; };
    const Watch watch(json.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    auto out = std::make_unique<puna_grammar>();
    ToolGrammarOptions make;
    make.choice = ToolChoice::parse(o.tool_choice ? o.tool_choice : std::string_view());
    make.choice.parallel = !flag(o.one_call, "one_call");
    make.json = json_options_from_c(json);
    make.json.notes = &out->notes;
    make.tokenizer = t.model ? t.model->tokenizer() : nullptr;
    out->impl = tool_grammar(t.tools, *t.format, make, watch);
    out->show_notes();
    *grammar = out->impl ? out.release() : nullptr;
  });
}

void puna_tools_free(puna_tools* tools) {
  if (!tools) return;
  if (const ModelPtr model = tools->state->model)
    free_handle(tools, model->context());
  else
    delete tools;
}

puna_status puna_tool_parser_create(const puna_tools* tools, const puna_tool_parser_options* options,
                                    puna_tool_parser** parser) {
  return guard([&] {
    const puna_tools::State& t = use(tools);
    PUNA_REQUIRE(parser != nullptr, "parser is NULL");
    const puna_tool_parser_options o = read_options(options, "puna_tool_parser_options");
    ToolCallParser::Options read;
    read.early = flag(o.early, "early");
    if (o.most_held > 0) read.most_held = size_t(o.most_held);
    PUNA_REQUIRE(o.thoughts >= 0 && o.thoughts <= 2, "thoughts is %d, expected 0 to 2", o.thoughts);
    read.thoughts = o.thoughts > 0;
    read.begins_in_thought = o.thoughts == 2;
    *parser = new puna_tool_parser{tools->state, ToolCallParser(t.tools, *t.format, read), {}, 0};
  });
}

puna_status puna_tool_parser_push(puna_tool_parser* parser, int32_t token, const char* text, size_t bytes) {
  return guard([&] {
    puna_tool_parser& p = use(parser);
    const std::string_view piece = text_view(text, bytes, "text");
    PUNA_REQUIRE(token >= -1, "token is %d, expected an id or -1", token);
    const Tokenizer* tokenizer = token >= 0 && p.tools->model ? p.tools->model->tokenizer() : nullptr;
    const bool special = tokenizer && tokenizer->is_special(token);
    const std::string_view name = special ? tokenizer->bytes(token) : std::string_view();
    p.forget_read();
    p.parser.push(piece, p.sink());
    if (special && !piece.ends_with(name)) p.parser.push_special(name, p.sink());  // else it was kept in the text
  });
}

puna_status puna_tool_parser_finish(puna_tool_parser* parser) {
  return guard([&] {
    puna_tool_parser& p = use(parser);
    p.forget_read();
    p.parser.finish(p.sink());
  });
}

puna_status puna_tool_parser_next(puna_tool_parser* parser, puna_tool_event* event) {
  return guard([&] {
    puna_tool_parser& p = use(parser);
    puna_tool_event out{};
    out.text = "";
    const bool more = p.read < p.events.size();
    if (more) {
      const puna_tool_parser::Event& e = p.events[p.read];
      out.kind = int32_t(e.event.kind) + PUNA_TOOL_TEXT;
      out.call = int32_t(e.event.call);
      out.complete = e.event.kind == ToolEvent::Kind::call_end && e.event.complete;
      out.text = e.text.c_str();
      out.size = e.text.size();
      out.begin = e.event.begin;
      out.end = e.event.end;
    }
    write_info(out, event, "puna_tool_event");
    p.read += more;
  });
}

void puna_tool_parser_free(puna_tool_parser* parser) {
  if (!parser) return;
  if (const ModelPtr model = parser->tools->model)
    free_handle(parser, model->context());
  else
    delete parser;
}
