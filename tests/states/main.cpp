// main.cpp -- the state machine of the C API: random sequences of calls, compared with the rules of puna.h and with
// fresh runs.
//   test_states [--sequences n] [--seed first] [--threads n] [--pool n] [folder ...]
// A sequence that differs is made shorter and printed, with its seed: `test_states --seed S --sequences 1 FOLDER`
// repeats it. Threads share the models; with a pool of the library's own nothing happens during calls, but
// they compute on several threads.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <thread>

#include "states/machine.h"

using namespace puna::test::states;

namespace {

struct Failure {
  std::string what;
  std::vector<std::string> script;
};

std::optional<Failure> run(const Subject& subject, Oracle& oracle, bool triggers, const std::vector<Op>& ops) {
  Machine machine(subject, oracle, triggers);
  try {
    machine.run(ops);
  } catch (const Difference& d) {
    return Failure{d.what(), machine.script};
  }
  return std::nullopt;
}

// Leaves out whatever the difference does not need.
Failure shortest(const Subject& subject, Oracle& oracle, bool triggers, std::vector<Op> ops, Failure failure) {
  for (size_t part = ops.size(); part >= 1; part /= 2)
    for (size_t at = 0; at < ops.size();) {
      std::vector<Op> fewer = ops;
      fewer.erase(fewer.begin() + std::ptrdiff_t(at),
                  fewer.begin() + std::ptrdiff_t(std::min(at + part, fewer.size())));
      if (auto still = run(subject, oracle, triggers, fewer)) {
        ops = fewer;
        failure = *still;
      } else {
        at += part;
      }
    }
  return failure;
}

struct Settings {
  int64_t sequences = 2000, seed = 1;
  int threads = 1, pool = 0;
};

bool run_all(const std::string& folder, const Settings& settings) {
  auto options = host_with_triggers();
  if (settings.pool > 0) {
    options = sized<puna_context_options>();
    options.threads = settings.pool;
  }
  const Subject subject(folder, options);
  Oracle oracle(folder);
  std::atomic<int64_t> next{0}, calls{0};
  std::atomic<bool> failed{false};
  const auto start = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (int64_t i; !failed && (i = next++) < settings.sequences;) {
      const std::vector<Op> ops = random_ops(uint64_t(settings.seed + i));
      auto failure = run(subject, oracle, settings.pool == 0, ops);
      calls += int64_t(ops.size());
      if (!failure || failed.exchange(true)) continue;
      const Failure f = shortest(subject, oracle, settings.pool == 0, ops, *failure);
      std::printf("seed %jd of %s:\n", settings.seed + i, folder.c_str());
      for (const std::string& line : f.script) std::printf("  %s\n", line.c_str());
      std::printf("%s\n", f.what.c_str());
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < settings.threads; ++t) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!failed)
    std::printf("%s: %jd sequences of %jd calls in all, without a difference (%.1f s)\n", folder.c_str(),
                settings.sequences, calls.load(), seconds);
  std::fflush(stdout);
  return !failed;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  std::vector<std::string> folders;
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    const auto number = [&] { return i + 1 < argc ? std::strtoll(argv[++i], nullptr, 10) : 0; };
    if (a == "--sequences")
      settings.sequences = number();
    else if (a == "--seed")
      settings.seed = number();
    else if (a == "--threads")
      settings.threads = int(number());
    else if (a == "--pool")
      settings.pool = int(number());
    else
      folders.emplace_back(a);
  }
  if (folders.empty()) {
    std::puts("which models? test_states [--sequences n] [--seed first] [--threads n] [--pool n] folder ...");
    return 2;
  }
  try {
    for (const std::string& folder : folders)
      if (!run_all(folder, settings)) return 1;
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
    return 1;
  }
  return 0;
}
