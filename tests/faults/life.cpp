#include "faults/life.h"

#include <puna_engine.h>
#include <puna_recsys.h>
#include <puna_train.h>
#include <puna_vision.h>

#include <algorithm>
#include <vector>

namespace puna::test {
namespace {

constexpr int32_t kTokens[] = {11, 22, 33, 44, 55, 66, 77};

// What a request tells its callback.
struct Called {
  int32_t tokens[20] = {};
  int32_t count = 0, ended = 0, outcome = 0;
};

// Freed in an order that nobody would choose: parents first.
struct Handles {
  puna_context* context = nullptr;
  puna_model* model = nullptr;
  puna_chat* chat = nullptr;
  puna_session* chatting = nullptr;
  puna_buffer *ids = nullptr, *text = nullptr;
  puna_session *session = nullptr, *copy = nullptr, *restored = nullptr;
  puna_generation* generation = nullptr;
  puna_engine *engine = nullptr, *another = nullptr;
  puna_request* requests[3] = {};
  puna_request *searching = nullptr, *called = nullptr;
  Called told;  // by `called`
  puna_sampler* sampler = nullptr;
  puna_session* seeing = nullptr;
  puna_image* image = nullptr;
  puna_adapter *learned = nullptr, *reopened = nullptr;
  puna_recommender* recommender = nullptr;
  puna_user* user = nullptr;
  puna_ranker *ranker = nullptr, *serving = nullptr;
  puna_pipeline* pipeline = nullptr;
  puna_tools* tools = nullptr;
  puna_grammar *calls = nullptr, *json = nullptr;
  puna_matcher *matcher = nullptr, *fork = nullptr;
  char* buffer = nullptr;
  ~Handles() {
    puna_context_free(context);
    puna_model_free(model);
    puna_adapter_free(learned);
    puna_request_free(requests[1]);
    puna_request_free(called);
    puna_engine_free(engine);
    puna_request_free(searching);
    puna_request_free(requests[0]);
    puna_request_free(requests[2]);
    puna_engine_free(another);
    puna_session_free(session);
    puna_adapter_free(reopened);
    puna_session_free(copy);
    puna_image_free(image);
    puna_recommender_free(recommender);
    puna_user_free(user);
    puna_ranker_free(ranker);
    puna_ranker_free(serving);
    puna_pipeline_free(pipeline);
    puna_tools_free(tools);
    puna_grammar_free(calls);
    puna_grammar_free(json);
    puna_matcher_free(matcher);
    puna_matcher_free(fork);
    puna_session_free(seeing);
    puna_session_free(restored);
    puna_generation_free(generation);
    puna_chat_free(chat);
    puna_session_free(chatting);
    puna_buffer_free(ids);
    puna_buffer_free(text);
    puna_sampler_free(sampler);
    std::free(buffer);  // malloc: the test's own memory is not to fail
  }
};

#define TRY(call)                         \
  do {                                    \
    const puna_status status = (call);    \
    if (status != PUNA_OK) return status; \
  } while (0)

puna_status open(const Life& life, Handles& h) {
  TRY(puna_context_create(&life.context, &h.context));
  if (!life.path.empty()) return puna_model_open(h.context, life.path.c_str(), &life.model, &h.model);
  if (!life.read_at)
    return puna_model_open_memory(h.context, life.bytes->data(), life.bytes->size(), &life.model, &h.model);
  auto reader = sized<puna_reader>();
  reader.size = life.bytes->size();
  reader.read_at = life.read_at;
  reader.user = life.reader_user;
  return puna_model_open_reader(h.context, &reader, &life.model, &h.model);
}

puna_status talk(Handles& h) {
  const puna_tokenizer* tokenizer = nullptr;
  TRY(puna_model_get_tokenizer(h.model, &tokenizer));
  TRY(puna_buffer_create(&h.ids));
  TRY(puna_buffer_create(&h.text));
  TRY(puna_tokenizer_encode(tokenizer, "Hello there, 123!", 17, nullptr, h.ids));
  TRY(puna_tokenizer_decode(tokenizer, static_cast<const int32_t*>(puna_buffer_data(h.ids)), puna_buffer_size(h.ids), 0,
                            h.text));
  const std::string_view chat = R"({"messages":[{"role":"user","content":"Hi"}],"add_generation_prompt":true})";
  auto rendering = sized<puna_chat_options>();
  rendering.date = "2026-11-22";
  TRY(puna_chat_create(h.model, chat.data(), chat.size(), &rendering, &h.chat));
  TRY(puna_session_create(h.model, nullptr, &h.chatting));
  auto options = sized<puna_generate_options>();
  options.max_tokens = 3;
  return puna_chat_generate(h.chat, h.chatting, &options, nullptr, nullptr, nullptr);
}

// A picture: prepared, asked about in steps, rewound into.
puna_status look(Handles& h) {
  static const std::vector<uint8_t> rgb(190 * 60 * 3, 99);
  auto info = sized<puna_model_info>();
  TRY(puna_model_get_info(h.model, &info));
  if (info.image_tile == 0) return PUNA_OK;
  TRY(puna_image_create(h.model, rgb.data(), 190, 60, 0, &h.image));
  const int32_t* ids = nullptr;
  size_t count = 0;
  TRY(puna_image_get_tokens(h.image, &ids, &count));
  auto options = sized<puna_append_options>();
  const puna_image* const image = h.image;
  options.images = &image;
  options.image_count = 1;
  TRY(puna_session_create(h.model, nullptr, &h.seeing));
  TRY(puna_session_begin(h.seeing, ids, count, &options));
  for (int32_t done = 0; !done;) TRY(puna_session_step(h.seeing, 200, &done));
  TRY(puna_session_truncate(h.seeing, 5));
  options.keep_shared = 1;
  return puna_session_append(h.seeing, ids, count, &options, nullptr);
}

// Fine-tunes on three lines, in two passes a step, saves the adapter over the last life's, opens it and answers with
// it.
puna_status learn(const Life& life, Handles& h) {
  const std::string_view lines =
      "{\"text\": \"Hello there\"}\n{\"prompt\": \"Hi\", \"completion\": \" you\"}\n"
      "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Ho\"}]}\n";
  auto options = sized<puna_finetune_options>();
  options.rank = 2;
  options.steps = 2;
  options.targets = "all";
  TRY(puna_model_finetune(h.model, lines.data(), lines.size(), &options, &h.learned));
  TRY(puna_adapter_save(h.learned, life.adapter_folder.c_str()));
  TRY(puna_adapter_open(h.model, life.adapter_folder.c_str(), &h.reopened));
  TRY(puna_session_create(h.model, nullptr, &h.session));
  TRY(puna_session_use_adapter(h.session, h.reopened));
  return puna_session_append(h.session, kTokens, 7, nullptr, nullptr);
}

// Three listeners: learned from, then one of them asks.
puna_status recommend(Handles& h) {
  static const int64_t users[] = {1, 1, 1, 2, 2, 3, 3}, times[] = {1, 2, 3, 1, 2, 5, 9};
  static const int32_t items[] = {1, 2, 3, 2, 3, 1, 2};
  auto options = sized<puna_recommender_options>();
  options.max_sequence = 4;
  options.epochs = 1;
  options.users_per_step = 2;
  options.negatives = 2;
  TRY(puna_recommender_train(h.context, users, items, times, 7, &options, &h.recommender));
  TRY(puna_user_create(h.recommender, &h.user));
  int32_t best[3];
  uint64_t found = 0;
  for (int32_t i = 0; i < 6; ++i) {
    TRY(puna_user_append(h.user, 1 + i % 3, i));
    TRY(puna_user_recommend(h.user, i, nullptr, best, nullptr, 3, &found));
  }
  return PUNA_OK;
}

// Two events are learned, a copy predicts them, a pipeline ranks by it what a user would take next and an item of the
// host's own.
puna_status rank(Handles& h) {
  static const int32_t surfaces[] = {0, 0};
  static const int64_t starts[] = {0, 1, 3}, ids[] = {1, 0, 2};
  static const float values[] = {1, 0};
  TRY(puna_ranker_create(
      h.context,
      "{\"surfaces\":[\"feed\"],\"tasks\":[{\"name\":\"like\"}],\"features\":[{\"name\":\"item\",\"rows\":3}],"
      "\"dim\":2,\"cross_layers\":1,\"hidden\":[3]}",
      nullptr, &h.ranker));
  auto examples = sized<puna_examples>();
  examples.count = 2;
  examples.surfaces = surfaces;
  examples.starts = starts;
  examples.ids = ids;
  examples.id_count = 3;
  auto outcomes = sized<puna_outcomes>();
  outcomes.values = values;
  TRY(puna_ranker_learn(h.ranker, &examples, &outcomes, nullptr, nullptr, 0));
  TRY(puna_ranker_copy(h.ranker, PUNA_RANKER_TABLE_I8, &h.serving));
  float probabilities[2];
  TRY(puna_ranker_score(h.serving, &examples, probabilities, 2));
  static const int64_t item_starts[] = {0, 1, 2, 3, 4}, item_ids[] = {0, 1, 2, 0};
  examples.count = 4;
  examples.starts = item_starts;
  examples.ids = item_ids;
  examples.id_count = 4;
  auto catalogue = sized<puna_catalogue>();
  catalogue.items = &examples;
  TRY(puna_pipeline_create(h.serving, &catalogue, nullptr, &h.pipeline));
  TRY(puna_pipeline_use(h.pipeline, h.ranker));
  auto request = sized<puna_pipeline_request>();
  request.user = h.user;
  request.query_time = 9;
  request.candidates = item_ids + 2;
  request.candidate_count = 1;
  auto answer = sized<puna_pipeline_answer>();
  int64_t list[10];
  answer.items = list;
  answer.capacity = 10;
  return puna_pipeline_recommend(h.pipeline, &request, &answer);
}

puna_status compute(const Life& life, Handles& h) {
  static float logits[7 * 4096], vector[4096];
  size_t size = 0;
  int32_t done = 0;
  TRY(puna_session_create(h.model, nullptr, &h.session));
  auto wanted = sized<puna_append_options>();
  wanted.logits = logits;
  wanted.logits_capacity = sizeof logits / sizeof *logits;
  TRY(puna_session_append(h.session, kTokens, 7, &wanted, nullptr));
  TRY(puna_session_fork(h.session, &h.copy));
  TRY(puna_session_begin(h.session, kTokens, 5, nullptr));
  while (!done) TRY(puna_session_step(h.session, 200, &done));
  puna_session* const both[] = {h.session, h.copy};
  const int32_t* const lists[] = {kTokens, kTokens + 1};
  const size_t counts[] = {2, 3};
  TRY(puna_session_append_batch(both, lists, counts, 2));
  TRY(puna_session_snapshot(h.session, nullptr, 0, &size));
  h.buffer = static_cast<char*>(std::malloc(size));
  TRY(puna_session_snapshot(h.session, h.buffer, size, &size));
  TRY(puna_session_restore(h.model, h.buffer, size, &h.restored));
  TRY(puna_session_truncate(h.restored, 3));
  wanted = sized<puna_append_options>();
  wanted.embeddings = vector;
  wanted.embeddings_capacity = sizeof vector / sizeof *vector;
  TRY(puna_session_append(h.restored, kTokens, 4, &wanted, nullptr));
  TRY(puna_session_truncate(h.restored, 0));
  TRY(puna_session_score(h.restored, kTokens, 7, logits, 6));

  auto sampling = sized<puna_sampler_options>();
  sampling.temperature = 0.9f;
  sampling.top_k = 40;
  sampling.top_p = 0.95f;
  sampling.repetition_penalty = 1.1f;
  sampling.no_repeat_ngram = 3;
  TRY(puna_sampler_create(&sampling, &h.sampler));
  auto options = sized<puna_generate_options>();
  options.sampler = &sampling;
  options.max_tokens = 4;
  options.log_probabilities = 3;
  const char* const stop = "never to be seen";
  options.stop_strings = &stop;
  options.stop_string_count = 1;
  options.process_logits = life.process_logits;
  options.process_user = life.user;
  TRY(puna_session_generate_tokens(h.copy, kTokens, 3, &options, life.on_token, life.user, nullptr));
  TRY(puna_generation_create_tokens(h.session, kTokens, 2, &options, &h.generation));
  for (int32_t state = 0; state != PUNA_GENERATION_ENDED;)
    TRY(puna_generation_step(h.generation, 500, nullptr, &state));
  return PUNA_OK;
}

// Answers twice, the second time with drafts. Where these had no memory the answer is the same all the same; another is
// PUNA_INTERNAL.
puna_status speculate(Handles& h) {
  static int32_t answers[2][24];  // not on the heap that fails
  auto options = sized<puna_generate_options>();
  options.max_tokens = 24;
  options.ignore_eos = 1;
  TRY(puna_session_create(h.model, nullptr, &h.copy));
  for (int32_t i = 0; i < 2; ++i) {
    puna_session** const session = i ? &h.restored : &h.session;
    TRY(puna_session_create(h.model, nullptr, session));
    if (i) {
      options.draft = h.copy;
      options.draft_tokens = 3;
      options.lookup_tokens = 5;
    }
    TRY(puna_session_generate_tokens(*session, kTokens, 7, &options, nullptr, nullptr, nullptr));
    const int32_t* tokens = nullptr;
    size_t count = 0;
    TRY(puna_session_get_tokens(*session, &tokens, &count));
    if (count != 7 + 24) return PUNA_INTERNAL;
    std::copy(tokens + 7, tokens + count, answers[i]);
  }
  return std::equal(answers[0], answers[0] + 24, answers[1]) ? PUNA_OK : PUNA_INTERNAL;
}

struct Answer {
  int32_t tokens[64];
  size_t size = 0;
  static int32_t add(void* user, const puna_generated_token* token) {
    auto* self = static_cast<Answer*>(user);
    self->tokens[self->size++] = token->id;
    return 0;
  }
};

// With lookups, and with guesses of `draft`, if there is one. An answer in the middle of which it ends is
// PUNA_INTERNAL.
puna_status answer_by(const puna_grammar* grammar, puna_session* session, puna_session* draft, Answer* answer) {
  auto sampling = sized<puna_sampler_options>();
  sampling.temperature = 1;
  auto options = sized<puna_generate_options>();
  options.sampler = &sampling;
  options.max_tokens = 30;
  options.grammar = grammar;
  options.lookup_tokens = 4;
  options.draft = draft;
  options.draft_tokens = draft ? 3 : 0;
  options.close_answer = 1;
  auto result = sized<puna_generate_result>();
  if (answer) answer->size = 0;
  TRY(puna_session_generate(session, "The house", 9, &options, answer ? Answer::add : nullptr, answer, &result));
  return result.incomplete ? PUNA_INTERNAL : PUNA_OK;
}

// Grammars of tools and of a schema, a matcher's every question, and an answer by each with drafts.
puna_status constrain(Handles& h) {
  const std::string_view list = R"([{"name": "f", "parameters": {"type": "dict", "properties": {
      "s": {"type": "string", "pattern": "^[a-c]{1,3}$"}, "n": {"type": "array", "items": {"enum": [1, "two"]}}},
      "required": ["s"]}}, {"name": "g"}])";
  auto format = sized<puna_tools_options>();
  format.format = "pythonic";
  TRY(puna_tools_create(h.model, list.data(), list.size(), &format, &h.tools));
  auto choice = sized<puna_tools_grammar_options>();
  choice.tool_choice = "required";
  choice.one_call = 1;
  TRY(puna_tools_create_grammar(h.tools, &choice, &h.calls));
  const std::string_view schema = R"({"type": "object", "properties": {"name_of_the_estate": {"maxLength": 9,
      "type": "string"}, "age": {"minimum": 1, "maximum": 99, "type": "integer"}}, "required": ["name_of_the_estate",
      "age"], "additionalProperties": false})";
  TRY(puna_grammar_create(schema.data(), schema.size(), nullptr, &h.json));

  TRY(puna_matcher_create(h.json, h.model, nullptr, &h.matcher));
  TRY(puna_buffer_create(&h.text));
  auto info = sized<puna_matcher_info>();
  TRY(puna_matcher_get_info(h.matcher, &info));
  TRY(puna_matcher_forced_text(h.matcher, h.text));
  TRY(puna_matcher_accept_text(h.matcher, R"({"name)", 6));
  TRY(puna_matcher_fork(h.matcher, &h.fork));
  TRY(puna_matcher_completion(h.fork, h.text));
  TRY(puna_matcher_accept_text(h.fork, static_cast<const char*>(puna_buffer_data(h.text)), puna_buffer_size(h.text)));
  TRY(puna_matcher_get_info(h.fork, &info));
  if (info.whole != 1) return PUNA_INTERNAL;

  for (puna_grammar* const grammar : {h.json, h.calls}) {
    puna_session** const session = grammar == h.json ? &h.session : &h.restored;
    TRY(puna_session_create(h.model, nullptr, session));
    TRY(answer_by(grammar, *session, nullptr, nullptr));
  }
  return PUNA_OK;
}

