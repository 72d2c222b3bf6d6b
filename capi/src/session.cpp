// session.cpp -- puna_session_*: one conversation. Generation is in generate.cpp.
#include "deadline.h"
#include "handles.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/prompt.h"
#include "puna/runtime/snapshot.h"
#include "session_mode.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

size_t vocabulary(const Session& session) { return size_t(session.model().config().vocab); }

// What an append adds, and what it is to keep and store.
struct AppendFromC {
  Prompt rest;  // the tokens with their images, behind what is kept of them
  AppendOptions options;
  int64_t kept;

  AppendFromC(const Session& s, const int32_t* tokens, size_t count, const puna_append_options* theirs)
      : kept(s.length()) {
    const puna_append_options o = read_options(theirs, "puna_append_options");
    rest = prompt_with_images(s.model(), array_view(tokens, count, "tokens"), images_from_c(o.images, o.image_count));
    if (flag(o.keep_shared, "keep_shared")) {
      PUNA_REQUIRE(!rest.tokens.empty(), "no tokens to append");
      kept = options.kept = kept_of(rest, s.held());
      rest = slice(rest, kept, int64_t(rest.tokens.size()));
    }
    PUNA_REQUIRE(o.pooling >= PUNA_POOLING_MEAN && o.pooling <= PUNA_POOLING_NONE, "pooling is %d, expected 0 to 2",
                 o.pooling);
    options.pooling = Pooling(o.pooling);
    options.normalise = flag(o.normalize, "normalize");
    const size_t rows = rest.tokens.size(), hidden = size_t(s.model().config().hidden);
    options.logits = output_array(o.logits, o.logits_capacity, rows, vocabulary(s), "logits");
    options.embeddings = output_array(o.embeddings, o.embeddings_capacity, options.pooling == Pooling::none ? rows : 1,
                                      hidden, "embeddings");
  }

  void write(puna_append_result* result) const {
    puna_append_result r{};
    r.kept = kept;
    r.appended = int64_t(rest.tokens.size());
    write_info(r, result, "puna_append_result");
  }
};

struct BatchFromC {
  std::vector<Session*> sessions;
  std::vector<PromptView> prompts;

  BatchFromC(puna_session* const* handles, const int32_t* const* lists, const size_t* counts, size_t n) {
    const auto who = array_view(handles, n, "sessions");
    const auto ids = array_view(lists, n, "tokens");
    const auto lengths = array_view(counts, n, "counts");
    for (size_t i = 0; i < n; ++i) {
      sessions.push_back(&use(who[i]));
      prompts.push_back(array_view(ids[i], lengths[i], "tokens[i]"));
    }
  }
};

}  // namespace

puna_status puna_session_create(const puna_model* model, const puna_session_options* options, puna_session** session) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(session != nullptr, "session is NULL");
    const puna_session_options o = read_options(options, "puna_session_options");
    SessionOptions s;
    require_reserved(o.reserved, "puna_session_options");
    read_mode(s, o.exact, o.kv_type);
    in_range(o.max_positions, 0, model->impl->config().max_positions, "max_positions");
    in_range(o.prefill_chunk, 0, 1 << 16, "prefill_chunk");
    s.max_positions = o.max_positions;
    if (o.prefill_chunk != 0) s.prefill_chunk = o.prefill_chunk;
    *session = new puna_session{std::make_shared<Session>(model->impl, s)};
  });
}

void puna_session_free(puna_session* session) {
  if (session) free_handle(session, session->impl->model().context());
}

puna_status puna_session_get_info(const puna_session* session, puna_session_info* info) {
  return guard([&] {
    const Session& s = use(session);
    puna_session_info i{};
    i.vocabulary = int32_t(vocabulary(s));
    i.length = s.length();
    i.max_positions = s.max_positions();
    i.kv_bytes = s.kv_bytes();
    i.under_way = s.under_way();
    i.pending = s.pending();
    write_info(i, info, "puna_session_info");
  });
}

puna_status puna_session_get_timings(const puna_session* session, puna_session_timings* timings) {
  return guard([&] {
    const SessionTimings& t = use(session).timings();
    puna_session_timings i{};
    i.prompt_tokens = t.prompt_tokens;
    i.decoded_tokens = t.decoded_tokens;
    i.prompt_seconds = t.prompt_seconds;
    i.decode_seconds = t.decode_seconds;
    write_info(i, timings, "puna_session_timings");
  });
}

puna_status puna_session_get_tokens(const puna_session* session, const int32_t** tokens, size_t* count) {
  return guard([&] {
    const std::span<const int32_t> held = use(session).tokens();
    PUNA_REQUIRE(tokens != nullptr, "tokens is NULL");
    PUNA_REQUIRE(count != nullptr, "count is NULL");
    *tokens = held.data();
    *count = held.size();
  });
}

