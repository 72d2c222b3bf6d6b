// puna chat: the model's own chat template, one answer (--prompt) or a conversation. Greedy unless a temperature is
// given.
#include <algorithm>
#include <iostream>

#include "base/json.h"
#include "calls.h"
#include "common.h"
#include "dropped.h"
#include "grammars.h"
#include "interrupt.h"
#include "pictures.h"
#include "puna/base/error.h"
#include "puna/chat/dropped_fields.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/tool_grammar.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct ChatFlags {
  ModelFlags model;
  SamplingFlags sampling;
  SessionFlags session;
  DraftFlags drafts;
  GrammarFlags grammar;
  std::string system, prompt, date, template_name, tools, tool_choice;
  std::vector<std::string> images;
  int64_t max_tokens = 0;
};

class Chat {
 public:
  Chat(const ChatFlags& f, GrammarPtr grammar, ModelPtr model)
      : flags_(f),
        grammar_(std::move(grammar)),
        model_(std::move(model)),
        session_(model_, f.session.read()),
        draft_(f.drafts.open(*model_)) {
    session_.use(f.model.open_adapter(*model_));
    if (!f.system.empty()) add("system", f.system);
    if (!f.tools.empty()) tools_ = Tools::parse(read_input(f.tools));
    if (!f.tool_choice.empty()) hold_to(ToolChoice::parse(f.tool_choice));
  }

  // Streams the answer to standard output, calls a line each: the tool's name and its arguments. Ctrl-C ends the
  // answer; what was generated so far stays in the history, and a question without any answer does not. False: Ctrl-C
  // ended it.
  bool answer(const std::string& text) {
    const History before{messages_, images_.size(), calls_};
    calls_.clear();
    add("user", with_pictures(text));
    return answer(before);
  }

  // The result of the first call that has none; when all have theirs, the model goes on. Whether it did, to the end.
  bool give_result(const std::string& text) {
    if (calls_.empty()) fail(Status::invalid_argument, "no call waits for a result");
    const History before{messages_, images_.size(), calls_};
    messages_.push_back({{"role", "tool"},
                         {"tool_call_id", calls_.front()["id"]},
                         {"name", calls_.front()["function"]["name"]},
                         {"content", text}});
    calls_.erase(calls_.begin());
    return calls_.empty() && answer(before);
  }

  const GenerateResult& last() const { return last_; }
  void report() const { flags_.drafts.report(accepted_, rejected_); }

  // Goes with the next question.
  void show(const std::string& file) { shown_.push_back(open_image(model_, file)); }

 private:
  struct History {
    OrderedJson messages;
    size_t images;
    std::vector<OrderedJson> calls;
  };

  bool answer(const History& before) {
    GenerateOptions options;
    options.sampler = flags_.sampling.options;
    options.max_tokens = flags_.max_tokens;
    options.keep_shared = true;  // earlier turns are not computed again
    options.grammar = grammar_;
    options.close_answer = grammar_ && flags_.grammar.close();
    flags_.drafts.apply(options, draft_.get());
    AnswerWithCalls reply(*model_, read_calls_ ? tools_ : Tools());
    bool asked = true;
    GenerateResult result;
    session_.clear_cancel();  // of a Ctrl-C that ended the last answer without its help
    Interrupt interrupt(session_);
    try {
      const Prompt asked_with = prompt(interrupt);
      if (in_thought_) reply.begin_in_thought();
      result = generate(session_, asked_with, options, [&](const GeneratedToken& token) {
        reply.hear(token);
        return !interrupt.requested();
      });
      reply.end();
      accepted_ += result.accepted_drafts;
      rejected_ += result.rejected_drafts;
    } catch (const Error& e) {
      reply.end();
      // the conversation goes on as if the question had not been asked
      if (e.status() != Status::cancelled || reply.empty()) {
        messages_ = before.messages;
        images_.resize(before.images);
        calls_ = before.calls;
        asked = false;
      }
      if (e.status() != Status::cancelled || !interrupt.requested()) throw;
    }
    print("\n");
    last_ = std::move(result);
    if (asked) {
      messages_.push_back(reply.message());
      calls_ = reply.calls();
    }
    return !interrupt.requested();
  }

  // Answers keep to the tools from now on.
  void hold_to(const ToolChoice& choice) {
    std::vector<std::string> notes;
    ToolGrammarOptions options;
    options.choice = choice;
    options.json.notes = &notes;
    options.tokenizer = model_->tokenizer();
    grammar_ =
        stoppable([&](const Watch& watch) { return tool_grammar(tools_, model_->tool_format(), options, watch); });
    for (const std::string& note : notes) warn(note);
    read_calls_ = choice.kind != ToolChoice::Kind::none;
  }

  void add(const char* role, const OrderedJson& content) {
    messages_.push_back({{"role", role}, {"content", content}});
  }

  // The template puts <|image|> where a part of type "image" stands.
  OrderedJson with_pictures(const std::string& text) {
    if (shown_.empty()) return text;
    OrderedJson parts = OrderedJson::array();
    for (ImagePtr& image : shown_) {
      parts.push_back({{"type", "image"}});
      images_.push_back(std::move(image));
    }
    shown_.clear();
    parts.push_back({{"type", "text"}, {"text", text}});
    return parts;
  }

