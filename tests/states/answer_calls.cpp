// answer_calls.cpp -- generations that are pulled, and answers that are pushed.
#include <algorithm>
#include <limits>

#include "states/armed.h"

namespace puna::test::states {

// Options at random, now and then ones that are refused. What they point to lives in `g`.
std::string Machine::read_generate_options(const Op& op, GenerationRules& g, puna_generate_options& o,
                                           Refusals& refusals) const {
  const uint32_t n = op.n[3];
  g.max_tokens = int64_t(n % 7);  // 0: until the session is full
  g.sampler = sized<puna_sampler_options>();
  g.sampler.temperature = n / 8 % 2 ? 1.0f : 0.0f;
  g.sampler.top_k = n / 16 % 2 ? 5 : 0;
  g.sampler.seed = n / 32 % 3;
  g.sampler.repetition_penalty = n / 128 % 4 == 0 ? 1.3f : 0;
  for (int32_t i = 0; i < int32_t(n / 512 % 3); ++i) g.stop_tokens.push_back(int32_t(n / 2048 % 60) + i);
  const bool seen =
      std::any_of(g.next.rows.begin(), g.next.rows.end(), [](int32_t row) { return row >= 0; }) ||
      std::any_of(g.session->held.rows.begin(), g.session->held.rows.end(), [](int32_t row) { return row >= 0; });
  g.drops_oldest = n / 4096 % 3 == 0 && !seen &&
                   g.max_tokens != 0;  // cutting into an image leaves nothing that a fresh run could be given
  g.keep_prefix = n / 16384 % 3 * 3;
  if (n / 65536 % 32 == 1) g.stop_tokens.push_back(-3);
  o.log_probabilities = n / 65536 % 32 == 2 ? subject_.vocabulary() + 1 : int32_t(n / 65536 % 3);
  if (n / 65536 % 32 == 3 && g.drops_oldest) g.keep_prefix = g.session->max_positions - 1;
  refusals.when(
      n / 65536 % 32 == 1 || n / 65536 % 32 == 2 || (g.drops_oldest && g.keep_prefix > g.session->max_positions - 2),
      PUNA_INVALID_ARGUMENT);
  o.lookup_tokens = int32_t(n / 33554432 % 4) * 3;  // what is drafted cannot be seen
  o.max_tokens = g.max_tokens;
  o.sampler = &g.sampler;
  o.stop_tokens = g.stop_tokens.data();
  o.stop_token_count = g.stop_tokens.size();
  o.ignore_eos = 1;
  const bool constrained = !subject_.grammars.empty() && op.n[6] / 16 % 3 == 0;
  if (constrained) {
    const size_t which = op.n[6] / 64 % kChoices.size();
    o.grammar = subject_.grammars[which];
    o.ignore_eos = op.n[6] / 256 % 16 == 0;
    refusals.when(o.ignore_eos == 1, PUNA_INVALID_ARGUMENT);
    o.close_answer = g.closes = op.n[6] / 4096 % 2;
    g.own_stops = subject_.own_stops;
    std::vector<int32_t> stops = g.stop_tokens;
    stops.insert(stops.end(), g.own_stops.begin(), g.own_stops.end());
    g.choice.emplace(kChoices[which], subject_.tokens, stops);
  }
  o.context_policy = g.drops_oldest ? PUNA_CONTEXT_DROP_OLDEST : PUNA_CONTEXT_ERROR;
  o.keep_prefix = g.keep_prefix;
  if (!seen && n / 4194304 % 4 == 0) {  // the whole conversation: what is held up to somewhere, and the prompt
    History all = g.session->held.first(int64_t(n / 16777216 % uint32_t(g.session->length() + 1)));
    all.add(g.next);
    g.next = all;
    g.whole = true;
    o.keep_shared = 1;
    refusals.when(g.next.size() == 0, PUNA_INVALID_ARGUMENT);
  }
  return words(text(g.next.ids), ", max_tokens ", g.max_tokens, ", temperature ", g.sampler.temperature, ", top_k ",
               g.sampler.top_k, ", seed ", g.sampler.seed, ", repetition_penalty ", g.sampler.repetition_penalty,
               ", stop_tokens ", text(g.stop_tokens), ", log_probabilities ", o.log_probabilities, ", lookup_tokens ",
               o.lookup_tokens, g.drops_oldest ? ", drop_oldest" : "", ", keep_prefix ", g.keep_prefix,
               g.whole ? ", keep_shared" : "",
               constrained ? words(", grammar ", op.n[6] / 64 % kChoices.size(), o.ignore_eos ? ", ignore_eos" : "",
                                   g.closes ? ", close_answer" : "")
                           : "");
}

// That an answer may be made. An empty prompt is taken.
void Machine::refuse_generation(Refusals& refusals, const GenerationRules& g) const {
  const SessionRules& s = *g.session;
  refusals.when(s.busy() || (s.generation && s.generation->active()), PUNA_WRONG_STATE);
  refusals.when(std::any_of(g.next.ids.begin(), g.next.ids.end(),
                            [&](int32_t id) { return id < 0 || id >= subject_.vocabulary(); }),
                PUNA_INVALID_ARGUMENT);
}

// Drawn from a fresh run's logits.
int32_t Machine::expected_token(const GenerationRules& g) const {
  std::vector<float> logits = oracle_.logits(g.session->held, mode(*g.session));
  if (g.choice)  // where it forbids
    for (size_t id = 0; id < logits.size(); ++id)
      if (!g.choice->allows(int32_t(id))) logits[id] = -std::numeric_limits<float>::infinity();
  const std::vector<int32_t>& history = g.session->held.ids;
  puna_sampler* sampler = nullptr;
  int32_t token = -1;
  require(puna_sampler_create(&g.sampler, &sampler) == PUNA_OK, "sampler failed");
  const puna_status got = puna_sampler_sample(sampler, logits.data(), logits.size(), history.data(), history.size(),
                                              g.draw_index(), &token, nullptr);
  puna_sampler_free(sampler);
  require(got == PUNA_OK, "sample failed");
  return g.closes ? g.choice->in_time(token, g.tokens_left()) : token;
}

void Machine::check_result(const GenerationRules& g) {
  auto r = sized<puna_generate_result>();
  require(puna_generation_get_result(g.handle, &r) == PUNA_OK, "get_result failed");
  require(r.prompt_tokens == g.prompt_tokens && r.generated_tokens == int64_t(g.drawn.size()) &&
              (!g.ended || r.stop_reason == g.reason),
          words("a result of ", r.prompt_tokens, " prompt tokens, ", r.generated_tokens, " drawn, reason ",
                r.stop_reason, ", the rules say ", g.prompt_tokens, ", ", g.drawn.size(), ", ", g.reason));
  require(r.incomplete == int32_t(g.choice && !g.choice->whole()),
          words("incomplete is ", r.incomplete, " behind '", g.choice ? g.choice->said() : "", "'"));
}

void Machine::create_generation(const Op& op) {
  const SessionPtr s = pick(op);
  std::unique_ptr<GenerationRules>& to = generations_[op.n[4] % kGenerations];
  if (!s || to) return;
  auto g = std::make_unique<GenerationRules>(s);
  g->next = prompt(op.n[1], op.n[2] % 2);
  if (op.n[2] % 8 == 1 || (g->next.size() != 0 && op.n[2] % 8 == 3)) g->next = {};
  auto o = sized<puna_generate_options>();
  Refusals refusals;
  const std::string with = read_generate_options(op, *g, o, refusals);
  const std::vector<const puna_image*> images = subject_.images_of(g->next);
  o.images = images.data();
  o.image_count = images.size();
  refuse_generation(refusals, *g);
  script.push_back(words("g", op.n[4] % kGenerations, " = generation_create(", name(s), ", ", with, ")"));
  const puna_status got =
      puna_generation_create_tokens(s->handle, g->next.ids.data(), g->next.ids.size(), &o, &g->handle);
  require_status(script.back(), got, refusals);
  if (!refusals.none()) return;
  g->claim();
  to = std::move(g);
}

void Machine::free_generation(const Op& op) {
  std::unique_ptr<GenerationRules>& g = generations_[op.n[4] % kGenerations];
  if (!g) return;
  script.push_back(words("generation_free(g", op.n[4] % kGenerations, ")"));
  puna_generation_free(g->handle);
  g.reset();
}

void Machine::generation_step(const Op& op) {
  const std::unique_ptr<GenerationRules>* found = nullptr;
  for (size_t k = 0; k < kGenerations && !found; ++k)
    if (generations_[(op.n[4] + k) % kGenerations]) found = &generations_[(op.n[4] + k) % kGenerations];
  if (!found) return;
  GenerationRules& g = **found;
  const SessionPtr s = g.session;
  const uint64_t budget = op.n[1] % 3 == 0;
  const std::string call = words("generation_step(g", found - generations_.data(), ", ", budget, ")");
  auto token = sized<puna_generated_token>();
  token.id = -7;
  int32_t state = -7;
  if (g.ended) {
    script.push_back(call);
    require_status(call, puna_generation_step(g.handle, budget, &token, &state), {});
    require(state == PUNA_GENERATION_ENDED && token.id == -7, call + ": an answer that has ended does not say so");
    if (!g.end_reported && !g.stale() && !s->busy()) s->pending = false;
    g.end_reported = true;
    return check_result(g);
  }
  const bool own = g.owns_append(), appends = g.appends();
  Refusals refusals;
  refusals.when(g.stale() || (s->busy() && !own), PUNA_WRONG_STATE);
  if (refusals.none() && !own) {
    refusals.when(appends && g.overflows() && !g.drops_oldest, PUNA_CONTEXT_FULL);
    refusals.when(!appends && !s->has_logits && !s->pending, PUNA_WRONG_STATE);
  }
  Armed armed = arm(op, s, call);
  // Whether an append that replaces had to release the old positions in a step that paused cannot be seen from outside.
  if (trigger().refuses_memory() && budget != 0 && g.replaces()) trigger() = {};
  const puna_status got = puna_generation_step(g.handle, budget, &token, &state);
  armed.over();
  const History shortened = !own && appends && g.replaces() ? g.after_append()
                            : own                           ? s->append->after[0].second
                                                            : History{};
  const int64_t length = s->length();
  if (without_memory(got, refusals, armed, {s})) {
    if (s->length() != length) g.cut(shortened);
    require(state == -7 && token.id == -7, armed.call + ": it failed, and its outputs were written to");
    return check_result(g);
  }
  const bool cancelled = armed.cancelled || s->pending;
  require_status(armed.call, got, refusals, cancelled);
  if (!refusals.none() || cancelled) {
    require(state == -7 && token.id == -7, armed.call + ": it failed, and its outputs were written to");
    if (refusals.none()) {
      if (own) s->drop();
      s->pending = false;
    }
    armed.require_same();
    return check_result(g);
  }
  if (state == PUNA_GENERATION_PAUSED) {
    require(budget != 0 && appends, armed.call + ": it paused without a reason");
    if (!own) {
      const auto append = std::make_shared<AppendRules>();
      append->after.emplace_back(s.get(), g.after_append());
      append->owner = &g;
      s->append = append;
    }
    return check_result(g);
  }
  require(state == PUNA_GENERATION_TOKEN, armed.call + words(": state ", state));
  if (appends) {
    if (own)
      s->finish();
    else
      s->commit(g.after_append());
    g.appended();
  }
  const int32_t want = expected_token(g);
  require(token.id == want, armed.call + words(": token ", token.id, ", a fresh run draws ", want));
  g.take(token.id);
  check_result(g);
}

namespace {

// What the host does when it gets token number `at`.
struct Listener {
  enum Does { nothing, stop, cancel, exception, reenter } does = nothing;
  size_t at = 0;
  puna_session* session = nullptr;
  std::vector<int32_t> ids;
  puna_status reentry_status = PUNA_WRONG_STATE;

