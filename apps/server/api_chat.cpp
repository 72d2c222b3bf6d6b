// api_chat.cpp -- endpoints that answer: chat completions, completions, responses, messages, embeddings.
#include <cstring>
#include <ctime>

#include "api_call.h"
#include "convert.h"
#include "scores.h"

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
  answering->add(std::move(work), {p.tools, p.early, true, p.begins_in_thought}, h.logprobs);
  answering->start();
}

void Api::chat_completions(Call& call) {
  chat(call, read_chat(call.body(), o_.limits), "chatcmpl-",
       [&](const AnswerHead& h, int64_t) { return chat_sink(call.reply, h); });
}

void Api::responses(Call& call) {
  const ResponsesRequest r = read_responses(call.body(), o_.limits);
  chat(call, r.chat, "resp_", [&](const AnswerHead& h, int64_t) { return responses_sink(call.reply, h, r.repeated); });
}

void Api::messages(Call& call) {
  chat(call, read_messages(call.body(), o_.limits, false), "msg_",
       [&](const AnswerHead& h, int64_t prompt) { return messages_sink(call.reply, h, prompt); });
}

void Api::count_tokens(Call& call) {
  const ChatRequest r = read_messages(call.body(), o_.limits, true);
  const ChosenModel chosen = choose(call, r.model);
  const auto go_on = [&] { return !call.reply.gone(); };
  const Prepared p = prepare_chat(r, chosen, Watch(go_on));
  send(call, R"({"input_tokens":)" + std::to_string(p.prompt.tokens.size()) + "}");
}

void Api::completions(Call& call) {
  const CompletionRequest r = read_completion(call.body(), o_.limits);
  const ChosenModel chosen = choose(call, r.model);
  const auto go_on = [&] { return !call.reply.gone(); };
  const Watch watch(go_on);
  std::vector<std::vector<int32_t>> prompts = r.tokens;
  for (const std::string& text : r.texts) prompts.push_back(prompt_ids(text, chosen, watch));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const std::string param = prompts.size() > 1 ? at("prompt", i) : "prompt";
    require_ids(prompts[i], chosen, param);
    if (prompts[i].empty()) refuse(param, "'" + param + "' is empty");
    require_fits(prompts[i].size(), chosen, param);
  }
  if (r.echo) return echo_completions(call, r, chosen, std::move(prompts));
  AnswerHead h = head_of("cmpl-", chosen.name, call.fields);
  h.answers = int(prompts.size()) * r.sampling.n;
  h.stream = r.stream;
  h.include_usage = r.include_usage;
  h.logprobs = r.sampling.top_logprobs >= 0;
  const GrammarPtr grammar = compile(r.format, chosen, watch);
  const auto answering = std::make_shared<Answering>(call.reply, completion_sink(call.reply, h), chosen, measure(call));
  for (std::vector<int32_t>& ids : prompts) {
    Work work;
    work.generate = generate_options(r.sampling, chosen, ids.size());
    work.generate.grammar = grammar;
    work.prompt.tokens = std::move(ids);
    work.adapter = chosen.adapter;
    work.key = call.key_name;
    work.n = r.sampling.n;
    work.best_of = r.sampling.best_of;
    answering->add(std::move(work), {}, h.logprobs);
  }
  answering->start();
}

void Api::echo_completions(Call& call, const CompletionRequest& r, const ChosenModel& chosen,
                           std::vector<std::vector<int32_t>> prompts) {
  AnswerHead h = head_of("cmpl-", chosen.name, call.fields);
  h.answers = int(prompts.size()) * r.sampling.n;
  h.stream = r.stream;
  h.include_usage = r.include_usage;
  h.logprobs = r.sampling.top_logprobs >= 0;
  const auto go_on = [&] { return !call.reply.gone(); };
  const GrammarPtr grammar = compile(r.format, chosen, Watch(go_on));
  std::vector<EchoPrompt> all(prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    all[i].text = r.texts.empty() ? chosen.model().require_tokenizer().decode(prompts[i], true) : r.texts[i];
    all[i].begun = !r.texts.empty() && prompts[i][0] == chosen.model().require_tokenizer().specials().first();
    all[i].generate = generate_options(r.sampling, chosen, prompts[i].size());
    all[i].generate.grammar = grammar;
    all[i].max_tokens = std::min(r.sampling.max_tokens, all[i].generate.max_tokens);
    if (r.sampling.max_tokens == 0) all[i].max_tokens = 0;
    all[i].n = r.sampling.n;
    all[i].ids = std::move(prompts[i]);
  }
  const auto cancel = std::make_shared<Cancel>();
  std::shared_ptr<Sink> sink = completion_sink(call.reply, h);
  chosen.loaded->aside->add(call.key_name, [=, reply = call.reply, top = r.sampling.top_logprobs, done = measure(call),
                                            all = std::make_shared<std::vector<EchoPrompt>>(std::move(all))] {
    Measured m{.model = chosen.name};
    try {
      if (cancel->requested()) puna::fail(Status::cancelled, "cancelled");
      sink->begin();
      m.usage = echo(*all, chosen, top, *sink, *cancel);
      m.status = 200;
      done(m);
      sink->done(m.usage);
    } catch (const std::exception& e) {
      const auto* known = dynamic_cast<const Error*>(&e);
      const ApiError error = known ? api_error(*known) : ApiError(500, e.what());
      m.status = reply.gone() ? 499 : error.status;
      done(m);
      sink->failed(error);
    }
  });
  call.reply.on_gone([cancel] { cancel->cancel(); });
}

