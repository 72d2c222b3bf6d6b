// Hosts that do unusual things: flush-to-zero arithmetic, fork(), several threads on one model, exceptions in
// callbacks.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <thread>

#include "capi/fixture.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace puna::test;

namespace {

const std::vector<int32_t> kTokens = {11, 22, 33, 44, 55, 66, 77};

}  // namespace

#if defined(__x86_64__)
TEST_CASE("a host with flush-to-zero and another rounding mode gets the same bits and its mode back", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<float> expected = logits_after(make_session(model), kTokens);

  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040, kRoundUp = 0x4000, kMasks = 0x1F80;
  const unsigned mine = _mm_getcsr(), theirs = kMasks | kFlushToZero | kDenormalsAreZero | kRoundUp;
  _mm_setcsr(theirs);
  unsigned inside = 0;
  puna_generate_options options = sized<puna_generate_options>();
  options.max_tokens = 1;
  const puna_token_fn look = [](void* user, const puna_generated_token*) {
    *static_cast<unsigned*>(user) = _mm_getcsr();
    return int32_t(0);
  };
  puna_session *session = nullptr, *other = nullptr;
  const float* data = nullptr;
  size_t count = 0;
  puna_status status = puna_session_create(model.get(), nullptr, &session);
  if (!status) status = puna_session_append(session, kTokens.data(), kTokens.size(), nullptr, nullptr);
  if (!status) status = puna_session_get_logits(session, &data, &count);
  if (!status) status = puna_session_create(model.get(), nullptr, &other);
  if (!status)
    status = puna_session_generate_tokens(other, kTokens.data(), kTokens.size(), &options, look, &inside, nullptr);
  const unsigned after = _mm_getcsr();
  _mm_setcsr(mine);

  const SessionHandle a(session), b(other);
  ok(status);
  CHECK(std::vector<float>(data, data + count) == expected);
  constexpr unsigned kModes = kFlushToZero | kDenormalsAreZero | 0x6000;
  CHECK((inside & kModes) == 0);
  CHECK((after & (kModes | kMasks)) == theirs);
}
#endif

#ifdef __linux__
TEST_CASE("an idle context wakes nobody: its threads switch no context while nothing is asked of them", "[capi]") {
  std::set<std::string> others;  // this thread, and what a sanitizer runs
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) others.insert(task.path().string());
  const auto switches = [&] {  // of every thread of the context's
    std::map<std::string, int64_t> count;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      if (others.count(task.path().string()) != 0) continue;
      std::ifstream status(task.path() / "status");
      for (std::string line; std::getline(status, line);)
        if (line.find("ctxt_switches") != std::string::npos)
          count[task.path().string()] += std::stoll(line.substr(line.find(':') + 1));
    }
    return count;
  };
  auto options = sized<puna_context_options>();
  options.threads = 4;
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chat_model(), context.get());
  const SessionHandle session = make_session(model);
  logits_after(session, kTokens);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // until they sleep
  const auto before = switches();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(before.size() >= 3);
  CHECK(switches() == before);
  bool woken = false;  // and they are there when something is, as soon as a busy machine lets them
  for (int i = 0; i < 200 && !woken; ++i) {
    logits_after(make_session(model), kTokens);
    woken = switches() != before;
  }
  CHECK(woken);
}
#endif

