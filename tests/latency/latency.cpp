// latency.cpp -- what a host feels: how far a step overruns its budget (beside what the scheduler does to a program that only looks at the
// clock), how long after a cancel a call returns, and what more threads than CPUs cost.      usage: latency MODEL
#include <puna.h>

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

double us_since(Clock::time_point start) { return std::chrono::duration<double, std::micro>(Clock::now() - start).count(); }

void ok(puna_status status) {
  if (status == PUNA_OK) return;
  fprintf(stderr, "%s: %s\n", puna_status_name(status), puna_last_error());
  std::exit(1);
}

void report(const char* what, std::vector<double> us) {
  std::sort(us.begin(), us.end());
  const auto at = [&](double q) { return us[size_t(q * double(us.size() - 1))]; };
  printf("%-58s p50 %8.0f  p90 %8.0f  p99 %8.0f  max %8.0f us  (%zu)\n", what, at(0.5), at(0.9), at(0.99), us.back(), us.size());
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
    ok(puna_session_begin(s, ids.data(), ids.size()));
    finish(prefill);
  }
  for (int i = 0; i < 200; ++i) {
    const int32_t id = 500 + i;
    ok(puna_session_begin(s, &id, 1));
    finish(decode);
  }
  report((std::string("steps of 2 ms in a prompt, ") + threads + ", overrun").c_str(), prefill);
  if (!decode.empty()) report((std::string("steps of 2 ms in decoding, ") + threads + ", overrun").c_str(), decode);
  puna_session_free(s);
}

// `work` is cancelled after a while that differs each time; the time from there to its return.
template <class Work>
void cancels(const char* what, const Machine& m, int times, Work&& work) {
  std::vector<double> latencies;
  for (int i = 0; i < times; ++i) {
    puna_session* s = m.session();
    std::atomic<int64_t> asked{0};
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(15'000 + i * 977 % 40'000));
      asked = Clock::now().time_since_epoch().count();
      puna_session_cancel(s);
    });
    const puna_status status = work(s);
    const auto end = Clock::now().time_since_epoch().count();
    other.join();
    if (status == PUNA_CANCELLED) latencies.push_back(double(end - asked.load()) / 1000);
    puna_session_free(s);
  }
  if (latencies.empty()) printf("%s: finished before every cancel\n", what);
  else report(what, latencies);
}

void load_cancels(const char* path, int times) {
  std::vector<double> gaps;
  for (int i = 0; i < times; ++i) {
    struct Host {
      Clock::time_point last = Clock::now();
      double longest = 0;
    } host;
    puna_model_options o{};
    o.struct_size = sizeof o;
    o.progress_user = &host;
    o.progress = [](void* user, uint64_t, uint64_t) -> int32_t {
      auto* h = static_cast<Host*>(user);
      h->longest = std::max(h->longest, us_since(h->last));
      h->last = Clock::now();
      return 0;
    };
    puna_model* model = nullptr;
    ok(puna_model_open(nullptr, path, &o, &model));
    gaps.push_back(std::max(host.longest, us_since(host.last)));  // nobody is asked while the last part of a load runs
    puna_model_free(model);
  }
  report("load: the longest time between two chances to cancel", gaps);
}

double decode_seconds(const char* path, int32_t threads) {
  const Machine m(path, threads);
  puna_session* s = m.session();
  const auto ids = prompt(32);
  ok(puna_session_append(s, ids.data(), ids.size()));
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const auto start = Clock::now();
    for (int32_t i = 0; i < 32; ++i) ok(puna_session_append(s, &ids[size_t(i)], 1));
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
    cancels("cancel in a prompt", two, 60, [](puna_session* s) {
      const auto ids = prompt(2000);
      return puna_session_append(s, ids.data(), ids.size());
    });
    cancels("cancel in decoding", two, 60, [](puna_session* s) {
      puna_generate_options o{};
      o.struct_size = sizeof o;
      o.ignore_eos = 1;
      return puna_session_generate(s, "Once", 4, &o, nullptr, nullptr, nullptr);
    });
  }
  load_cancels(argv[1], 5);
  const double two = decode_seconds(argv[1], 2), eight = decode_seconds(argv[1], 8);
  printf("32 tokens with 2 threads %.3f s, with 8 threads %.3f s: %+.0f %%\n", two, eight, 100 * (eight / two - 1));
  return 0;
}
