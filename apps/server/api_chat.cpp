// api_chat.cpp -- endpoints that answer: chat completions, completions, responses, messages, embeddings.
#include <ctime>

#include "api_call.h"
#include "convert.h"

namespace puna::serve {

namespace {

AnswerHead head_of(const char* prefix, const std::string& model, const http::Fields& fields) {
  AnswerHead h;
  h.id = new_id(prefix);
  h.model = model;
  h.created = int64_t(time(nullptr));
  h.fields = fields;
  return h;
}

// The prompt as it stands before its answers.
Echo echo_of(const CompletionRequest& r, size_t prompt, const std::vector<int32_t>& ids, const ChosenModel& chosen) {
  const Tokenizer& tokenizer = chosen.model().require_tokenizer();
  Echo echo{.ids = ids};
  const bool text = prompt >= r.tokens.size();
  echo.text = text ? r.texts[prompt - r.tokens.size()] : tokenizer.decode(ids, true);
  echo.begun = text && ids[0] == tokenizer.specials().first();
  return echo;
}

}  // namespace

void Api::chat(Call& call, const ChatRequest& r, const char* prefix,
               const std::function<std::unique_ptr<Sink>(const AnswerHead&, int64_t)>& sink) {
  const ChosenModel chosen = choose(call, r.model);
  const auto go_on = [&] { return !call.reply.gone(); };
  Prepared p = prepare_chat(r, chosen, Watch(go_on));
  AnswerHead h = head_of(prefix, chosen.name, call.fields);
  h.answers = r.sampling.n;
  h.stream = r.stream;
  h.include_usage = r.include_usage;
  h.logprobs = r.sampling.top_logprobs >= 0;
  Work work;
  work.generate = std::move(p.generate);
  work.adapter = chosen.adapter;
  work.key = call.key_name;
  work.n = r.sampling.n;
  const auto answering =
      std::make_shared<Answering>(call.reply, sink(h, int64_t(p.prompt.tokens.size())), chosen, measure(call));
  work.prompt = std::move(p.prompt);
  answering->add(std::move(work), p.reading);
  answering->start();
}

void Api::chat_completions(Call& call) {
  chat(call, call.read([&](const OrderedJson& j) { return read_chat(j, o_.limits); }), "chatcmpl-",
       [&](const AnswerHead& h, int64_t) { return chat_sink(call.reply, h); });
}

void Api::responses(Call& call) {
  const ResponsesRequest r = call.read([&](const OrderedJson& j) { return read_responses(j, o_.limits); });
  chat(call, r.chat, "resp_", [&](const AnswerHead& h, int64_t) { return responses_sink(call.reply, h, r.repeated); });
}

void Api::messages(Call& call) {
  chat(call, call.read([&](const OrderedJson& j) { return read_messages(j, o_.limits, false); }), "msg_",
       [&](const AnswerHead& h, int64_t prompt) { return messages_sink(call.reply, h, prompt); });
}

void Api::count_tokens(Call& call) {
  const ChatRequest r = call.read([&](const OrderedJson& j) { return read_messages(j, o_.limits, true); });
  const ChosenModel chosen = choose(call, r.model);
  const auto go_on = [&] { return !call.reply.gone(); };
  const Prepared p = prepare_chat(r, chosen, Watch(go_on));
  send(call, R"({"input_tokens":)" + std::to_string(p.prompt.tokens.size()) + "}");
}

void Api::completions(Call& call) {
  const CompletionRequest r = call.read([&](const OrderedJson& j) { return read_completion(j, o_.limits); });
  const ChosenModel chosen = choose(call, r.model);
  const auto go_on = [&] { return !call.reply.gone(); };
  const Watch watch(go_on);
  std::vector<std::vector<int32_t>> prompts = r.tokens;
  const auto name_of = [&](size_t i) { return r.tokens.size() + r.texts.size() > 1 ? at("prompt", i) : "prompt"; };
  for (const std::string& text : r.texts)
    prompts.push_back(prompt_ids(text, true, chosen, name_of(prompts.size()), watch));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::string param = name_of(i);
    require_ids(prompts[i], chosen, param);
    if (prompts[i].empty()) refuse(param, "'" + param + "' is empty");
    require_fits(prompts[i].size(), chosen, param);
  }
  AnswerHead h = head_of("cmpl-", chosen.name, call.fields);
  h.answers = int(prompts.size()) * r.sampling.n;
  h.stream = r.stream;
  h.include_usage = r.include_usage;
  h.logprobs = r.sampling.top_logprobs >= 0;
  const GrammarPtr grammar = compile(r.format, chosen, watch);
  const auto answering = std::make_shared<Answering>(call.reply, completion_sink(call.reply, h), chosen, measure(call));
  const Reading reading{.logprobs = h.logprobs, .stop_logprobs = r.echo};
  for (size_t i = 0; i < prompts.size(); ++i) {
    std::vector<int32_t>& ids = prompts[i];
    Work work;
    work.generate = generate_options(r.sampling, chosen, ids.size());
    work.generate.grammar = grammar;
    work.adapter = chosen.adapter;
    work.key = call.key_name;
    work.n = r.sampling.n;
    work.best_of = r.sampling.best_of;
    work.prompt_only = r.sampling.max_tokens == 0;
    std::optional<Echo> echo;
    if (r.echo) {
      echo = echo_of(r, i, ids, chosen);
      echo->scored = h.logprobs;
      if (h.logprobs && ids.size() > 1) work.prompt_probabilities = r.sampling.top_logprobs + 1;
    }
    work.prompt.tokens = std::move(ids);
    answering->add(std::move(work), reading, std::move(echo));
  }
  answering->start();
}

void Api::embeddings(Call& call) {
  const EmbeddingRequest r = call.read([&](const OrderedJson& j) { return read_embedding(j, o_.limits); });
  const ChosenModel chosen = choose(call, r.model);
  const int64_t hidden = chosen.model().config().hidden;
  if (r.dimensions > 0 && r.dimensions != hidden)
    refuse("dimensions", "'dimensions' is " + std::to_string(r.dimensions) + ", this model's embeddings have " +
                             std::to_string(hidden));
  const auto go_on = [&] { return !call.reply.gone(); };
  const Watch watch(go_on);
  std::vector<std::vector<int32_t>> inputs = r.tokens;
  const auto name_of = [&](size_t i) { return r.tokens.size() + r.texts.size() > 1 ? at("input", i) : "input"; };
  for (const std::string& text : r.texts)
    inputs.push_back(prompt_ids(text, false, chosen, name_of(inputs.size()), watch));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string param = name_of(i);
    require_ids(inputs[i], chosen, param);
    require_fits(inputs[i].size(), chosen, param);
  }
  AnswerHead h = head_of("", chosen.name, call.fields);
  h.answers = int(inputs.size());
  const auto answering =
      std::make_shared<Answering>(call.reply, embedding_sink(call.reply, h, r.base64), chosen, measure(call));
  for (std::vector<int32_t>& ids : inputs) {
    Work work;
    work.prompt.tokens = std::move(ids);
    work.adapter = chosen.adapter;
    work.key = call.key_name;
    work.embed = work.prompt_only = true;
    work.pooling = o_.pooling;
    answering->add(std::move(work), {});
  }
  answering->start();
}

}  // namespace puna::serve