#ifndef _WIN32
TEST_CASE("in a forked child every use of a handle is an error and every free returns", "[capi]") {
  auto options = sized<puna_context_options>();
  options.threads = 3;
  ContextHandle context = make_context(&options);
  ModelHandle model = open_model(chat_model(), context.get());
  SessionHandle session = make_session(model);
  logits_after(session, kTokens);
  puna_generation* made_before = nullptr;
  ok(puna_generation_create_tokens(session.get(), kTokens.data(), 2, nullptr, &made_before));
  GenerationHandle generation(made_before);
  puna_tokenizer* tokenizer_made = nullptr;
  ok(puna_tokenizer_open(chat_model().c_str(), &tokenizer_made));
  TokenizerHandle tokenizer(tokenizer_made);
  const puna_tokenizer* of_model = tokenizer_of(model.get());
  puna_buffer* ids = nullptr;
  ok(puna_buffer_create(&ids));

  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {  // no Catch2 here: each bit of the exit code is a promise
    alarm(20);       // a hang is a failure
    int broken = 0;
    auto info = sized<puna_context_info>();
    auto model_info = sized<puna_model_info>();
    puna_session* made = nullptr;
    if (puna_context_get_info(context.get(), &info) != PUNA_WRONG_STATE) broken |= 1;
    if (puna_model_get_info(model.get(), &model_info) != PUNA_WRONG_STATE) broken |= 2;
    if (puna_session_append(session.get(), kTokens.data(), 1, nullptr, nullptr) != PUNA_WRONG_STATE) broken |= 4;
    if (puna_session_create(model.get(), nullptr, &made) != PUNA_WRONG_STATE) broken |= 8;
    if (!strstr(puna_last_error(), "fork")) broken |= 16;
    int32_t state = 0;
    size_t size = 0;
    if (puna_generation_step(generation.get(), 0, nullptr, &state) != PUNA_WRONG_STATE) broken |= 64;
    if (puna_session_snapshot(session.get(), nullptr, 0, &size) != PUNA_WRONG_STATE) broken |= 64;
    if (puna_session_begin(session.get(), kTokens.data(), 1, nullptr) != PUNA_WRONG_STATE) broken |= 64;
    for (const puna_tokenizer* t : {of_model, static_cast<const puna_tokenizer*>(tokenizer.get())})
      if (puna_tokenizer_encode(t, "hi", 2, nullptr, ids) != PUNA_OK) broken |= 64;
    generation.reset();
    tokenizer.reset();
    session.reset();
    model.reset();
    context.reset();
    puna_context* own = nullptr;  // a context of its own works
    auto own_options = sized<puna_context_options>();
#ifdef __SANITIZE_THREAD__
    own_options.threads = 1;  // ThreadSanitizer cannot follow threads that a forked child starts
#endif
    if (puna_context_create(&own_options, &own) != PUNA_OK) broken |= 32;
    puna_context_free(own);
    _exit(broken);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  puna_buffer_free(ids);
  ok(puna_session_append(session.get(), kTokens.data(), 1, nullptr, nullptr));  // the parent is untouched
}
#endif

TEST_CASE("sessions of one model run in parallel and agree", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<float> expected = logits_after(make_session(model), kTokens);
  std::vector<puna_status> status(4, PUNA_INTERNAL);
  std::vector<std::vector<float>> got(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      puna_session* s = nullptr;
      const float* data = nullptr;
      size_t count = 0;
      status[i] = puna_session_create(model.get(), nullptr, &s);
      if (!status[i]) status[i] = puna_session_append(s, kTokens.data(), kTokens.size(), nullptr, nullptr);
      if (!status[i]) status[i] = puna_session_get_logits(s, &data, &count);
      if (!status[i]) got[i].assign(data, data + count);
      puna_session_free(s);
    });
  for (std::thread& t : threads) t.join();
  for (size_t i = 0; i < 4; ++i) {
    CHECK(status[i] == PUNA_OK);
    CHECK(got[i] == expected);
  }
}

TEST_CASE("an exception in a callback becomes a status, not the end of the host", "[capi]") {
  const SessionHandle session = make_session(open_model(chat_model()));
  const puna_token_fn rude = [](void*, const puna_generated_token*) -> int32_t {
    throw std::runtime_error("thrown by the host");
  };
  refused(puna_session_generate_tokens(session.get(), kTokens.data(), kTokens.size(), nullptr, rude, nullptr, nullptr),
          PUNA_INTERNAL, "thrown by the host");
  const puna_token_fn throwing = [](void*, const puna_generated_token*) -> int32_t { throw 42; };
  refused(
      puna_session_generate_tokens(session.get(), kTokens.data(), kTokens.size(), nullptr, throwing, nullptr, nullptr),
      PUNA_INTERNAL, "unknown type");
  logits_after(session, kTokens);
}

