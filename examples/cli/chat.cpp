// puna chat: the model's own chat template, one answer (--prompt) or a conversation. Greedy unless a temperature is given.
#include <algorithm>
#include <iostream>

#include "base/json.h"
#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "puna/runtime/generate.h"
#include "verbs.h"

namespace puna::cli {
namespace {

struct Flags {
  ModelFlags model;
  SamplingFlags sampling;
  SessionOptions session;
  std::string system, prompt, date;
  int64_t max_tokens = 0;
};

class Chat {
 public:
  Chat(const Flags& f, ModelPtr model) : flags_(f), model_(std::move(model)), session_(model_, f.session) {
    session_.use(f.model.open_adapter(*model_));
    if (!f.system.empty()) add("system", f.system);
  }

  // Streams the answer to standard output. Ctrl-C ends the answer; what was said so far stays in the history.
  void answer(const std::string& text) {
    const OrderedJson before = messages_;
    add("user", text);
    GenerateOptions options;
    options.sampler = flags_.sampling.options;
    options.max_tokens = flags_.max_tokens;
    std::string said;
    Interrupt interrupt(session_);
    try {
      generate(session_, unseen(prompt()), options, [&](const GeneratedToken& token) {
        print(token.text);
        said += token.text;
        return !interrupt.requested();
      });
    } catch (const Error& e) {
      if (e.status() != Status::cancelled) messages_ = before;  // the conversation goes on as if the question had not been asked
      if (e.status() != Status::cancelled || !interrupt.requested()) throw;
    }
    print("\n");
    add("assistant", said);
  }

 private:
  void add(const char* role, const std::string& content) { messages_.push_back({{"role", role}, {"content", content}}); }

  std::vector<int32_t> prompt() const {
    const OrderedJson variables = {{"messages", messages_}, {"tools", nullptr}, {"add_generation_prompt", true}};
    const auto replace = OrderedJson::error_handler_t::replace;  // typed bytes need not be UTF-8
    const std::string text = model_->render_chat(variables.dump(-1, ' ', false, replace), flags_.date);
    return model_->require_tokenizer().encode(text, /*parse_special=*/true);
  }

  // Rewinds the session to what it shares with `tokens` and returns the rest: earlier turns are not computed again.
  std::vector<int32_t> unseen(const std::vector<int32_t>& tokens) {
    const std::span<const int32_t> held = session_.tokens();
    const auto same = std::mismatch(tokens.begin(), tokens.end(), held.begin(), held.end()).first - tokens.begin();
    const auto keep = std::min<ptrdiff_t>(same, ptrdiff_t(tokens.size()) - 1);  // the last one gives the logits
    session_.truncate(keep);
    return {tokens.begin() + keep, tokens.end()};
  }

  const Flags& flags_;
  ModelPtr model_;
  Session session_;
  OrderedJson messages_ = OrderedJson::array();
};

void converse(Chat& chat) {
  const bool terminal = is_terminal(stdin);
  for (std::string line;;) {
    if (terminal) print("> ");
    if (!std::getline(std::cin, line)) break;
    if (line.empty()) continue;
    try {
      chat.answer(line);
    } catch (const Error& e) {
      if (e.status() != Status::context_full) throw;
      fprintf(stderr, "puna: %s\n", e.what());
    }
  }
  if (terminal) print("\n");
}

}  // namespace

void add_chat(CLI::App& app) {
  const auto f = std::make_shared<Flags>();
  f->date = today();
  const Verb verb(app, "chat", "Talk to a model; Ctrl-C stops an answer, Ctrl-D ends the conversation");
  f->model.add(verb);
  f->model.add_adapter(verb);
  verb.option("--system", f->system, "the system message");
  const Option prompt = verb.option("--prompt", f->prompt, "ask this and exit (default: a conversation)");
  verb.option("--max-tokens", f->max_tokens, "the longest answer; 0 = until the model is done (default)").at_least(0);
  f->sampling.add(verb);
  verb.flag("--exact", f->session.exact, "float32 activations and KV, dequantised weights: the reference");
  verb.option("--ctx", f->session.max_positions, "most tokens the conversation may hold (default: the model's limit)")
      .at_least(0);
  verb.option("--date", f->date, "what the template is told is today, YYYY-MM-DD");
  verb.run([f, prompt] {
    Chat chat(*f, f->model.open());
    if (prompt.given()) chat.answer(f->prompt);
    else converse(chat);
  });
}

}  // namespace puna::cli