// The same answer by a grammar, plainly and with drafts of a model: where these had no memory it is the same all the
// same, what the grammar forces, lookups and the model's guesses together.
puna_status constrain_drafts(Handles& h) {
  static Answer plain, drafted;  // not on the heap that fails
  const std::string_view schema = R"({"type": "object", "properties": {"estate": {"enum": ["Pemberley", "Longbourn"]},
      "rooms": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2}}, "required": ["estate",
      "rooms"], "additionalProperties": false})";
  TRY(puna_grammar_create(schema.data(), schema.size(), nullptr, &h.json));
  TRY(puna_session_create(h.model, nullptr, &h.session));
  TRY(answer_by(h.json, h.session, nullptr, &plain));
  TRY(puna_session_create(h.model, nullptr, &h.restored));
  TRY(puna_session_create(h.model, nullptr, &h.copy));
  TRY(answer_by(h.json, h.restored, h.copy, &drafted));
  return plain.size == drafted.size && std::equal(plain.tokens, plain.tokens + plain.size, drafted.tokens)
             ? PUNA_OK
             : PUNA_INTERNAL;
}

// Every request has ended, and what is whole is what was wanted; the first failure otherwise.
puna_status hear(Handles& h, const int32_t* want) {
  puna_status first = PUNA_OK;
  for (puna_request* r : h.requests) {
    auto event = sized<puna_event>();
    while (r != nullptr && event.kind != PUNA_EVENT_ENDED) {
      TRY(puna_request_next(r, 0, &event));
      if (event.kind == PUNA_EVENT_NONE) return PUNA_INTERNAL;
    }
    if (r == nullptr || r == h.requests[2]) continue;
    if (event.status != PUNA_OK && first == PUNA_OK) first = event.status;
    if (event.status != PUNA_OK) continue;
    auto answer = sized<puna_answer>();
    TRY(puna_request_get_answer(r, 0, &answer));
    if (answer.token_count != 20 || !std::equal(want, want + 20, answer.tokens)) return PUNA_INTERNAL;
    if (r != h.requests[0]) continue;
    const puna_token_probability* likely = nullptr;
    const float* embedding = nullptr;
    size_t count = 0;
    TRY(puna_request_get_prompt_probabilities(r, 6, &likely, &count));
    if (count != 3 || likely[0].token != kTokens[6] || !(likely[0].log_probability < 0)) return PUNA_INTERNAL;
    TRY(puna_request_get_embedding(r, &embedding, &count));
    if (count == 0 || !(embedding[0] >= -1 && embedding[0] <= 1)) return PUNA_INTERNAL;
  }
  return first;
}

