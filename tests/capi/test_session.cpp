// One conversation: appending, logits, rewinding, forking, batches, cancelling, scores.
#include <atomic>
#include <cmath>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

bool is_text_model(const Golden& g) {
  return g.has("input_ids") && g.has("logits") && g.has_file("model.safetensors") && !g.has("pixel_values_hf") &&
         !g.has("labels");
}

}  // namespace

TEST_CASE("exact logits agree with the reference's", "[capi][golden]") {
  for (const Golden& golden : goldens(is_text_model)) {
    CAPTURE(golden.fixture());
    const ModelHandle model = open_model(golden.folder());
    const std::vector<int64_t> wide = golden.array("input_ids").i64();
    const std::vector<int32_t> ids(wide.begin(), wide.end());
    const SessionHandle session = make_session(model, /*exact=*/true);
    std::vector<float> all(golden.array("logits").f32().size());
    puna_append_options options = wanting_logits(all);
    auto result = sized<puna_append_result>();
    ok(puna_session_append(session.get(), ids.data(), ids.size(), &options, &result));
    golden.check("logits", all);
    CHECK((result.kept == 0 && result.appended == int64_t(ids.size())));
    options.logits_capacity -= 1;
    refused(puna_session_append(session.get(), ids.data(), ids.size(), &options, nullptr), PUNA_INVALID_ARGUMENT,
            "logits has room for");
    CHECK(length(session) == int64_t(ids.size()));
  }
}

TEST_CASE("appending at once, in steps, in chunks and in a batch gives the same bits", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> ids = some_tokens(70);
  const std::vector<float> expected = logits_after(make_session(model), ids);

  const SessionHandle steps = make_session(model);
  for (const int32_t id : ids) ok(puna_session_append(steps.get(), &id, 1, nullptr, nullptr));
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

TEST_CASE("what is shared with a whole conversation stays, and the bits are those of a fresh session", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto options = sized<puna_append_options>();
  options.keep_shared = 1;
  const std::vector<int32_t> first = some_tokens(40);
  for (const size_t shared : {size_t(0), size_t(1), size_t(25), size_t(40)}) {
    CAPTURE(shared);
    std::vector<int32_t> whole(first.begin(), first.begin() + std::ptrdiff_t(shared));
    for (int32_t i = 0; i < 7; ++i) whole.push_back(200 + i);
    const SessionHandle session = make_session(model);
    logits_after(session, first);
    auto planned = sized<puna_append_result>(), result = planned;
    ok(puna_session_plan_append(session.get(), whole.data(), whole.size(), &options, &planned));
    CHECK(tokens_of(session) == first);
    ok(puna_session_append(session.get(), whole.data(), whole.size(), &options, &result));
    CHECK((result.kept == int64_t(shared) && result.appended == 7));
    CHECK((planned.kept == result.kept && planned.appended == result.appended));
    CHECK(tokens_of(session) == whole);
    CHECK(logits(session) == logits_after(make_session(model), whole));
    ok(puna_session_append(session.get(), whole.data(), whole.size(), &options,
                           &result));  // nothing new: the last token is computed again
    CHECK((result.kept == int64_t(whole.size()) - 1 && result.appended == 1));
    CHECK(logits(session) == logits_after(make_session(model), whole));
  }
  const SessionHandle session = make_session(model);
  refused(puna_session_append(session.get(), nullptr, 0, &options, nullptr), PUNA_INVALID_ARGUMENT, "no tokens");
}

TEST_CASE("a generated token is held at once and computed by what comes next", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> prompt = some_tokens(9);
  auto options = sized<puna_generate_options>();
  options.max_tokens = 5;
  options.ignore_eos = 1;
  const auto answered = [&] {
    SessionHandle s = make_session(model);
    ok(puna_session_generate_tokens(s.get(), prompt.data(), prompt.size(), &options, nullptr, nullptr, nullptr));
    return s;
  };
  SessionHandle session = answered();
  const std::vector<int32_t> held = tokens_of(session);
  REQUIRE(held.size() == prompt.size() + 5);
  CHECK((info_of(session).pending == 1 && info_of(session).length == 14));
  const float* none = nullptr;
  refused(puna_session_get_logits(session.get(), &none, nullptr), PUNA_WRONG_STATE, "not computed yet");

  ok(puna_session_append(session.get(), nullptr, 0, nullptr, nullptr));  // computes it alone
  CHECK(info_of(session).pending == 0);
  CHECK(logits(session) == logits_after(make_session(model), held));
  refused(puna_session_append(session.get(), nullptr, 0, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "no tokens");

  std::vector<int32_t> longer = held;
  longer.push_back(7);
  CHECK(logits_after(answered(), {7}) == logits_after(make_session(model), longer));

  session = answered();  // cut off again: the logits before it are there
  ok(puna_session_truncate(session.get(), int64_t(held.size()) - 1));
  CHECK(logits(session) == logits_after(make_session(model), {held.begin(), held.end() - 1}));

  session = answered();  // a snapshot and a copy keep it
  size_t size = 0;
  ok(puna_session_snapshot(session.get(), nullptr, 0, &size));
  std::vector<char> bytes(size);
  ok(puna_session_snapshot(session.get(), bytes.data(), size, &size));
  puna_session *restored = nullptr, *copy = nullptr;
  ok(puna_session_restore(model.get(), bytes.data(), size, &restored));
  ok(puna_session_fork(session.get(), &copy));
  for (puna_session* made : {restored, copy}) {
    const SessionHandle s(made);
    CHECK(info_of(s).pending == 1);
    CHECK(logits_after(s, {7}) == logits_after(make_session(model), longer));
  }
}

TEST_CASE("a session knows its tokens", "[capi]") {
  const SessionHandle session = make_session(open_model(chat_model()));
  const float* data = nullptr;
  refused(puna_session_get_logits(session.get(), &data, nullptr), PUNA_WRONG_STATE, "append");
  const std::vector<int32_t> ids = some_tokens(5);
  logits_after(session, ids);
  CHECK(tokens_of(session) == ids);

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
    refused(puna_session_append(session.get(), &id, 1, nullptr, nullptr), PUNA_INVALID_ARGUMENT, std::to_string(id));
  refused(puna_session_append(session.get(), some_tokens(3).data(), 3, nullptr, nullptr), PUNA_CONTEXT_FULL, "10");
  refused(puna_session_append(session.get(), nullptr, 0, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "no tokens");
  refused(puna_session_append(session.get(), nullptr, 2, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "tokens is NULL");
  refused(puna_session_append(session.get(), &info.vocabulary, SIZE_MAX, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "");
  CHECK(length(session) == 8);
  CHECK(logits(session) == before);
  ok(puna_session_append(session.get(), some_tokens(2).data(), 2, nullptr, nullptr));

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
    refused(puna_session_append(session.get(), ids.data(), ids.size(), nullptr, nullptr), PUNA_CANCELLED, "cancel");
    CHECK(length(session) == 0);
  }
  host.calls_left = -1;
  CHECK(logits_after(session, ids) == expected);

  ok(puna_session_cancel(session.get()));  // while nothing runs: the next call
  refused(puna_session_append(session.get(), ids.data(), 1, nullptr, nullptr), PUNA_CANCELLED, "cancel");
  ok(puna_session_append(session.get(), ids.data(), 1, nullptr, nullptr));
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
  refused(puna_session_score(make_session(model).get(), ids.data(), ids.size(), nll.data(), nll.size() - 1),
          PUNA_INVALID_ARGUMENT, "nll has room for");
}