void Api::embeddings(Call& call) {
  const EmbeddingRequest r = read_embedding(call.body(), o_.limits);
  const ChosenModel chosen = choose(call, r.model);
  const int64_t hidden = chosen.model().config().hidden;
  if (r.dimensions > 0 && r.dimensions != hidden)
    refuse("dimensions", "'dimensions' is " + std::to_string(r.dimensions) + ", this model's embeddings have " +
                             std::to_string(hidden));
  const auto go_on = [&] { return !call.reply.gone(); };
  const Watch watch(go_on);
  auto inputs = std::make_shared<std::vector<std::vector<int32_t>>>(r.tokens);
  for (const std::string& text : r.texts)
    inputs->push_back(encode_prompt(chosen.model().require_tokenizer(), text, false, true, watch));
  size_t tokens = 0;
  for (size_t i = 0; i < inputs->size(); ++i) {
    const std::string param = inputs->size() > 1 ? at("input", i) : "input";
    require_ids((*inputs)[i], chosen, param);
    require_fits((*inputs)[i].size(), chosen, param);
    tokens += (*inputs)[i].size();
  }
  const auto cancel = std::make_shared<Cancel>();
  chosen.loaded->aside->add(call.key_name, [=, reply = call.reply, fields = call.fields, base64_form = r.base64,
                                            pooling = o_.pooling, done = measure(call)] {
    Measured m{.model = chosen.name};
    m.usage.prompt = int64_t(tokens);
    try {
      std::string data;
      SessionOptions options;
      options.adapter = chosen.adapter;
      options.max_positions = chosen.loaded->max_positions;
      for (size_t i = 0; i < inputs->size(); ++i) {
        Session session(chosen.loaded->model, options);
        const Cancel::Use use(*cancel, session);
        const std::vector<float> v = embed(session, (*inputs)[i], pooling);
        std::string values;
        if (base64_form) {
          std::string bytes(v.size() * 4, '\0');
          for (size_t k = 0; k < v.size(); ++k) {  // little-endian, whatever this machine is
            uint32_t bits;
            memcpy(&bits, &v[k], 4);
            for (int b = 0; b < 4; ++b) bytes[4 * k + size_t(b)] = char(bits >> (8 * b));
          }
          values = '"' + base64(bytes) + '"';
        } else {
          for (const float x : v) values += (values.empty() ? "[" : ",") + json_number(double(x));
          values += "]";
        }
        data += (i > 0 ? "," : "") + (R"({"object":"embedding","index":)" + std::to_string(i) + R"(,"embedding":)") +
                values + "}";
      }
      const std::string n = std::to_string(tokens);
      m.status = 200;
      done(m);
      reply.send({200,
                  R"({"object":"list","data":[)" + data + R"(],"model":)" + json_string(chosen.name) +
                      R"(,"usage":{"prompt_tokens":)" + n + R"(,"total_tokens":)" + n + "}}",
                  "application/json", fields});
    } catch (const std::exception& e) {
      const auto* known = dynamic_cast<const Error*>(&e);
      const ApiError error = known ? api_error(*known, "input") : ApiError(500, e.what());
      http::Answer a = error_answer(error, Dialect::openai);
      a.fields.insert(a.fields.end(), fields.begin(), fields.end());
      m.status = reply.gone() ? 499 : error.status;
      done(m);
      reply.send(a);
    }
  });
  call.reply.on_gone([cancel] { cancel->cancel(); });
}

}  // namespace puna::serve