int32_t on_engine_event(void* user, const puna_event* event) {
  auto* const called = static_cast<Called*>(user);
  if (event->kind == PUNA_EVENT_TOKEN && called->count < 20) called->tokens[called->count++] = event->id;
  if (event->kind != PUNA_EVENT_ENDED) return 0;
  ++called->ended;
  called->outcome = event->outcome;
  return 0;
}

// Its best answer is the one of the first time, or there is none.
puna_status check_beams(Handles& h) {
  static int32_t want[20];
  static uint64_t count = 0;  // not known yet
  auto event = sized<puna_event>();
  while (event.kind != PUNA_EVENT_ENDED) {
    TRY(puna_request_next(h.searching, 0, &event));
    if (event.kind == PUNA_EVENT_NONE) return PUNA_INTERNAL;
  }
  if (event.status != PUNA_OK) return event.status;
  auto answer = sized<puna_answer>();
  TRY(puna_request_get_answer(h.searching, 0, &answer));
  if (count == 0) count = uint64_t(std::copy(answer.tokens, answer.tokens + answer.token_count, want) - want);
  return answer.token_count == count && std::equal(want, want + count, answer.tokens) ? PUNA_OK : PUNA_INTERNAL;
}

// Requests that share a prompt, one that scores and embeds it, with drafts, several answers, beams, a callback, a
// cancel; then another engine with what the first has read. Each answer is the one of a session, or there is none; every
// request hears of its end.
puna_status serve(Handles& h) {
  static int32_t want[20];  // not on the heap that fails
  auto generate = sized<puna_generate_options>();
  auto sampling = sized<puna_sampler_options>();
  sampling.temperature = 0.9f;
  generate.sampler = &sampling;
  generate.max_tokens = 20;
  generate.ignore_eos = 1;
  TRY(puna_session_create(h.model, nullptr, &h.session));
  TRY(puna_session_generate_tokens(h.session, kTokens, 7, &generate, nullptr, nullptr, nullptr));
  const int32_t* tokens = nullptr;
  size_t count = 0;
  TRY(puna_session_get_tokens(h.session, &tokens, &count));
  std::copy(tokens + 7, tokens + 27, want);
  auto options = sized<puna_request_options>();
  options.generate = &generate;
  TRY(puna_engine_create(h.model, nullptr, &h.engine));
  options.prompt_log_probabilities = 3;
  options.embed = options.normalize = 1;
  TRY(puna_engine_submit_tokens(h.engine, kTokens, 7, &options, &h.requests[0]));
  options.prompt_log_probabilities = options.embed = options.normalize = 0;
  options.n = 2;
  generate.lookup_tokens = 4;
  TRY(puna_engine_submit_tokens(h.engine, kTokens, 7, &options, &h.requests[1]));
  options.key = "a key that is longer than what a string holds without the heap";
  TRY(puna_engine_submit_tokens(h.engine, kTokens + 1, 6, &options, &h.requests[2]));
  generate.lookup_tokens = 0;
  options.n = 1;
  options.beams = 3;
  TRY(puna_engine_submit_tokens(h.engine, kTokens, 5, &options, &h.searching));
  options.beams = 0;
  options.on_event = on_engine_event;
  options.user = &h.told;
  TRY(puna_engine_submit_tokens(h.engine, kTokens, 7, &options, &h.called));
  int32_t more = 1;
  puna_status stepped = PUNA_OK;
  for (int32_t i = 0; more != 0; ++i) {
    if (i == 4) TRY(puna_request_cancel(h.requests[2]));
    const puna_status status = puna_engine_step(h.engine, 0, &more);  // one that fails loses nothing
    if (status != PUNA_OK) stepped = status;
    if (i > 1000) return PUNA_INTERNAL;
  }
  if (h.told.ended != 1) return PUNA_INTERNAL;
  if (h.told.outcome == PUNA_OUTCOME_FINISHED && !std::equal(want, want + 20, h.told.tokens)) return PUNA_INTERNAL;
  TRY(hear(h, want));
  TRY(check_beams(h));
  TRY(stepped);
  if (h.told.outcome != PUNA_OUTCOME_FINISHED) return PUNA_OUT_OF_MEMORY;
  TRY(puna_buffer_create(&h.text));
  TRY(puna_engine_save_cache(h.engine, h.text));
  TRY(puna_engine_create(h.model, nullptr, &h.another));
  return puna_engine_restore_cache(h.another, puna_buffer_data(h.text), puna_buffer_size(h.text));
}

}  // namespace

puna_status live(const Life& life) {
  Handles h;
  TRY(open(life, h));
  if (!life.adapter_folder.empty()) return learn(life, h);
  if (life.constrained && life.drafts) return constrain_drafts(h);
  if (life.constrained) return constrain(h);
  if (life.drafts) return speculate(h);
  if (life.engine) return serve(h);
  if (life.text) TRY(talk(h));
  if (life.text) TRY(look(h));
  if (life.text) TRY(recommend(h));
  if (life.text) TRY(rank(h));
  return compute(life, h);
}

}  // namespace puna::test
