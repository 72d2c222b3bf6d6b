// generate.cpp -- puna_session_generate*, puna_generation_*: options, callbacks and results in C's terms around
// generate().
#include "puna/runtime/generate.h"

#include "answer.h"
#include "deadline.h"
#include "grammar_handle.h"
#include "handles.h"
#include "puna/runtime/prompt.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

static_assert(PUNA_STOP_MAX_TOKENS == int(StopReason::max_tokens) && PUNA_STOP_TOKEN == int(StopReason::stop_token) &&
              PUNA_STOP_STRING == int(StopReason::stop_string) &&
              PUNA_STOP_CONTEXT_FULL == int(StopReason::context_full) &&
              PUNA_STOP_CALLBACK == int(StopReason::callback) &&
              PUNA_STOP_INTERRUPTED == int(StopReason::interrupted) && PUNA_STOP_GRAMMAR == int(StopReason::grammar));
static_assert(PUNA_CONTEXT_ERROR == int(ContextPolicy::error) &&
              PUNA_CONTEXT_DROP_OLDEST == int(ContextPolicy::drop_oldest));

}  // namespace

GenerateOptions puna::capi::generate_options_from_c(const puna_generate_options& o) {
  GenerateOptions g;
  g.close_answer = flag(o.close_answer, "close_answer");
  g.keep_shared = flag(o.keep_shared, "keep_shared");
  if (o.draft) g.draft = &use(o.draft);
  g.draft_tokens = o.draft_tokens;
  g.lookup_tokens = o.lookup_tokens;
  if (o.grammar) g.grammar = use(o.grammar).impl;
  g.sampler = sampler_options_from_c(o.sampler);
  (void)flag(o.parse_special, "parse_special");  // of a prompt of ids too, which it does not change
  g.max_tokens = o.max_tokens;
  g.ignore_eos = flag(o.ignore_eos, "ignore_eos");
  g.keep_special = flag(o.keep_special, "keep_special");
  g.log_probabilities = o.log_probabilities;
  g.context_policy = ContextPolicy(o.context_policy);
  g.keep_prefix = o.keep_prefix;
  const auto stop_tokens = array_view(o.stop_tokens, o.stop_token_count, "stop_tokens");
  g.stop_tokens.assign(stop_tokens.begin(), stop_tokens.end());
  for (const char* s : array_view(o.stop_strings, o.stop_string_count, "stop_strings")) {
    PUNA_REQUIRE(s != nullptr, "stop_strings[%zu] is NULL", g.stop_strings.size());
    g.stop_strings.emplace_back(s);
  }
  return g;
}

namespace {

// Whatever the host does with the handle meanwhile.
std::shared_ptr<Session> draft_of(const puna_generate_options& o) { return o.draft ? o.draft->impl : nullptr; }

// The host's logits callback in the core's terms; must outlive what uses it.
struct Process {
  int32_t (*call)(void*, float*, uint64_t, const int32_t*, uint64_t) = nullptr;
  void* user = nullptr;
  void operator()(std::span<float> logits, std::span<const int32_t> history) {
    if (call(user, logits.data(), logits.size(), history.data(), history.size()) != 0)
      fail(Status::cancelled, "process_logits asked to stop");
  }
};

// Borrows from `t` and `probabilities`.
puna_generated_token token_to_c(const GeneratedToken& t, std::vector<puna_token_probability>& probabilities) {
  probabilities.clear();
  for (const TokenProbability& p : t.probabilities) probabilities.push_back({p.token, p.log_probability});
  puna_generated_token token{sizeof(puna_generated_token), t.id, t.text.data(), t.text.size(), nullptr,
                             probabilities.size()};
  if (!probabilities.empty()) token.probabilities = probabilities.data();
  return token;
}

void write_result(const GenerateResult& r, puna_generate_result* result) {
  puna_generate_result c{};
  c.stop_reason = int32_t(r.reason);
  c.prompt_tokens = r.prompt_tokens;
  c.generated_tokens = int64_t(r.tokens.size());
  c.prompt_seconds = r.prompt_seconds;
  c.generate_seconds = r.generate_seconds;
  c.accepted_drafts = r.accepted_drafts;
  c.rejected_drafts = r.rejected_drafts;
  c.incomplete = !r.whole;
  write_info(c, result, "puna_generate_result");
}

// A prompt's ids: of a text by the session's tokenizer, or as they are.
std::vector<int32_t> text_prompt(Session& session, std::string_view text, const puna_generate_options& o) {
  return session.encode(text, flag(o.parse_special, "parse_special"), flag(o.keep_shared, "keep_shared"));
}

Prompt prompt_from_c(const Model& model, const std::vector<int32_t>& ids, const puna_generate_options& o) {
  return prompt_with_images(model, ids, images_from_c(o.images, o.image_count));
}

}  // namespace

