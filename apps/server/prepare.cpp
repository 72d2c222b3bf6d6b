#include "prepare.h"

#include <algorithm>
#include <ctime>
#include <random>

#include "json_out.h"
#include "puna/chat/dropped_fields.h"
#include "puna/chat/tool_parser.h"
#include "puna/runtime/image.h"
#include "puna/runtime/tool_grammar.h"
#ifdef PUNA_HAVE_DECODERS
#include "puna/image/decode.h"
#endif

namespace puna::serve {
namespace {

constexpr int kLookup = 0;  // of prompt lookup; the engine's adaptive length finds what pays

std::string today() {
  const time_t now = time(nullptr);
  tm parts{};
#ifdef _WIN32
  localtime_s(&parts, &now);
#else
  localtime_r(&now, &parts);
#endif
  char text[16];
  return {text, strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

uint64_t random_seed() {
  static thread_local std::mt19937_64 source{std::random_device{}()};
  return source();
}

ImagePtr open_picture(const ModelPtr& model, const std::string& file, size_t index) {
#ifdef PUNA_HAVE_DECODERS
  const std::string what = "image " + std::to_string(index + 1);
  try {
    model->require_vision();
    return Image::from_picture(model, decode_picture(model->context(), std::as_bytes(std::span(file))).view());
  } catch (const Error& e) {
    throw api_error(e.status(), what + ": " + e.what(), "messages");
  }
#else
  (void)model, (void)file, (void)index;
  refuse("messages", "this server was built without picture decoders");
#endif
}

void tell_of_tools(std::vector<ChatMessage>& messages, const Tools& tools) {
  const bool system = !messages.empty() && messages[0].role == "system" && messages[0].text;
  if (!system) messages.insert(messages.begin(), ChatMessage{.role = "system"});
  messages[0].content = json_string((system ? *messages[0].text + "\n\n" : "") + told_of_tools(tools));
}

// Where the template writes nothing of a turn's calls, its text has them, as tell_of_tools() asks for them.
void tell_of_calls(ChatMessage& m) {
  const std::string said = m.text && !m.text->empty() ? *m.text + "\n" : "";
  m.text = said + m.told_calls;
  m.content = json_string(*m.text);
  m.tool_calls.clear();
}

// What a template is given.
std::string variables_of(const ChatRequest& r, const std::vector<ChatMessage>& messages, const std::string& tools) {
  std::string list;
  for (const ChatMessage& m : messages) list += (list.empty() ? "" : ",") + m.json();
  return "{" + r.template_variables + R"("messages":[)" + list + R"(],"add_generation_prompt":true,"tools":)" + tools +
         "}";
}

// The same text without any calls: the template writes nothing of them.
bool writes_no_calls(const ChatRequest& r, const RenderedChat& chat, const std::string& tools, const Model& model,
                     const Watch& watch) {
  std::vector<ChatMessage> without = r.messages;
  for (ChatMessage& m : without) m.tool_calls.clear();
  try {
    return model.render_chat(variables_of(r, without, tools), today(), watch).text == chat.text;
  } catch (const Error& e) {
    if (e.status() == Status::cancelled) throw;
    return false;  // it misses them
  }
}

// Nothing of a request is left out in silence: tools and calls that the template does not write are told as text, and
// what cannot be told is refused.
RenderedChat render(const ChatRequest& r, const Model& model, const Watch& watch) {
  const bool with_tools = !r.tools.empty() && r.choice.kind != ToolChoice::Kind::none;
  const bool with_calls =
      std::any_of(r.messages.begin(), r.messages.end(), [](const ChatMessage& m) { return !m.tool_calls.empty(); });
  std::string tools = with_tools ? r.tools.json() : "null";
  std::vector<ChatMessage> messages = r.messages;
  std::string json = variables_of(r, messages, tools);
  RenderedChat chat = model.render_chat(json, today(), watch);
  std::vector<bool> told(messages.size(), false);
  bool tell_tools = false;
  if (with_calls && writes_no_calls(r, chat, tools, model, watch))
    for (size_t i = 0; i < messages.size(); ++i) told[i] = !messages[i].tool_calls.empty();
  const auto message_of = [&](const std::string& field) -> ptrdiff_t {
    size_t index = 0;
    return sscanf(field.c_str(), "messages[%zu]", &index) == 1 && index < messages.size() ? ptrdiff_t(index) : -1;
  };
  const auto refuse_dropped = [&](const std::string& field, const std::string& role) {
    refuse(field, "this model's chat template writes nothing of '" + field + "' (role " + role + ")");
  };
  for (const std::string& field : dropped_fields(json, chat, watch)) {
    const ptrdiff_t i = message_of(field);
    if (field == "tools") tell_tools = with_tools;
    if (i < 0) continue;
    if (field.ends_with(".tool_calls")) told[size_t(i)] = true;
    if (field.ends_with(".content") && messages[size_t(i)].role != "assistant")
      refuse_dropped(field, messages[size_t(i)].role);
  }
  if (!tell_tools && std::find(told.begin(), told.end(), true) == told.end()) return chat;
  for (size_t i = 0; i < messages.size(); ++i)
    if (told[i]) tell_of_calls(messages[i]);
  size_t before = 0;  // messages in front of the first one
  if (tell_tools) {
    tools = "null";
    tell_of_tools(messages, r.tools);
    before = messages.size() - r.messages.size();
  }
  json = variables_of(r, messages, tools);
  chat = model.render_chat(json, today(), watch);
  for (const std::string& field : dropped_fields(json, chat, watch)) {
    const ptrdiff_t i = message_of(field);
    if (i < ptrdiff_t(before) || !field.ends_with(".content") || !told[size_t(i) - before]) continue;
    refuse_dropped("messages[" + std::to_string(size_t(i) - before) + "].tool_calls", "assistant");
  }
  return chat;
}

Tools callable(const ChatRequest& r) {
  if (r.choice.kind == ToolChoice::Kind::none || r.tools.empty()) return {};
  if (r.allowed.empty()) return r.tools;
  std::string json = "[";
  for (const Tool& t : r.tools.all())
    if (std::find(r.allowed.begin(), r.allowed.end(), t.name) != r.allowed.end())
      json += (json.size() > 1 ? "," : "") + t.json;
  return Tools::parse(json + "]");
}

// Calls are constrained whenever their schemas can be; where one cannot, that is an error if a call is demanded or
// strict, since what was asked for is never quietly left out.
GrammarPtr grammar_of_tools(const ToolChoice& choice, const std::string& text, const Tools& tools, const Model& model,
                            const Watch& watch) {
  ToolGrammarOptions options;
  options.choice = choice;
  options.text_schema = text;
  options.tokenizer = &model.require_tokenizer();
  try {
    return tool_grammar(tools, model.tool_format(), options, watch);
  } catch (const Error& e) {
    const bool strict = std::any_of(tools.all().begin(), tools.all().end(), [](const Tool& t) { return t.strict; });
    if (e.status() == Status::cancelled || strict || !text.empty() || choice.kind != ToolChoice::Kind::automatic)
      throw api_error(e, "tools");
    return nullptr;
  }
}

// What holds calls, and where the text has a form as well: either calls alone, or a text of that form.
GrammarPtr constrain_calls(const ChatRequest& r, const ChosenModel& chosen, const Watch& watch, Reading& reading) {
  const auto grammar = [&](const ToolChoice& choice, const std::string& text) {
    const std::string from = "tools" + std::to_string(int(choice.kind)) + (choice.parallel ? "+" : "-") + choice.name +
                             "," + std::to_string(text.size()) + text + reading.tools.json();
    return chosen.loaded->grammars.get(
        from, [&] { return grammar_of_tools(choice, text, reading.tools, chosen.model(), watch); });
  };
  const GrammarPtr text = compile(r.format, chosen, watch);
  if (!text || r.choice.kind != ToolChoice::Kind::automatic) {
    const GrammarPtr answer = grammar(r.choice, "");
    reading.early = answer != nullptr;
    return answer;
  }
  ToolChoice calls = r.choice;
  calls.kind = ToolChoice::Kind::required;
  reading.calls = grammar(calls, "");
  reading.text = text;
  reading.early = true;
  return grammar(r.choice, r.format.text);
}

}  // namespace

namespace {

GrammarPtr compiled(const Constraint& c, const Watch& watch) {
  try {
    switch (c.kind) {
      case Constraint::Kind::none: return nullptr;
      case Constraint::Kind::any_object:
      case Constraint::Kind::json_schema: return grammar_from_json_schema(c.text, {}, watch);
      case Constraint::Kind::regex: return grammar_from_regex(c.text, {}, watch);
      case Constraint::Kind::gbnf: return grammar_from_gbnf(c.text, {}, watch);
      case Constraint::Kind::choices: return grammar_from_choices(c.choices, {}, watch);
    }
  } catch (const Error& e) {
    throw api_error(e, c.param);
  }
  return nullptr;
}

}  // namespace

GrammarPtr compile(const Constraint& c, const ChosenModel& chosen, const Watch& watch) {
  if (c.kind == Constraint::Kind::none) return nullptr;
  std::string from = std::to_string(int(c.kind)) + c.text;
  for (const std::string& choice : c.choices) from += std::to_string(choice.size()) + ":" + choice;
  return chosen.loaded->grammars.get(from, [&] { return compiled(c, watch); });
}

namespace {

[[noreturn]] void refuse_too_long(const std::string& tokens, const ChosenModel& chosen, const std::string& param) {
  refuse(param,
         "the prompt has " + tokens + " tokens, the context of " + chosen.name + " holds " +
             std::to_string(chosen.loaded->max_positions) + " with the answer. Nothing was left out of it: send less",
         "context_length_exceeded");
}

}  // namespace

void require_fits(size_t tokens, const ChosenModel& chosen, const std::string& param) {
  if (int64_t(tokens) < chosen.loaded->max_positions) return;  // an answer takes a position at least
  refuse_too_long(std::to_string(tokens), chosen, param);
}

namespace {

// A text of up to four contexts is counted, so that the error can say how much is too much.
std::vector<int32_t> fitting_ids(const RenderedChat& text, bool parse_special, const ChosenModel& chosen,
                                 const std::string& param, const Watch& watch) {
  const size_t most = 4 * size_t(chosen.loaded->max_positions);
  std::optional<std::vector<int32_t>> ids =
      chosen.model().require_tokenizer().encode_within(text, parse_special, most, watch);
  if (!ids) refuse_too_long("more than " + std::to_string(most), chosen, param);
  return std::move(*ids);
}

}  // namespace

void require_ids(const std::vector<int32_t>& ids, const ChosenModel& chosen, const std::string& param) {
  const int64_t vocab = chosen.model().config().vocab;
  for (const int32_t id : ids)
    if (id >= vocab)
      refuse(param, "token " + std::to_string(id) + " of '" + param + "' is beyond the vocabulary, 0 to " +
                        std::to_string(vocab - 1));
}

std::vector<int32_t> prompt_ids(const std::string& text, bool parse_special, const ChosenModel& chosen,
                                const std::string& param, const Watch& watch) {
  std::vector<int32_t> ids = fitting_ids({text, {}}, parse_special, chosen, param, watch);
  put_bos_first(chosen.model().require_tokenizer(), ids);
  require_fits(ids.size(), chosen, param);
  return ids;
}

GenerateOptions generate_options(const Sampling& s, const ChosenModel& chosen, size_t prompt_tokens) {
  GenerateOptions g;
  g.sampler = s.sampler;
  if (!s.seeded) g.sampler.seed = random_seed();
  const int64_t room = chosen.loaded->max_positions - int64_t(prompt_tokens);
  g.max_tokens = s.max_tokens > 0 ? std::min(s.max_tokens, room) : room;
  g.stop_strings = s.stop;
  g.ignore_eos = s.ignore_eos;
  g.lookup_tokens = kLookup;
  if (s.top_logprobs >= 0) g.log_probabilities = s.top_logprobs + 1;
  for (const auto& [id, value] : s.sampler.logit_bias)
    if (id >= chosen.model().config().vocab)
      refuse("logit_bias", "'logit_bias' has the token " + std::to_string(id) + ", the vocabulary " +
                               std::to_string(chosen.model().config().vocab));
  return g;
}

namespace {

Prepared prepare_turns(const ChatRequest& r, const ChosenModel& chosen, const Watch& watch) {
  const Model& model = chosen.model();
  Prepared p;
  RenderedChat chat;
  try {
    chat = render(r, model, watch);
  } catch (const Error& e) {
    throw api_error(e, "messages");
  }
  p.reading.chat = true;
  p.reading.begins_in_thought = ends_in_thought(chat.text);
  std::vector<int32_t> ids = fitting_ids(chat, true, chosen, "messages", watch);
  require_fits(ids.size(), chosen, "messages");
  std::vector<ImagePtr> images;
  for (size_t i = 0; i < r.images.size(); ++i) images.push_back(open_picture(chosen.loaded->model, r.images[i], i));
  try {
    p.prompt = expand_images(model, ids, images);
  } catch (const Error& e) {
    throw api_error(e, "messages");
  }
  require_fits(p.prompt.tokens.size(), chosen, "messages");
  p.generate = generate_options(r.sampling, chosen, p.prompt.tokens.size());
  p.reading.tools = callable(r);
  p.reading.logprobs = r.sampling.top_logprobs >= 0;
  p.generate.grammar =
      p.reading.tools.empty() ? compile(r.format, chosen, watch) : constrain_calls(r, chosen, watch, p.reading);
  return p;
}

}  // namespace

Prepared prepare_chat(const ChatRequest& r, const ChosenModel& chosen, const Watch& watch) {
  try {
    return prepare_turns(r, chosen, watch);
  } catch (ApiError& e) {
    r.own_names.apply(e);
    throw;
  }
}

}  // namespace puna::serve