static_assert(PUNA_POOLING_MEAN == int(Pooling::mean) && PUNA_POOLING_LAST == int(Pooling::last) &&
              PUNA_POOLING_NONE == int(Pooling::none));

puna_status puna_session_append(puna_session* session, const int32_t* tokens, size_t count,
                                const puna_append_options* options, puna_append_result* result) {
  return guard([&] {
    Session& s = use(session);
    if (result) checked_struct_size(result->struct_size, "puna_append_result");
    const AppendFromC append(s, tokens, count, options);
    s.append(append.rest, append.options);
    if (result) append.write(result);
  });
}

puna_status puna_session_plan_append(const puna_session* session, const int32_t* tokens, size_t count,
                                     const puna_append_options* options, puna_append_result* result) {
  return guard([&] { AppendFromC(use(session), tokens, count, options).write(result); });
}

puna_status puna_session_append_batch(puna_session* const* sessions, const int32_t* const* tokens, const size_t* counts,
                                      size_t session_count) {
  return guard([&] {
    const BatchFromC batch(sessions, tokens, counts, session_count);
    Session::append_batch(batch.sessions, batch.prompts);
  });
}

puna_status puna_session_begin_batch(puna_session* const* sessions, const int32_t* const* tokens, const size_t* counts,
                                     size_t session_count) {
  return guard([&] {
    const BatchFromC batch(sessions, tokens, counts, session_count);
    Session::begin_batch(batch.sessions, batch.prompts);
  });
}

puna_status puna_session_begin(puna_session* session, const int32_t* tokens, size_t count,
                               const puna_append_options* options) {
  return guard([&] {
    Session& s = use(session);
    const AppendFromC append(s, tokens, count, options);
    s.begin(append.rest, append.options);
  });
}

puna_status puna_session_step(puna_session* session, uint64_t budget_us, int32_t* finished) {
  return guard([&] {
    Session& s = use(session);
    PUNA_REQUIRE(finished != nullptr, "finished is NULL");
    Deadline deadline(budget_us);
    *finished = s.step(deadline.pause());
  });
}

puna_status puna_session_snapshot(const puna_session* session, void* data, size_t capacity, size_t* size) {
  return guard([&] {
    const Session& s = use(session);
    PUNA_REQUIRE(size != nullptr, "size is NULL");
    *size = size_t(snapshot_bytes(s));
    if (data == nullptr) return;
    PUNA_REQUIRE(capacity >= *size, "the buffer holds %zu bytes, %zu are needed", capacity, *size);
    save_snapshot(s, {static_cast<std::byte*>(data), *size});
  });
}

puna_status puna_session_restore(const puna_model* model, const void* data, size_t bytes, puna_session** session) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(data != nullptr, "data is NULL");
    PUNA_REQUIRE(session != nullptr, "session is NULL");
    *session = new puna_session{restore_snapshot(model->impl, {static_cast<const std::byte*>(data), bytes})};
  });
}

puna_status puna_session_get_logits(const puna_session* session, const float** logits, size_t* count) {
  return guard([&] {
    PUNA_REQUIRE(logits != nullptr, "logits is NULL");
    const std::span<const float> all = use(session).logits();
    *logits = all.data();
    if (count) *count = all.size();
  });
}

puna_status puna_session_truncate(puna_session* session, int64_t length) {
  return guard([&] { use(session).truncate(length); });
}

puna_status puna_session_fork(const puna_session* session, puna_session** copy) {
  return guard([&] {
    const Session& s = use(session);
    PUNA_REQUIRE(copy != nullptr, "copy is NULL");
    *copy = new puna_session{s.fork()};
  });
}

puna_status puna_session_cancel(puna_session* session) {
  return guard([&] { use(session).cancel(); });
}

puna_status puna_session_clear_cancel(puna_session* session) {
  return guard([&] { use(session).clear_cancel(); });
}

puna_status puna_session_score(puna_session* session, const int32_t* tokens, size_t count, float* nll,
                               size_t capacity) {
  return guard([&] {
    Session& s = use(session);
    const auto ids = array_view(tokens, count, "tokens");
    PUNA_REQUIRE(count >= 2, "count is %zu, expected at least 2", count);
    PUNA_REQUIRE(nll != nullptr, "nll is NULL");
    const std::span<float> out = output_array(nll, capacity, count - 1, 1, "nll");
    const std::vector<float> values = score(s, ids);
    std::copy(values.begin(), values.end(), out.begin());
  });
}
