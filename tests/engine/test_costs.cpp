// How many prompt rows a pass takes, on machines whose costs are known: what is added to a pass that also decodes stays
// within its share, and is used.
#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "runtime/engine/costs.h"
#include "support/catch.h"

using namespace puna;

namespace test_costs {
namespace {

constexpr int64_t kPasses = 4000;

struct Machine {
  const char* name;
  // What prompt rows add to a pass, in parts of what one decode row takes alone: so many rows whose keys are so deep (0
  // to 1).
  std::function<double(int64_t rows, double depth)> added;
  double units_at_the_end;  // that the schedule counts for a row of depth 1
};

const Machine kMachines[] = {
    {"every row costs the same", [](int64_t n, double) { return 0.11 * double(n); }, 1},
    {"the first rows cost most", [](int64_t n, double) { return double(n) * (0.13 + 0.3 / (1 + double(n) / 8)); }, 1},
    {"four rows at a time", [](int64_t n, double) { return 0.3 * double((n + 3) / 4); }, 1},
    {"no row is cheap", [](int64_t n, double) { return 0.7 * double(n); }, 1},
    {"deep rows cost more than counted", [](int64_t n, double d) { return 0.05 * double(n) * (1 + 15 * d); }, 9},
    {"deep rows cost less than counted", [](int64_t n, double d) { return 0.05 * double(n) * (1 + 4 * d); }, 9},
};

struct Seen {
  std::vector<double> added;  // each pass, in parts of a decode pass
  double mean = 0;
};

// A prompt that grows from depth 0 to depth 1 beside one that decodes, on a machine that something else interrupts.
Seen read_a_prompt(const Machine& machine, double share, int64_t interrupted_in, double seconds_alone = 0.01) {
  PassCosts costs;
  std::mt19937 random(7);
  const auto noisy = [&](double seconds) {
    seconds *= 1 + double(random() % 1000) / 20000;
    return random() % uint32_t(interrupted_in) == 0 ? 4 * seconds : seconds;
  };
  for (int i = 0; i < 40; ++i) costs.learn(1, {}, noisy(seconds_alone));
  Seen seen;
  for (int64_t i = 0; i < kPasses; ++i) {
    const double depth = double(i) / kPasses, row = 1 + (machine.units_at_the_end - 1) * depth;
    const Work most = costs.prompt_work(1, 256, row, share);
    Work work;
    while (work.rows < most.rows && (work.rows == 0 || work.units + row <= most.units)) {
      ++work.rows;
      work.units += row;
    }
    const double added = work.rows == 0 ? 0 : machine.added(work.rows, depth);
    seen.added.push_back(added);
    seen.mean += added / kPasses;
    costs.learn(1, work, noisy(seconds_alone * (1 + added)));
  }
  return seen;
}

double quantile(std::vector<double> v, double q) {
  std::sort(v.begin(), v.end());
  return v[size_t(q * double(v.size() - 1))];
}

}  // namespace

TEST_CASE("prompt rows add their share to a pass and no more, whatever rows cost", "[engine]") {
  for (const Machine& machine : kMachines)
    for (const double share : {0.5, 1.0, 3.0})
      for (const int64_t interrupted_in : {1'000'000, 25}) {
        const Seen seen = read_a_prompt(machine, share, interrupted_in);
        const double p99 = quantile(seen.added, 0.99), one_row = machine.added(1, 1);
        CAPTURE(machine.name, share, interrupted_in, seen.mean, p99, one_row);
        CHECK(p99 <= std::max(1.25 * share, one_row));
        // A machine that does rows by fours cannot use a share that is one and a half of them.
        CHECK(seen.mean >= 0.5 * share);
      }
}

TEST_CASE("beside nothing that decodes a pass takes all the prompt rows there is room for", "[engine]") {
  const PassCosts costs;
  CHECK(costs.prompt_work(0, 256, 1, 1.0).rows == 256);
  CHECK(costs.prompt_work(1, 256, 1, 1.0).rows == 0);  // what a decode pass takes is to be learned first
}

TEST_CASE("what a decode pass takes is looked at again while prompts are read", "[engine]") {
  PassCosts costs;
  costs.learn(1, {}, 0.01);
  int looks = 0;
  for (int i = 0; i < 650; ++i) {
    const Work work = costs.prompt_work(1, 256, 1, 1.0);
    looks += work.rows == 0;
    const double alone = i < 65 ? 0.01 : 0.002;  // the machine is free again
    costs.learn(1, {work.rows, double(work.rows)}, alone + 0.0005 * double(work.rows));
  }
  CHECK(looks == 10);
  CHECK(std::abs(costs.decode_seconds(1) - 0.002) < 1e-6);
  CHECK(costs.prompt_work(1, 256, 1, 1.0).rows <= 4);
}

TEST_CASE("a row's work grows with what it attends to, in chunks and windows no further than these", "[engine]") {
  LlamaConfig c;
  c.layers = 4;
  c.hidden = 64;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 16;
  c.ffn = 128;
  c.uses_rope = {1, 1, 1, 1};
  c.slides = {0, 0, 0, 0};
  const RowWork full(c);
  // 4 * 2 * 64 products a position and layer, beside (2 * 64 * 96 + 3 * 64 * 128) of weights.
  CHECK(std::abs(full.at(999) - (1 + 4.0 * 2 * 64 * 1000 / (2 * 64 * 96 + 3 * 64 * 128))) < 1e-9);
  LlamaConfig chunked = c;
  chunked.chunk = 100;
  const RowWork in_chunks(chunked);
  CHECK(in_chunks.at(99) == full.at(99));
  CHECK(in_chunks.at(100) == full.at(0));
  LlamaConfig windows = c;
  windows.window = 50;
  windows.slides = {1, 1, 0, 0};
  const RowWork in_windows(windows);
  CHECK(in_windows.at(49) == full.at(49));
  CHECK(std::abs(in_windows.at(999) - (full.at(999) + full.at(49)) / 2) < 1e-9);
}

}  // namespace test_costs