  Prompt prompt(const Interrupt& interrupt) {
    const auto go_on = [&] { return !interrupt.requested(); };
    const Watch watch(go_on);
    OrderedJson variables = {{"messages", messages_}, {"tools", nullptr}, {"add_generation_prompt", true}};
    if (!tools_.empty() && !tell_of_tools_) variables["tools"] = parse_ordered_json(tools_.json(), "tools");
    if (tell_of_tools_) tell_of_tools(variables["messages"]);
    const auto replace = OrderedJson::error_handler_t::replace;  // typed bytes need not be UTF-8
    const std::string json = variables.dump(-1, ' ', false, replace);
    const RenderedChat chat = model_->render_chat(json, flags_.date, watch, flags_.template_name);
    std::vector<std::string> dropped = dropped_fields(json, chat, watch);
    if (!tell_of_tools_ && std::erase(dropped, "tools") != 0) {
      warn("the chat template writes nothing of tools: a system message tells of them");
      tell_of_tools_ = true;
      return prompt(interrupt);
    }
    dropped_.warn(dropped);
    in_thought_ = ends_in_thought(chat.text);
    return expand_images(*model_, model_->require_tokenizer().encode_chat(chat, watch), images_);
  }

  void tell_of_tools(OrderedJson& messages) const {
    const std::string told = told_of_tools(tools_);
    if (!messages.empty() && messages[0]["role"] == "system")
      messages[0]["content"] = messages[0]["content"].get<std::string>() + "\n\n" + told;
    else
      messages.insert(messages.begin(), OrderedJson{{"role", "system"}, {"content", told}});
  }

  const ChatFlags& flags_;
  GrammarPtr grammar_;  // of every answer; NULL = none
  ModelPtr model_;
  Session session_;
  std::unique_ptr<Session> draft_;
  GenerateResult last_;                  // the last answer
  int64_t accepted_ = 0, rejected_ = 0;  // of the drafts
  OrderedJson messages_ = OrderedJson::array();
  std::vector<ImagePtr> images_, shown_;  // of the conversation, in order; of the next question
  DroppedFields dropped_;
  Tools tools_;
  bool tell_of_tools_ = false;      // by a system message, since the template does not
  bool in_thought_ = false;         // the last prompt ended so that the answer begins with a thought
  bool read_calls_ = true;          // false: what is said is text
  std::vector<OrderedJson> calls_;  // that wait for results
};

constexpr std::string_view kShow = "/image ";     // then a file: it goes with the next question
constexpr std::string_view kResult = "/result ";  // then what a tool said: of the first call that has no result

void warn_of_cut(const Chat& chat) {
  if (const std::string why = why_incomplete(chat.last(), /*cut_by_length=*/true); !why.empty()) warn(why);
}

void converse(Chat& chat) {
  const bool terminal = is_terminal(stdin);
  for (std::string line;;) {
    if (terminal) print("> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    const bool picture = line.starts_with(kShow);
    bool is_answered = false;
    try {
      if (picture)
        chat.show(line.substr(kShow.size()));
      else if (line.starts_with(kResult))
        is_answered = chat.give_result(line.substr(kResult.size()));
      else
        is_answered = chat.answer(line);
      if (is_answered) warn_of_cut(chat);
    } catch (const Error& e) {
      const bool of_line = picture || line.starts_with(kResult);
      if (!of_line && e.status() != Status::context_full) throw;
      fprintf(stderr, "puna: %s\n", e.what());
    }
  }
  if (terminal) print("\n");
  chat.report();
}

}  // namespace

void add_chat(CLI::App& app) {
  const auto f = std::make_shared<ChatFlags>();
  f->date = today();
  const Verb verb(app, "chat", "Talk to a model; Ctrl-C stops an answer, Ctrl-D ends the conversation");
  f->model.add(verb);
  f->model.add_adapter(verb);
  verb.option("--system", f->system, "the system message");
  const Option prompt = verb.option("--prompt", f->prompt, "ask this and exit (default: a conversation)");
  verb.option("--max-tokens", f->max_tokens, "the longest answer; 0 = until the model is done (default)").at_least(0);
  verb.option("--image", f->images,
              "a picture that goes with the first question; in a conversation, '/image FILE' shows another");
  f->sampling.add(verb);
  f->session.add(verb);
  f->drafts.add(verb);
  f->grammar.add(verb);
  f->grammar.add_closing(verb);
  verb.option("--ctx", f->session.options.max_positions,
              "most tokens the conversation may hold (default: the model's limit)")
      .at_least(0);
  verb.option("--date", f->date, "what the template is told is today, YYYY-MM-DD (default: today)");
  verb.option("--template", f->template_name, "which of the model's chat templates, by name (puna info lists them)");
  const Option tools =
      verb.option("--tools", f->tools,
                  "tools that the model may call, a JSON list ('-' = standard input); calls are printed a line each, "
                  "'/result TEXT' answers them");
  const Option choice = verb.option("--tool-choice", f->tool_choice,
                                    "hold answers to the tools, by their parameters: auto (text and calls), required "
                                    "(calls alone), none (text alone) "
                                    "or a tool's name; by default calls are read and not constrained");
  choice.needs(tools);
  f->grammar.exclude(choice);
  verb.run([f, prompt] {
    GrammarPtr grammar = f->grammar.open();  // before the model, which takes longer
    Chat chat(*f, std::move(grammar), f->model.open());
    for (const std::string& file : f->images) chat.show(file);
    if (!prompt.given()) return converse(chat);
    if (!chat.answer(f->prompt)) fail(Status::cancelled, "stopped");
    chat.report();
    require_complete(chat.last(), /*cut_by_length=*/true, f->grammar.close());
  });
}

}  // namespace puna::cli