  static int32_t on_token(void* user, const puna_generated_token* token) {
    auto& self = *static_cast<Listener*>(user);
    self.ids.push_back(token->id);
    if (self.ids.size() != self.at + 1) return 0;
    if (self.does == cancel) puna_session_cancel(self.session);
    if (self.does == exception) throw std::runtime_error("from on_token");
    if (self.does == reenter) self.reentry_status = puna_session_append(self.session, &token->id, 1, nullptr, nullptr);
    return self.does == stop;
  }
};

}  // namespace

void Machine::generate(const Op& op) {
  const SessionPtr s = pick(op);
  if (!s) return;
  GenerationRules g(s);
  g.next = prompt(op.n[1], op.n[2] % 2);
  auto o = sized<puna_generate_options>();
  Refusals refusals;
  const std::string with = read_generate_options(op, g, o, refusals);
  if (g.max_tokens == 0 && s->max_positions > 200)
    o.max_tokens = g.max_tokens = 9;  // not until a large session is full
  const std::vector<const puna_image*> images = subject_.images_of(g.next);
  o.images = images.data();
  o.image_count = images.size();
  refuse_generation(refusals, g);
  static constexpr const char* kDoes[] = {"", ", on_token stops at ", ", on_token cancels at ", ", on_token throws at ",
                                          ", on_token uses the session at "};
  Listener host;
  host.does = op.n[4] % 2 ? Listener::nothing : Listener::Does(op.n[4] / 2 % std::size(kDoes));
  host.at = op.n[4] / 16 % 4;
  host.session = s->handle;
  Armed armed = arm(
      op, s, words("generate(", name(s), ", ", with, kDoes[host.does], host.does ? std::to_string(host.at) : "", ")"));
  if (trigger().refuses_memory() && host.does == Listener::cancel) trigger() = {};
  auto result = sized<puna_generate_result>();
  result.stop_reason = 77;
  const puna_status got = puna_session_generate_tokens(s->handle, g.next.ids.data(), g.next.ids.size(), &o,
                                                       Listener::on_token, &host, &result);
  armed.over();
  require(host.reentry_status == PUNA_WRONG_STATE, armed.call + ": on_token used the session during it");
  if (!refusals.none()) {
    require_status(armed.call, got, refusals);
    require(host.ids.empty() && result.stop_reason == 77, armed.call + ": it was refused, and did something");
    return armed.require_same();
  }
  g.claim();
  puna_status want = PUNA_OK;
  bool cancelled = s->pending;
  for (size_t i = 0;; ++i) {
    const bool appends = g.appends();
    if (i == host.ids.size()) {  // nothing more came: why?
      if (appends && g.overflows() && !g.drops_oldest)
        want = PUNA_CONTEXT_FULL;
      else if (without_memory(got, refusals, armed, {s}))
        want = PUNA_OUT_OF_MEMORY;
      else if (cancelled || armed.cancelled)
        want = PUNA_CANCELLED;
      else if (!appends && !s->has_logits)
        want = PUNA_WRONG_STATE;
      else
        throw Difference(armed.call + words(": it ended after ", i, " tokens without a reason: ", puna_status_name(got),
                                            " (", puna_last_error(), ")"));
      g.reason = PUNA_STOP_INTERRUPTED;
      break;
    }
    require(!cancelled, armed.call + ": it ignored a cancel");
    if (appends) {
      s->commit(g.after_append());
      g.appended();
    }
    const int32_t token = expected_token(g);
    require(host.ids[i] == token,
            armed.call + words(": token ", i, " is ", host.ids[i], ", a fresh run draws ", token));
    g.take(token);
    if (host.does == Listener::exception && host.at == i) {
      want = PUNA_INTERNAL;
      if (!g.ended) g.reason = PUNA_STOP_INTERRUPTED;
      break;
    }
    if (host.does == Listener::stop && host.at == i && !g.ended) {
      want = PUNA_CANCELLED;
      g.reason = PUNA_STOP_CALLBACK;
      break;
    }
    cancelled = cancelled || (host.does == Listener::cancel && host.at == i);
    if (g.ended) break;
  }
  require(got == want, armed.call + words(": ", puna_status_name(got), " (", puna_last_error(), "), the rules say ",
                                          puna_status_name(want)));
  require(!armed.cancelled || got != PUNA_OK, armed.call + ": it ignored a cancel");
  s->pending = false;
  require(result.prompt_tokens == g.prompt_tokens && result.generated_tokens == int64_t(g.drawn.size()) &&
              result.stop_reason == g.reason,
          armed.call + words(": a result of ", result.prompt_tokens, " prompt tokens, ", result.generated_tokens,
                             " drawn, reason ", result.stop_reason, ", the rules say ", g.prompt_tokens, ", ",
                             g.drawn.size(), ", ", g.reason));
}

}  // namespace puna::test::states
