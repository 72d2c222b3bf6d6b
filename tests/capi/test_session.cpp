// One conversation: appending, logits, rewinding, forking, batches, cancelling, scores.
#include <atomic>
#include <cmath>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

bool is_text_model(const Golden& g) { return g.has("input_ids") && g.has("logits") && g.has_file("model.safetensors") && !g.has("pixel_values_hf") && !g.has("labels"); }

}  // namespace

TEST_CASE("exact logits agree with the reference's", "[capi][golden]") {
  for (const Golden& golden : goldens(is_text_model)) {
    CAPTURE(golden.fixture());
    const ModelHandle model = open_model(golden.folder());
    const std::vector<int64_t> wide = golden.array("input_ids").i64();
    const std::vector<int32_t> ids(wide.begin(), wide.end());
    const SessionHandle session = make_session(model, /*exact=*/true);
    std::vector<float> all(golden.array("logits").f32().size());
    ok(puna_session_append_logits(session.get(), ids.data(), ids.size(), all.data(), all.size()));
    golden.check("logits", all);
    refused(puna_session_append_logits(session.get(), ids.data(), ids.size(), all.data(), all.size() - 1), PUNA_INVALID_ARGUMENT, "buffer");
    CHECK(length(session) == int64_t(ids.size()));
  }
}

TEST_CASE("appending at once, in steps, in chunks and in a batch gives the same bits", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> ids = some_tokens(70);
  const std::vector<float> expected = logits_after(make_session(model), ids);

  const SessionHandle steps = make_session(model);
  for (const int32_t id : ids) ok(puna_session_append(steps.get(), &id, 1));
  CHECK(logits(steps) == expected);

  auto options = sized<puna_session_options>();
  options.prefill_chunk = 7;
  puna_session* chunked = nullptr;
  ok(puna_session_create(model.get(), &options, &chunked));
  CHECK(logits_after(SessionHandle(chunked), ids) == expected);

  const SessionHandle a = make_session(model), b = make_session(model);
  puna_session* const sessions[] = {a.get(), b.get()};
  const std::vector<int32_t> other = some_tokens(9, 5);
  const int32_t* const lists[] = {other.data(), ids.data()};
  const size_t counts[] = {other.size(), ids.size()};
  ok(puna_session_append_batch(sessions, lists, counts, 2));
  CHECK(logits(b) == expected);
  CHECK(logits(a) == logits_after(make_session(model), other));
  puna_session* const twice[] = {a.get(), a.get()};
  refused(puna_session_append_batch(twice, lists, counts, 2), PUNA_INVALID_ARGUMENT, "twice");
  puna_session* const holes[] = {a.get(), nullptr};
  refused(puna_session_append_batch(holes, lists, counts, 2), PUNA_INVALID_ARGUMENT, "session is NULL");
}

TEST_CASE("a session knows its tokens", "[capi]") {
  const SessionHandle session = make_session(open_model(chat_model()));
  const float* data = nullptr;
  refused(puna_session_logits(session.get(), &data, nullptr), PUNA_WRONG_STATE, "append");
  const std::vector<int32_t> ids = some_tokens(5);
  logits_after(session, ids);
  std::vector<int32_t> held(5);
  size_t count = 0;
  ok(puna_session_tokens(session.get(), held.data(), held.size(), &count));
  CHECK(held == ids);
  refused(puna_session_tokens(session.get(), held.data(), 4, &count), PUNA_INVALID_ARGUMENT, "5 are needed");

  auto info = sized<puna_session_info>();
  ok(puna_session_get_info(session.get(), &info));
  CHECK(info.length == 5);
  CHECK(info.kv_bytes > 0);
  CHECK(size_t(info.vocabulary) == logits(session).size());
}

