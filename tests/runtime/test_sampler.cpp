// test_sampler.cpp -- the sampler against a plain reference that sorts everything, its draws against its own
// distribution, what it refuses, and what must never change: which token a seed draws.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "puna/base/error.h"
#include "puna/runtime/sampler.h"
#include "support/catch.h"

using namespace puna;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Sums of uniforms from the generator under test's published bits: bell-shaped, any size. `grid` > 0 makes ties.
std::vector<float> bell(size_t n, uint64_t seed, float scale, float grid = 0) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i) {
    const Philox p = philox(seed, i);
    float sum = 0;
    for (const uint32_t w : p.word) sum += float(w >> 8) * 0x1p-24f - 0.5f;
    v[i] = sum * scale;
    if (grid > 0) v[i] = std::round(v[i] / grid) * grid;
  }
  return v;
}

std::vector<float> distribution(const SamplerOptions& o, const std::vector<float>& logits,
                                const std::vector<int32_t>& history = {}, Sampler::Processor custom = {}) {
  std::vector<float> out(logits.size());
  Sampler(o).distribution(logits, history, out, custom);
  return out;
}
SamplerOptions warm(float temperature = 1) {
  SamplerOptions o;
  o.temperature = temperature;
  return o;
}

// top-k, then top-p, by sorting: order of preference is larger first, lower id first.
std::vector<double> reference(const std::vector<float>& logits, double temperature, size_t top_k, double top_p) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (top_k > 0 && top_k < order.size()) {
    size_t n = top_k;
    while (n < order.size() && logits[order[n]] == logits[order[top_k - 1]]) ++n;
    order.resize(n);
  }
  const auto weight = [&](size_t i) { return std::exp((double(logits[i]) - double(logits[order[0]])) / temperature); };
  double total = 0, before = 0;
  for (const size_t i : order) total += weight(i);
  size_t n = 0;
  for (; n < order.size() && (top_p == 1 || before < top_p * total); ++n) before += weight(order[n]);
  order.resize(n);
  std::vector<double> p(logits.size());
  for (const size_t i : order) p[i] = weight(i) / before;
  return p;
}

}  // namespace

TEST_CASE("greedy takes the largest score after the penalties, the lowest id on a tie", "[runtime]") {
  SamplerOptions o;
  const std::vector<float> logits{1, 7, 3, 7, 7, -2, 6.9f};
  CHECK(Sampler(o).sample(logits, {}, 0).token == 1);
  CHECK(Sampler(o).sample(logits, {}, 0).log_probability == 0);
  o.repetition_penalty = 1.5f;
  const std::vector<int32_t> seen{1, 3};
  CHECK(Sampler(o).sample(logits, seen, 0).token == 4);
  CHECK(distribution(o, logits, seen) == std::vector<float>{-kInf, -kInf, -kInf, -kInf, 0, -kInf, -kInf});
  for (size_t n : {1, 15, 16, 17, 1000}) {  // the last of many, across the lanes of the search
    std::vector<float> v(n, -5);
    v.back() = -4;
    CHECK(Sampler({}).sample(v, {}, 0).token == int32_t(n - 1));
  }
}

TEST_CASE("top-k and top-p agree with sorting everything, ties included", "[runtime]") {
  const size_t n = GENERATE(3, 500, 20000);
  const float grid = GENERATE(0.0f, 0.5f);
  const float temperature = GENERATE(0.3f, 1.0f, 3.0f);
  const int32_t top_k = GENERATE(0, 1, 40, 7000);
  const float top_p = GENERATE(0.05f, 0.9f, 0.9999f, 1.0f);
  CAPTURE(n, grid, temperature, top_k, top_p);
  SamplerOptions o = warm(temperature);
  o.top_k = top_k;
  o.top_p = top_p;
  const std::vector<float> logits = bell(n, 5, 12, grid), got = distribution(o, logits);
  const std::vector<double> want = reference(logits, double(temperature), size_t(top_k), double(top_p));
  size_t wrong = 0;
  for (size_t i = 0; i < n; ++i) {
    wrong += std::fabs(std::exp(double(got[i])) - want[i]) > 1e-6 * want[i] + 1e-9;
    wrong += (got[i] == -kInf) != (want[i] == 0);
  }
  CHECK(wrong == 0);
}

TEST_CASE("every filter leaves a proper distribution, whatever the scores and in combination", "[runtime]") {
  const std::vector<std::vector<float>> cases{
      bell(300, 1, 10), bell(300, 2, 1000), bell(300, 3, 1e-3f), std::vector<float>(300, 2.5f), bell(300, 4, 3e37f),
      {0.5f},           {-3e38f, 3e38f},    {-kInf, 1, -kInf}};
  for (const auto& logits : cases) {
    for (int mask = 0; mask < 64; ++mask) {
      for (const float temperature : {1e-45f, 1e-3f, 1.0f, 3e38f}) {
        SamplerOptions o = warm(temperature);
        if (mask & 1) o.top_k = 20;
        if (mask & 2) o.top_p = 0.8f;
        if (mask & 4) o.min_p = 0.05f;
        if (mask & 8) o.typical_p = 0.7f;
        if (mask & 16) o.epsilon = 0.01f;
        if (mask & 32) o.eta = 0.02f;
        const std::vector<float> p = distribution(o, logits);
        double sum = 0;
        for (const float x : p) sum += std::exp(double(x));
        if (std::fabs(sum - 1) > 1e-6) {
          CAPTURE(mask, temperature, logits.size(), sum);
          FAIL("probabilities do not sum to 1");
        }
        const TokenProbability t = Sampler(o).sample(logits, {}, 3);
        if (t.log_probability != p[size_t(t.token)] || t.log_probability == -kInf) {
          CAPTURE(mask, temperature, logits.size(), t.token);
          FAIL("drew a token that the distribution does not have");
        }
      }
    }
  }
  SUCCEED();
}

