// latency.cpp -- what a host feels: how far a step overruns its budget (beside what the scheduler does to a program
// that only looks at the
// clock), how long after a cancel a call returns, and what more threads than CPUs cost.      usage: latency MODEL
#include <puna.h>
#include <puna_train.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

void ok(puna_status status) {
  if (status == PUNA_OK) return;
  fprintf(stderr, "%s: %s\n", puna_status_name(status), puna_last_error());
  std::exit(1);
}

void report(const char* what, std::vector<double> us) {
  std::sort(us.begin(), us.end());
  const auto at = [&](double q) { return us[size_t(q * double(us.size() - 1))]; };
  printf("%-58s p50 %8.0f  p90 %8.0f  p99 %8.0f  max %8.0f us  (%zu)\n", what, at(0.5), at(0.9), at(0.99), us.back(),
         us.size());
}

std::vector<int32_t> prompt(size_t n) {
  std::vector<int32_t> ids(n);
  for (size_t i = 0; i < n; ++i) ids[i] = int32_t(100 + i * 37 % 20000);
  return ids;
}

struct Machine {
  puna_context* context = nullptr;
  puna_model* model = nullptr;
  Machine(const char* path, int32_t threads) {
    puna_context_options o{};
    o.struct_size = sizeof o;
    o.threads = threads;
    ok(puna_context_create(&o, &context));
    ok(puna_model_open(context, path, nullptr, &model));
  }
  ~Machine() {
    puna_model_free(model);
    puna_context_free(context);
  }
  puna_session* session() const {
    puna_session* s = nullptr;
    ok(puna_session_create(model, nullptr, &s));
    return s;
  }
};

// A thread that only looks at the clock for as long as a budget: by how much is it late?
void jitter(uint64_t budget_us, size_t times) {
  std::vector<double> over;
  for (size_t i = 0; i < times; ++i) {
    const auto start = Clock::now();
    while (us_since(start) < double(budget_us)) {}
    over.push_back(us_since(start) - double(budget_us));
  }
  report("the scheduler alone: a busy loop of 2 ms, overrun", over);
}

void steps(const Machine& m, uint64_t budget_us, const char* threads) {
  puna_session* s = m.session();
  const auto finish = [&](std::vector<double>& over) {
    for (int32_t finished = 0; !finished;) {
      const auto start = Clock::now();
      ok(puna_session_step(s, budget_us, &finished));
      if (!finished) over.push_back(us_since(start) - double(budget_us));
    }
  };
  std::vector<double> prefill, decode;
  for (int round = 0; round < 3; ++round) {
    ok(puna_session_truncate(s, 0));
    const auto ids = prompt(512);
    ok(puna_session_begin(s, ids.data(), ids.size(), nullptr));
    finish(prefill);
  }
  for (int i = 0; i < 200; ++i) {
    const int32_t id = 500 + i;
    ok(puna_session_begin(s, &id, 1, nullptr));
    finish(decode);
  }
  report((std::string("steps of 2 ms in a prompt, ") + threads + ", overrun").c_str(), prefill);
  if (!decode.empty()) report((std::string("steps of 2 ms in decoding, ") + threads + ", overrun").c_str(), decode);
  puna_session_free(s);
}

// Set by another thread, read by callbacks that are asked now and then; the session, if there is one, is cancelled with
// it.
struct Stop {
  std::atomic<bool> asked{false};
  std::atomic<puna_session*> session{nullptr};
  ~Stop() { puna_session_free(session); }
  static int32_t watch(void* user) { return static_cast<Stop*>(user)->asked; }
};

// `work(stop)` is cancelled after a part of the time it takes, another part each time; the time from there to its
// return.
template <class Work>
void cancels(const char* what, int times, Work&& work) {
  const auto run = [&](double after_us, double& late) {
    Stop stop;
    std::atomic<bool> over{false};
    Clock::time_point asked;
    std::thread other([&] {
      const auto start = Clock::now();
      while (!over && us_since(start) < after_us) std::this_thread::sleep_for(std::chrono::microseconds(100));
      asked = Clock::now();
      stop.asked = true;
      if (stop.session) puna_session_cancel(stop.session);
    });
    const puna_status status = work(stop);
    const auto end = Clock::now();
    over = true;
    other.join();
    late = std::chrono::duration<double, std::micro>(end - asked).count();
    return status;
  };
  double late = 0;
  const auto start = Clock::now();
  run(2e6, late);  // two seconds at most, to learn how long it takes
  const double whole = us_since(start);
  std::vector<double> latencies;
  for (int i = 0; i < times; ++i)
    if (run(whole * (0.02 + 0.96 * i / times), late) == PUNA_CANCELLED) latencies.push_back(late);
  if (latencies.empty())
    printf("%s: finished before every cancel\n", what);
  else
    report(what, latencies);
}

