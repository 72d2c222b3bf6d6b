// session.cpp -- puna_session_*: one conversation. Generation is in generate.cpp.
#include "handles.h"
#include "puna/runtime/generate.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

size_t vocabulary(const Session& session) { return size_t(session.model().config().vocab); }

void require_floats(const float* out, size_t capacity, size_t rows, size_t columns) {
  PUNA_REQUIRE(out != nullptr, "the output buffer is NULL");
  PUNA_REQUIRE(rows <= capacity / columns, "the buffer holds %zu floats, %zu x %zu are needed", capacity, rows, columns);
}

}  // namespace

puna_status puna_session_create(const puna_model* model, const puna_session_options* options, puna_session** session) {
  return guard([&] {
    use(model);
    PUNA_REQUIRE(session != nullptr, "session is NULL");
    const puna_session_options o = read_options(options, "puna_session_options");
    PUNA_REQUIRE(o.max_positions >= 0, "max_positions is %lld, expected at least 0", static_cast<long long>(o.max_positions));
    PUNA_REQUIRE(o.prefill_chunk >= 0, "prefill_chunk is %lld, expected at least 0", static_cast<long long>(o.prefill_chunk));
    SessionOptions s;
    s.exact = flag(o.exact, "exact");
    s.max_positions = o.max_positions;
    if (o.prefill_chunk != 0) s.prefill_chunk = o.prefill_chunk;
    *session = new puna_session{std::make_unique<Session>(model->impl, s)};
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
    write_info(i, info, "puna_session_info");
  });
}

puna_status puna_session_tokens(const puna_session* session, int32_t* tokens, size_t capacity, size_t* count) {
  return guard([&] { write_tokens(use(session).tokens(), tokens, capacity, count); });
}

puna_status puna_session_append(puna_session* session, const int32_t* tokens, size_t count) {
  return guard([&] { use(session).append(array_view(tokens, count, "tokens")); });
}

puna_status puna_session_append_logits(puna_session* session, const int32_t* tokens, size_t count, float* logits, size_t capacity) {
  return guard([&] {
    Session& s = use(session);
    const auto ids = array_view(tokens, count, "tokens");
    require_floats(logits, capacity, count, vocabulary(s));
    s.append(ids, logits);
  });
}

puna_status puna_session_append_batch(puna_session* const* sessions, const int32_t* const* tokens, const size_t* counts,
                                      size_t session_count) {
  return guard([&] {
    std::vector<Session*> who;
    std::vector<std::span<const int32_t>> what;
    const auto handles = array_view(sessions, session_count, "sessions");
    const auto ids = array_view(tokens, session_count, "tokens");
    const auto lengths = array_view(counts, session_count, "counts");
    for (size_t i = 0; i < session_count; ++i) {
      who.push_back(&use(handles[i]));
      what.push_back(array_view(ids[i], lengths[i], "tokens[i]"));
    }
    Session::append_batch(who, what);
  });
}

puna_status puna_session_logits(puna_session* session, const float** logits, size_t* count) {
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

puna_status puna_session_score(puna_session* session, const int32_t* tokens, size_t count, float* nll, size_t capacity) {
  return guard([&] {
    Session& s = use(session);
    const auto ids = array_view(tokens, count, "tokens");
    PUNA_REQUIRE(count >= 2, "count is %zu, expected at least 2", count);
    require_floats(nll, capacity, count - 1, 1);
    const std::vector<float> values = score(s, ids);
    memcpy(nll, values.data(), values.size() * sizeof(float));
  });
}