TEST_CASE("draws follow the distribution", "[runtime]") {
  SamplerOptions o = warm(1.3f);
  o.top_k = 12;
  o.min_p = 0.02f;
  const std::vector<float> logits = bell(40, 9, 6), p = distribution(o, logits);
  const int n = 20000;
  std::vector<int> count(logits.size());
  for (int i = 0; i < n; ++i) ++count[size_t(Sampler(o).sample(logits, {}, uint64_t(i)).token)];
  for (size_t t = 0; t < p.size(); ++t) {
    const double mean = n * std::exp(double(p[t]));
    CAPTURE(t, count[t], mean);
    CHECK(std::fabs(count[t] - mean) <= 5 * std::sqrt(mean));
  }
}

TEST_CASE("a draw is the inverse of the cumulative distribution in order of ids", "[runtime]") {
  SamplerOptions o = warm();
  o.top_p = 0.95f;
  o.seed = 77;
  const std::vector<float> logits = bell(1000, 10, 6), p = distribution(o, logits);
  for (uint64_t index = 0; index < 200; ++index) {
    const Philox bits = philox(o.seed, index);
    const double u = double((uint64_t(bits.word[0]) << 32 | bits.word[1]) >> 11) * 0x1p-53;
    const auto drawn = size_t(Sampler(o).sample(logits, {}, index).token);
    double below = 0;
    for (size_t i = 0; i < drawn; ++i) below += std::exp(double(p[i]));
    CHECK(below <= u + 1e-6);
    CHECK(u <= below + std::exp(double(p[drawn])) + 1e-6);
  }
}

TEST_CASE("a seed draws these tokens on every machine, with every compiler", "[runtime]") {
  SamplerOptions o = warm(0.9f);
  o.seed = 0x123456789abcdef;
  o.repetition_penalty = 1.1f;
  o.frequency_penalty = 0.2f;
  std::vector<float> logits = bell(5000, 11, 9, 0.125f);
  std::vector<std::vector<int32_t>> drawn(4);
  for (size_t filters = 0; filters < 4; ++filters) {
    if (filters == 1) o.top_p = 0.9f;
    if (filters == 2) o.typical_p = 0.8f, o.min_p = 0.01f;
    if (filters == 3) o.eta = 1e-3f, o.epsilon = 1e-4f, o.top_k = 100;
    for (uint64_t i = 0; i < 8; ++i) drawn[filters].push_back(Sampler(o).sample(logits, drawn[filters], i).token);
  }
  CHECK(drawn[0] == std::vector<int32_t>{3490, 2867, 4538, 2251, 2222, 1343, 1949, 2017});
  CHECK(drawn[1] == std::vector<int32_t>{3490, 2867, 4349, 2222, 2161, 1343, 1756, 2017});
  CHECK(drawn[2] == std::vector<int32_t>{3490, 2867, 4196, 2222, 2017, 1343, 1354, 1985});
  CHECK(drawn[3] == std::vector<int32_t>{3490, 2867, 4196, 2222, 2017, 1343, 1356, 1985});
}

TEST_CASE("bias, penalty window and n-grams follow their definitions", "[runtime]") {
  const std::vector<float> logits{4, 3, 2, 1};
  const std::vector<int32_t> history{0, 1, 0, 2, 0};
  const auto scores = [&](const SamplerOptions& o) {
    std::vector<float> s = logits;
    Sampler(o).penalise(s, history);
    return s;
  };
  SamplerOptions o;
  o.frequency_penalty = 0.5f;
  CHECK(scores(o) == std::vector<float>{2.5f, 2.5f, 1.5f, 1});
  o.penalty_window = 2;
  CHECK(scores(o) == std::vector<float>{3.5f, 3, 1.5f, 1});
  o = {};
  o.no_repeat_ngram = 2;  // after 0 came 1 and 2
  CHECK(scores(o) == std::vector<float>{4, -kInf, -kInf, 1});
  o.no_repeat_ngram = 7;  // longer than the history
  CHECK(scores(o) == logits);
  o = {};
  o.logit_bias = {{3, 9.0f}, {0, -kInf}};
  CHECK(scores(o) == std::vector<float>{-kInf, 3, 2, 10});
  CHECK(Sampler(o).sample(logits, history, 0).token == 3);
}