void puna::capi::answer(puna_session* session, const puna_generate_options& o, puna_token_fn on_token, void* user,
                        puna_generate_result* result,
                        FunctionRef<std::vector<int32_t>(const puna_generate_options&)> prompt) {
  Session& s = use(session);
  const std::shared_ptr<Session> kept = session->impl, draft = draft_of(o);  // whatever on_token does with the handles
  GenerateOptions options = generate_options_from_c(o);
  require_usable(options, s);  // before the prompt is tokenized
  if (result) checked_struct_size(result->struct_size, "puna_generate_result");
  Process process{o.process_logits, o.process_user};
  if (o.process_logits) options.processor = Sampler::Processor(process);

  std::vector<puna_token_probability> probabilities;
  const auto forward = [&](const GeneratedToken& t) {
    const puna_generated_token token = token_to_c(t, probabilities);
    return on_token(user, &token) == 0;
  };
  Generation generation(s, prompt_from_c(s.model(), prompt(o), o), std::move(options));
  const struct Report {  // however it ends: the session holds what was generated
    const Generation& generation;
    puna_generate_result* result;
    ~Report() {
      if (result) write_result(generation.result(), result);
    }
  } report{generation, result};
  finish(generation, on_token ? OnToken(forward) : OnToken());
  if (generation.result().reason == StopReason::callback) fail(Status::cancelled, "the token callback asked to stop");
}

struct puna_generation {
  std::shared_ptr<Session> session, draft;
  Process process;
  Generation impl;
  std::vector<puna_token_probability> probabilities;

  puna_generation(std::shared_ptr<Session> s, const puna_generate_options& o, const std::vector<int32_t>& prompt)
      : session(std::move(s)),
        draft(draft_of(o)),
        process{o.process_logits, o.process_user},
        impl(*session, prompt_from_c(session->model(), prompt, o), options(o)) {
    probabilities.reserve(size_t(o.log_probabilities));  // handing out a token that is drawn must not fail
  }
  GenerateOptions options(const puna_generate_options& o) {
    GenerateOptions g = generate_options_from_c(o);
    if (process.call) g.processor = Sampler::Processor(process);
    return g;
  }
};

namespace puna::capi {

static const puna_generation& use(const puna_generation* generation) {
  PUNA_REQUIRE(generation != nullptr, "generation is NULL");
  generation->session->model().context().require_same_process();
  return *generation;
}
static puna_generation& use(puna_generation* generation) {
  (void)use(static_cast<const puna_generation*>(generation));
  return *generation;
}

}  // namespace puna::capi

namespace {

template <class Ids>
void create_generation(puna_session* session, const puna_generate_options* theirs, puna_generation** generation,
                       Ids&& prompt) {
  use(session);
  PUNA_REQUIRE(generation != nullptr, "generation is NULL");
  const puna_generate_options o = read_options(theirs, "puna_generate_options");
  require_usable(generate_options_from_c(o), *session->impl);  // before the prompt is tokenized
  *generation = new puna_generation(session->impl, o, prompt(o));
}

}  // namespace

puna_status puna_session_generate(puna_session* session, const char* prompt, size_t bytes,
                                  const puna_generate_options* options, puna_token_fn on_token, void* user,
                                  puna_generate_result* result) {
  return guard([&] {
    const std::string_view text = text_view(prompt, bytes, "prompt");
    answer(session, read_options(options, "puna_generate_options"), on_token, user, result,
           [&](const puna_generate_options& o) { return text_prompt(*session->impl, text, o); });
  });
}

puna_status puna_session_generate_tokens(puna_session* session, const int32_t* prompt, size_t count,
                                         const puna_generate_options* options, puna_token_fn on_token, void* user,
                                         puna_generate_result* result) {
  return guard([&] {
    const auto ids = array_view(prompt, count, "prompt");
    answer(session, read_options(options, "puna_generate_options"), on_token, user, result,
           [&](const puna_generate_options&) { return std::vector<int32_t>(ids.begin(), ids.end()); });
  });
}

static_assert(PUNA_GENERATION_PAUSED == int(Generation::Event::paused) &&
              PUNA_GENERATION_TOKEN == int(Generation::Event::token) &&
              PUNA_GENERATION_ENDED == int(Generation::Event::ended));

puna_status puna_generation_create(puna_session* session, const char* prompt, size_t bytes,
                                   const puna_generate_options* options, puna_generation** generation) {
  return guard([&] {
    const std::string_view text = text_view(prompt, bytes, "prompt");
    create_generation(session, options, generation,
                      [&](const puna_generate_options& o) { return text_prompt(*session->impl, text, o); });
  });
}

puna_status puna_generation_create_tokens(puna_session* session, const int32_t* prompt, size_t count,
                                          const puna_generate_options* options, puna_generation** generation) {
  return guard([&] {
    const auto ids = array_view(prompt, count, "prompt");
    create_generation(session, options, generation,
                      [&](const puna_generate_options&) { return std::vector<int32_t>(ids.begin(), ids.end()); });
  });
}

void puna_generation_free(puna_generation* generation) {
  if (generation) free_handle(generation, generation->session->model().context());
}

puna_status puna_generation_step(puna_generation* generation, uint64_t budget_us, puna_generated_token* token,
                                 int32_t* state) {
  return guard([&] {
    puna_generation& g = use(generation);
    PUNA_REQUIRE(state != nullptr, "state is NULL");
    if (token) checked_struct_size(token->struct_size, "puna_generated_token");
    Deadline deadline(budget_us);
    const Generation::Event event = g.impl.step(deadline.pause());
    if (token && event == Generation::Event::token)
      write_info(token_to_c(g.impl.token(), g.probabilities), token, "puna_generated_token");
    *state = int32_t(event);
  });
}

puna_status puna_generation_get_result(const puna_generation* generation, puna_generate_result* result) {
  return guard([&] { write_result(use(generation).impl.result(), result); });
}