TEST_CASE("whichever of a host's callbacks throws, the host gets a status, and what it has goes on working", "[capi]") {
  // Callback by callback: all that it does is to throw, each time.
  enum class Who { alloc, dealloc, log, parallel_for, thread_start, progress, read_at, process_logits, render };
  const Who who = Who(GENERATE(range(0, 9)));
  CAPTURE(int(who));
  static std::atomic<bool> armed{true};
  armed = true;
  const auto rude = [] {
    if (armed) throw std::runtime_error("thrown by the host");
  };
  static void (*throws)() = nullptr;
  throws = rude;
  auto o = sized<puna_context_options>();
  o.threads = 2;
  if (who == Who::alloc || who == Who::dealloc) {
    static Who which;
    which = who;
    o.alloc = [](void*, size_t bytes, size_t alignment) -> void* {
      if (which == Who::alloc) throws();
      return ::operator new(bytes, std::align_val_t(alignment), std::nothrow);
    };
    o.dealloc = [](void*, void* memory, size_t) {
      ::operator delete(memory, std::align_val_t(64));
      if (which == Who::dealloc) throws();
    };
  }
  if (who == Who::log) o.log = [](void*, int32_t, const char*) { throws(); };
  if (who == Who::thread_start) o.thread_start = [](void*, int32_t) { throws(); };
  if (who == Who::parallel_for) {
    o.executor_threads = 2;
    o.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
      for (int64_t i = 0; i < n / 2; ++i) task(data, i);
      throws();
      for (int64_t i = n / 2; i < n; ++i) task(data, i);
    };
  }
  const ContextHandle context = make_context(&o);
  auto m = sized<puna_model_options>();
  if (who == Who::progress)
    m.progress = [](void*, uint64_t, uint64_t) -> int32_t {
      throws();
      return 0;
    };
  puna_model* made = nullptr;
  puna_status status = PUNA_OK;
  if (who == Who::read_at) {
    auto reader = sized<puna_reader>();
    reader.size = 1 << 20;
    reader.read_at = [](void*, uint64_t, uint64_t, void*) -> int32_t {
      throws();
      return 1;
    };
    status = puna_model_open_reader(context.get(), &reader, &m, &made);
  } else {
    status = puna_model_open(context.get(), chat_model().c_str(), &m, &made);
  }
  if (who == Who::alloc)
    refused(status, PUNA_OUT_OF_MEMORY, "the allocator gave no");
  else if (who == Who::progress || who == Who::read_at)
    refused(status, PUNA_INTERNAL, "thrown by the host");
  else
    ok(status);
  const bool opened = status == PUNA_OK;
  CHECK((made != nullptr) == opened);
  armed = opened;
  if (!opened) ok(puna_model_open(context.get(), chat_model().c_str(), &m, &made));
  const ModelHandle model(made);
  const SessionHandle session = make_session(model);
  CHECK(logits_after(session, kTokens) == logits_after(make_session(open_model(chat_model())), kTokens));
  if (who == Who::process_logits) {
    auto g = sized<puna_generate_options>();
    g.max_tokens = 3;
    g.process_logits = [](void*, float*, uint64_t, const int32_t*, uint64_t) -> int32_t {
      throws();
      return 0;
    };
    refused(puna_session_generate_tokens(session.get(), nullptr, 0, &g, nullptr, nullptr, nullptr), PUNA_INTERNAL,
            "thrown by the host");
    armed = false;
    ok(puna_session_generate_tokens(session.get(), nullptr, 0, &g, nullptr, nullptr, nullptr));
  }
  if (who == Who::render) {
    std::string chat = R"({"messages": [)";
    for (int i = 0; i < 20000; ++i) chat += std::string(i ? "," : "") + R"({"role": "user", "content": "said"})";
    chat += "]}";
    auto r = sized<puna_chat_options>();
    r.watch = [](void*) -> int32_t {
      throws();
      return 0;
    };
    refused(render(model, chat, &r), PUNA_INTERNAL, "thrown by the host");
  }
  logits_after(session, {1});
}

TEST_CASE("a parallel_for that returns before all is done gets the rest done by us", "[capi]") {
  auto o = sized<puna_context_options>();
  o.executor_threads = 2;
  o.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
    for (int64_t i = 0; i < n / 3; ++i) task(data, i);
  };
  const ContextHandle context = make_context(&o);
  CHECK(logits_after(make_session(open_model(chat_model(), context.get())), kTokens) ==
        logits_after(make_session(open_model(chat_model())), kTokens));
}