TEST_CASE("the custom processor edits scores after the penalties", "[runtime]") {
  SamplerOptions o;
  o.presence_penalty = 10;
  const std::vector<float> logits{4, 3, 2, 1};
  const std::vector<int32_t> history{0};
  std::vector<float> seen;
  const auto only_last = [&](std::span<float> scores, std::span<const int32_t> h) {
    seen.assign(scores.begin(), scores.end());
    CHECK(h.size() == 1);
    std::fill(scores.begin(), scores.end() - 1, -kInf);
  };
  CHECK(Sampler(o).sample(logits, history, 0, only_last).token == 3);
  CHECK(seen == std::vector<float>{-6, 3, 2, 1});
}

TEST_CASE("scores that are not numbers are errors that name the token, never a draw", "[runtime]") {
  const auto status_of = [](auto&& call) {
    try {
      call();
    } catch (const Error& e) {
      return std::make_pair(e.status(), std::string(e.what()));
    }
    return std::make_pair(Status::ok, std::string());
  };
  for (const float temperature : {0.0f, 1.0f}) {
    for (const size_t at : {size_t(0), size_t(16), size_t(99)}) {
      for (const float bad : {kNaN, -kNaN, kInf}) {
        std::vector<float> logits = bell(100, 1, 5);
        const auto poison = [&](std::span<float> s, std::span<const int32_t>) { s[at] = bad; };
        const auto [by_processor, why] = status_of([&] { Sampler(warm(temperature)).sample(logits, {}, 0, poison); });
        CHECK(by_processor == Status::invalid_argument);
        logits[at] = bad;
        const auto [by_model, sentence] = status_of([&] { Sampler(warm(temperature)).sample(logits, {}, 0); });
        CHECK(by_model == Status::bad_file);
        CHECK_THAT(sentence, Catch::Contains("not finite") && Catch::Contains("token " + std::to_string(at)));
      }
    }
    const std::vector<float> none(5, -kInf), some(5, 1);
    CHECK(status_of([&] { Sampler(warm(temperature)).sample(none, {}, 0); }).first == Status::invalid_argument);
    CHECK(status_of([&] { Sampler(warm(temperature)).sample({}, {}, 0); }).first == Status::invalid_argument);
    SamplerOptions o = warm(temperature);
    o.presence_penalty = 1;
    for (const int32_t id : {-1, 5, INT32_MAX}) {
      const std::vector<int32_t> history{id, id};
      CHECK(status_of([&] { Sampler(o).sample(some, history, 0); }).first == Status::invalid_argument);
      SamplerOptions ngram = warm(temperature);
      ngram.no_repeat_ngram = 1;
      CHECK(status_of([&] { Sampler(ngram).sample(some, history, 0); }).first == Status::invalid_argument);
    }
    o = warm(temperature);
    o.logit_bias = {{5, 1.0f}};
    CHECK(status_of([&] { Sampler(o).sample(some, {}, 0); }).first == Status::invalid_argument);
  }
}

TEST_CASE("an option out of range is named", "[runtime]") {
  const auto refused = [](const char* name, auto&& change) {
    SamplerOptions o;
    change(o);
    CHECK_THROWS_WITH(Sampler(o), Catch::Contains(name));
  };
  for (const float bad : {-1.0f, kInf, kNaN}) refused("temperature", [&](SamplerOptions& o) { o.temperature = bad; });
  refused("top_k", [](SamplerOptions& o) { o.top_k = -1; });
  for (const float bad : {0.0f, -0.5f, 1.5f, kNaN}) refused("top_p", [&](SamplerOptions& o) { o.top_p = bad; });
  for (const float bad : {1.0f, -0.5f, kNaN}) refused("min_p", [&](SamplerOptions& o) { o.min_p = bad; });
  for (const float bad : {0.0f, 1.5f, kNaN}) refused("typical_p", [&](SamplerOptions& o) { o.typical_p = bad; });
  for (const float bad : {1.0f, -0.5f, kNaN}) refused("epsilon", [&](SamplerOptions& o) { o.epsilon = bad; });
  for (const float bad : {1.0f, -0.5f, kNaN}) refused("eta", [&](SamplerOptions& o) { o.eta = bad; });
  for (const float bad : {0.0f, -1.0f, kInf, kNaN})
    refused("repetition_penalty", [&](SamplerOptions& o) { o.repetition_penalty = bad; });
  for (const float bad : {kInf, kNaN})
    refused("presence_penalty", [&](SamplerOptions& o) { o.presence_penalty = bad; });
  for (const float bad : {-kInf, kNaN})
    refused("frequency_penalty", [&](SamplerOptions& o) { o.frequency_penalty = bad; });
  refused("penalty_window", [](SamplerOptions& o) { o.penalty_window = -1; });
  refused("no_repeat_ngram", [](SamplerOptions& o) { o.no_repeat_ngram = -1; });
  refused("logit_bias", [](SamplerOptions& o) { o.logit_bias = {{-1, 0.0f}}; });
  refused("logit_bias", [](SamplerOptions& o) { o.logit_bias = {{1, kNaN}}; });
}