// Work in a session of its own.
template <class Work>
auto in_session(const Machine& m, Work&& work) {
  return [&m, work](Stop& stop) {
    stop.session = m.session();
    return work(stop.session.load());
  };
}

void all_cancels(const char* path, const Machine& m) {
  cancels("cancel in a load", 100, [&](Stop& stop) {
    puna_model_options o{};
    o.struct_size = sizeof o;
    o.progress = [](void* user, uint64_t, uint64_t) { return Stop::watch(user); };
    o.progress_user = &stop;
    puna_model* model = nullptr;
    const puna_status status = puna_model_open(nullptr, path, &o, &model);
    puna_model_free(model);
    return status;
  });
  std::string chat = R"({"messages": [)";
  for (int i = 0; i < 20000; ++i)
    chat += std::string(i ? "," : "") + R"({"role": "user", "content": "something that somebody said"})";
  chat += "]}";
  cancels("cancel in a chat of 20,000 messages", 100, [&](Stop& stop) {
    puna_chat_options o{};
    o.struct_size = sizeof o;
    o.watch = Stop::watch;
    o.watch_user = &stop;
    puna_chat* made = nullptr;
    const puna_status status = puna_chat_create(m.model, chat.data(), chat.size(), &o, &made);
    puna_chat_free(made);
    return status;
  });
  std::string text;
  while (text.size() < 8 << 20) text += "some words that take a while, ";
  cancels("cancel in a prompt's text", 50, in_session(m, [&](puna_session* s) {
            return puna_session_generate(s, text.data(), text.size(), nullptr, nullptr, nullptr, nullptr);
          }));
  cancels("cancel in a prompt", 50, in_session(m, [&](puna_session* s) {
            const auto ids = prompt(1000);
            return puna_session_append(s, ids.data(), ids.size(), nullptr, nullptr);
          }));
  cancels("cancel in decoding", 50, in_session(m, [&](puna_session* s) {
            puna_generate_options o{};
            o.struct_size = sizeof o;
            o.ignore_eos = 1;
            o.max_tokens = 60;
            return puna_session_generate(s, "Once", 4, &o, nullptr, nullptr, nullptr);
          }));
  std::string examples;
  for (int i = 0; i < 8; ++i)
    examples += R"({"prompt": "What is sold here?", "completion": " Rope, oil, bread and the odd sword."})"
                "\n";
  cancels("cancel in fine-tuning", 30, [&](Stop& stop) {
    puna_finetune_options o{};
    o.struct_size = sizeof o;
    o.steps = 2;
    o.watch = Stop::watch;
    o.watch_user = &stop;
    puna_adapter* adapter = nullptr;
    const puna_status status = puna_model_finetune(m.model, examples.data(), examples.size(), &o, &adapter);
    puna_adapter_free(adapter);
    return status;
  });
}

double decode_seconds(const char* path, int32_t threads) {
  const Machine m(path, threads);
  puna_session* s = m.session();
  const auto ids = prompt(32);
  ok(puna_session_append(s, ids.data(), ids.size(), nullptr, nullptr));
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    for (int32_t i = 0; i < 32; ++i) ok(puna_session_append(s, &ids[size_t(i)], 1, nullptr, nullptr));
    best = std::min(best, us_since(start) / 1e6);
  }
  puna_session_free(s);
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s MODEL\n", argv[0]);
    return 1;
  }
  printf("%u CPUs, load average ", std::thread::hardware_concurrency());
  double load = 0;
  printf("%.1f: figures mean something on an idle machine only\n", getloadavg(&load, 1) == 1 ? load : -1.0);
  jitter(2000, 500);
  {
    const Machine one(argv[1], 1), two(argv[1], 2);
    steps(one, 2000, "1 thread");
    steps(two, 2000, "2 threads");
    all_cancels(argv[1], two);
  }
  const double two = decode_seconds(argv[1], 2), eight = decode_seconds(argv[1], 8);
  printf("32 tokens with 2 threads %.3f s, with 8 threads %.3f s: %+.0f %%\n", two, eight, 100 * (eight / two - 1));
  return 0;
}