TEST_CASE("a refused append changes nothing", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto options = sized<puna_session_options>();
  options.max_positions = 10;
  puna_session* created = nullptr;
  ok(puna_session_create(model.get(), &options, &created));
  const SessionHandle session(created);
  const std::vector<float> before = logits_after(session, some_tokens(8));
  auto info = sized<puna_session_info>();
  ok(puna_session_get_info(session.get(), &info));

  for (const int32_t id : {-1, info.vocabulary, INT32_MAX})
    refused(puna_session_append(session.get(), &id, 1), PUNA_INVALID_ARGUMENT, std::to_string(id));
  refused(puna_session_append(session.get(), some_tokens(3).data(), 3), PUNA_CONTEXT_FULL, "10");
  refused(puna_session_append(session.get(), nullptr, 0), PUNA_INVALID_ARGUMENT, "no tokens");
  refused(puna_session_append(session.get(), nullptr, 2), PUNA_INVALID_ARGUMENT, "tokens is NULL");
  refused(puna_session_append(session.get(), &info.vocabulary, SIZE_MAX), PUNA_INVALID_ARGUMENT, "");
  CHECK(length(session) == 8);
  CHECK(logits(session) == before);
  ok(puna_session_append(session.get(), some_tokens(2).data(), 2));

  options.max_positions = -1;
  refused(puna_session_create(model.get(), &options, &created), PUNA_INVALID_ARGUMENT, "max_positions");
  options.max_positions = int64_t(1) << 60;
  refused(puna_session_create(model.get(), &options, &created), PUNA_INVALID_ARGUMENT, "max_positions");
  options = sized<puna_session_options>();
  options.exact = -1;
  refused(puna_session_create(model.get(), &options, &created), PUNA_INVALID_ARGUMENT, "exact");
}

TEST_CASE("rewinding and forking are exact", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> ids = some_tokens(80), tail = some_tokens(6, 9);
  const SessionHandle session = make_session(model);
  logits_after(session, ids);

  puna_session* forked = nullptr;
  ok(puna_session_fork(session.get(), &forked));
  const SessionHandle copy(forked);
  CHECK(logits(copy) == logits(session));
  const std::vector<float> gone_on = logits_after(session, tail);
  CHECK(length(copy) == 80);
  CHECK(logits_after(copy, tail) == gone_on);

  ok(puna_session_truncate(session.get(), 33));
  CHECK(length(session) == 33);
  const SessionHandle fresh = make_session(model);
  logits_after(fresh, std::vector<int32_t>(ids.begin(), ids.begin() + 33));
  CHECK(logits_after(session, tail) == logits_after(fresh, tail));
  refused(puna_session_truncate(session.get(), 1000), PUNA_INVALID_ARGUMENT, "1000");
  refused(puna_session_truncate(session.get(), -1), PUNA_INVALID_ARGUMENT, "-1");
}

TEST_CASE("a cancelled call ends early and leaves the session as it was", "[capi]") {
  struct Host {
    puna_session* session = nullptr;
    int64_t calls_left = -1;
  } host;
  auto options = sized<puna_context_options>();
  options.executor_user = &host;
  options.executor_threads = 2;
  options.parallel_for = [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
    auto* h = static_cast<Host*>(user);
    if (h->calls_left-- == 0) ok(puna_session_cancel(h->session));  // in the middle of a pass
    for (int64_t i = 0; i < n; ++i) task(data, i);
  };
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chat_model(), context.get());
  const std::vector<int32_t> ids = some_tokens(300);
  const std::vector<float> expected = logits_after(make_session(model), ids);

  const SessionHandle session = make_session(model);
  host.session = session.get();
  for (const int64_t when : {0, 3, 20}) {
    host.calls_left = when;
    refused(puna_session_append(session.get(), ids.data(), ids.size()), PUNA_CANCELLED, "cancel");
    CHECK(length(session) == 0);
  }
  host.calls_left = -1;
  CHECK(logits_after(session, ids) == expected);

  ok(puna_session_cancel(session.get()));  // while nothing runs: the next call
  refused(puna_session_append(session.get(), ids.data(), 1), PUNA_CANCELLED, "cancel");
  ok(puna_session_append(session.get(), ids.data(), 1));
}

TEST_CASE("scores are the log-likelihoods that the logits give", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> ids = some_tokens(20);
  std::vector<float> nll(ids.size() - 1);
  const SessionHandle session = make_session(model, /*exact=*/true);
  ok(puna_session_score(session.get(), ids.data(), ids.size(), nll.data(), nll.size()));

  const SessionHandle reference = make_session(model, /*exact=*/true);
  for (size_t i = 0; i + 1 < ids.size(); ++i) {
    const std::vector<float> l = logits_after(reference, {ids[i]});
    double sum = 0;
    for (const float v : l) sum += std::exp(double(v));
    CHECK(nll[i] == Approx(std::log(sum) - double(l[size_t(ids[i + 1])])).margin(1e-5));
  }
  refused(puna_session_score(session.get(), ids.data(), 1, nll.data(), nll.size()), PUNA_INVALID_ARGUMENT, "count");
  refused(puna_session_score(make_session(model).get(), ids.data(), ids.size(), nll.data(), nll.size() - 1), PUNA_INVALID_ARGUMENT, "buffer");
}
