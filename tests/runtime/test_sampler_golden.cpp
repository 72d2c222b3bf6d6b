// test_sampler_golden.cpp -- every filter and chain of the golden "sampling" sets. The settings are read from the
// arrays' names (topp_0.9_kept, chain_rep1.2_temp0.8_..._logprobs), so another set of the same structure runs
// unchanged.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "puna/runtime/sampler.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

constexpr float kGoldenRemoved = -1e30f;

bool goes_by(const std::string& name, std::string& rest, const char* suffix) {
  const std::string s = suffix;
  if (name.size() <= s.size() || name.compare(name.size() - s.size(), s.size(), s) != 0) return false;
  rest = name.substr(0, name.size() - s.size());
  return true;
}

void set(SamplerOptions& o, const std::string& key, float value) {
  const std::map<std::string, float*> numbers{{"temperature", &o.temperature},
                                              {"temp", &o.temperature},
                                              {"topp", &o.top_p},
                                              {"minp", &o.min_p},
                                              {"typical", &o.typical_p},
                                              {"epsilon", &o.epsilon},
                                              {"eta", &o.eta},
                                              {"repetition", &o.repetition_penalty},
                                              {"rep", &o.repetition_penalty},
                                              {"presence", &o.presence_penalty},
                                              {"frequency", &o.frequency_penalty}};
  if (key == "topk") {
    o.top_k = int32_t(value);
  } else if (key == "no_repeat_ngram") {
    o.no_repeat_ngram = int32_t(value);
  } else {
    const auto number = numbers.find(key);
    if (number == numbers.end()) FAIL("the golden set names a filter unknown here: " << key);
    *number->second = value;
  }
}

// "topp_0.9", "presence_0.6_frequency_0.3", "chain_rep1.2_temp0.8", "none": words, each with its number at once or
// after a "_".
SamplerOptions options_of(std::string settings) {
  SamplerOptions o;
  o.temperature = 1;
  if (settings == "none") return o;
  if (settings.rfind("chain_", 0) == 0) settings.erase(0, 6);
  for (size_t at = 0; at < settings.size();) {
    const size_t number = settings.find_first_of("-0123456789", at);
    REQUIRE(number != std::string::npos);
    std::string key = settings.substr(at, number - at);
    while (!key.empty() && key.back() == '_') key.pop_back();
    char* end = nullptr;
    set(o, key, std::strtof(settings.c_str() + number, &end));
    at = size_t(end - settings.c_str()) + 1;
  }
  return o;
}

struct Rows {
  std::vector<float> logits;
  std::vector<int64_t> history;
  size_t count, vocabulary, past;
  explicit Rows(const Golden& g) : logits(g.array("logits").f32()), history(g.array("history").i64()) {
    count = size_t(g.array("logits").shape.at(0));
    vocabulary = size_t(g.array("logits").shape.at(1));
    past = size_t(g.array("history").shape.at(1));
  }
  std::vector<float> row(size_t r) const {
    return {logits.begin() + ptrdiff_t(r * vocabulary), logits.begin() + ptrdiff_t((r + 1) * vocabulary)};
  }
  std::vector<int32_t> seen(size_t r) const {
    return {history.begin() + ptrdiff_t(r * past), history.begin() + ptrdiff_t((r + 1) * past)};
  }
  bool tied(size_t r) const {
    const std::vector<float> v = row(r);
    return std::set<float>(v.begin(), v.end()).size() == 1;
  }
};

std::vector<float> with_golden_removed(std::vector<float> v) {
  for (float& x : v) x = std::isinf(x) ? kGoldenRemoved : x;
  return v;
}

}  // namespace

TEST_CASE("filters keep the tokens transformers keeps, with its log-probabilities", "[runtime][golden]") {
  for (const Golden& g : goldens([](const Golden& g) { return g.fixture() == "sampling"; })) {
    const Rows rows(g);
    size_t checked = 0;
    for (const auto& [name, entry] : g.manifest["arrays"].items()) {
      std::string settings;
      if (!goes_by(name, settings, "_logprobs")) continue;
      CAPTURE(g.folder(), name);
      const SamplerOptions options = options_of(settings);
      const Sampler sampler(options);
      const std::vector<float> want = g.array(name).f32();
      const std::vector<int64_t> kept = g.array(settings + "_kept").i64();
      for (size_t r = 0; r < rows.count; ++r) {
        CAPTURE(r);
        std::vector<float> got(rows.vocabulary);
        sampler.distribution(rows.row(r), rows.seen(r), got);
        std::vector<float> expected(want.begin() + ptrdiff_t(r * rows.vocabulary),
                                    want.begin() + ptrdiff_t((r + 1) * rows.vocabulary));
        std::vector<bool> got_kept, want_kept;
        for (size_t i = 0; i < rows.vocabulary; ++i) {
          got_kept.push_back(!std::isinf(got[i]));
          want_kept.push_back(kept[r * rows.vocabulary + i] != 0);
        }
        // Where all tokens are equal, which of them survive is a matter of how torch sorts: only their number counts.
        if (rows.tied(r) && (options.top_p < 1 || options.typical_p < 1)) {
          std::sort(got.begin(), got.end());
          std::sort(expected.begin(), expected.end());
          std::sort(got_kept.begin(), got_kept.end());
          std::sort(want_kept.begin(), want_kept.end());
        }
        CHECK(got_kept == want_kept);
        check_close(name, with_golden_removed(got), expected, g.tolerance(name));
      }
      ++checked;
    }
    CHECK(checked > 0);
  }
}

TEST_CASE("penalties give transformers' and OpenAI's scores", "[runtime][golden]") {
  for (const Golden& g : goldens([](const Golden& g) { return g.fixture() == "sampling"; })) {
    const Rows rows(g);
    size_t checked = 0;
    for (const auto& [name, entry] : g.manifest["arrays"].items()) {
      std::string settings;
      if (!goes_by(name, settings, "_scores")) continue;
      CAPTURE(g.folder(), name);
      const Sampler sampler(options_of(settings));
      std::vector<float> got;
      for (size_t r = 0; r < rows.count; ++r) {
        std::vector<float> scores = rows.row(r);
        sampler.penalise(scores, rows.seen(r));
        const std::vector<float> row = with_golden_removed(scores);
        got.insert(got.end(), row.begin(), row.end());
      }
      g.check(name, got);
      ++checked;
    }
    CHECK(checked > 0);
  }
}
