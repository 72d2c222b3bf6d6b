// puna chat: the model's own chat template, one answer (--prompt) or a conversation. Greedy unless a temperature is
// given.
#include <algorithm>
#include <iostream>

#include "base/json.h"
#include "common.h"
#include "dropped.h"
#include "grammars.h"
#include "interrupt.h"
#include "pictures.h"
#include "puna/base/error.h"
#include "puna/chat/dropped_fields.h"
#include "puna/runtime/generate.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct ChatFlags {
  ModelFlags model;
  SamplingFlags sampling;
  SessionFlags session;
  DraftFlags drafts;
  GrammarFlags grammar;
  std::string system, prompt, date, template_name;
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
  }

  // Streams the answer to standard output. Ctrl-C ends the answer; what was said so far stays in the history, and a
  // question that nothing was said to does not. False: it was ended so.
  bool answer(const std::string& text) {
    const OrderedJson before = messages_;
    const size_t images_before = images_.size();
    add("user", with_pictures(text));
    GenerateOptions options;
    options.sampler = flags_.sampling.options;
    options.max_tokens = flags_.max_tokens;
    options.keep_shared = true;  // earlier turns are not computed again
    options.grammar = grammar_;
    flags_.drafts.apply(options, draft_.get());
    std::string said;
    bool asked = true;
    GenerateResult result;
    session_.clear_cancel();  // of a Ctrl-C that ended the last answer without its help
    Interrupt interrupt(session_);
    try {
      result = generate(session_, prompt(interrupt), options, [&](const GeneratedToken& token) {
        print(token.text);
        said += token.text;
        return !interrupt.requested();
      });
      accepted_ += result.accepted_drafts;
      rejected_ += result.rejected_drafts;
    } catch (const Error& e) {
      if (e.status() != Status::cancelled ||
          said.empty()) {  // the conversation goes on as if the question had not been asked
        messages_ = before;
        images_.resize(images_before);
        asked = false;
      }
      if (e.status() != Status::cancelled || !interrupt.requested()) throw;
    }
    print("\n");
    if (!interrupt.requested()) GrammarFlags::report(result);
    if (asked) add("assistant", said);
    return !interrupt.requested();
  }

  void report() const { flags_.drafts.report(accepted_, rejected_); }

  // Goes with the next question.
  void show(const std::string& file) { shown_.push_back(open_image(model_, file)); }

 private:
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
    const OrderedJson variables = {{"messages", messages_}, {"tools", nullptr}, {"add_generation_prompt", true}};
    const auto replace = OrderedJson::error_handler_t::replace;  // typed bytes need not be UTF-8
    const std::string json = variables.dump(-1, ' ', false, replace);
    const auto go_on = [&] { return !interrupt.requested(); };
    const Watch watch(go_on);
    const RenderedChat chat = model_->render_chat(json, flags_.date, watch, flags_.template_name);
    dropped_.tell(dropped_fields(json, chat, watch));
    return expand_images(*model_, model_->require_tokenizer().encode_chat(chat, watch), images_);
  }

  const ChatFlags& flags_;
  GrammarPtr grammar_;  // of every answer; NULL = none
  ModelPtr model_;
  Session session_;
  std::unique_ptr<Session> draft_;
  int64_t accepted_ = 0, rejected_ = 0;  // of the drafts
  OrderedJson messages_ = OrderedJson::array();
  std::vector<ImagePtr> images_, shown_;  // of the conversation, in order; of the next question
  DroppedFields dropped_;
};

constexpr std::string_view kShow = "/image ";  // then a file: it goes with the next question

void converse(Chat& chat) {
  const bool terminal = is_terminal(stdin);
  for (std::string line;;) {
    if (terminal) print("> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    const bool picture = line.starts_with(kShow);
    try {
      if (picture)
        chat.show(line.substr(kShow.size()));
      else
        chat.answer(line);
    } catch (const Error& e) {
      if (!picture && e.status() != Status::context_full) throw;
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
  verb.option("--ctx", f->session.options.max_positions,
              "most tokens the conversation may hold (default: the model's limit)")
      .at_least(0);
  verb.option("--date", f->date, "what the template is told is today, YYYY-MM-DD (default: today)");
  verb.option("--template", f->template_name, "which of the model's chat templates, by name (puna info lists them)");
  verb.run([f, prompt] {
    GrammarPtr grammar = f->grammar.open();  // before the model, which takes longer
    Chat chat(*f, std::move(grammar), f->model.open());
    for (const std::string& file : f->images) chat.show(file);
    if (!prompt.given()) return converse(chat);
    if (!chat.answer(f->prompt)) fail(Status::cancelled, "stopped");
    chat.report();
  });
}

}  // namespace puna::cli
