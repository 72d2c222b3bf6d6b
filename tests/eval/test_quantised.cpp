// What a quantisation loses, against a plain reading of the definitions; and needles in haystacks.
#include <cmath>

#include "engine/engine_support.h"
#include "puna/eval/needle.h"
#include "puna/eval/quantised.h"
#include "puna/runtime/compare.h"
#include "puna/runtime/generate.h"

using namespace puna;
using namespace puna::eval;
using namespace puna::test;

namespace test_quantised {
namespace {

constexpr const char* kAusten = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";

}  // namespace

TEST_CASE("the table of a quantisation is what its definitions say", "[eval]") {
  const ModelPtr base = open_text_model("gemma3"), other = open_text_model("olmo2");
  const auto vocab = size_t(base->config().vocab);
  REQUIRE(size_t(other->config().vocab) == vocab);
  const std::vector<int32_t> tokens = made_up_tokens(*base, 75, 5);
  const int64_t n_ctx = 24;
  const QuantisationLoss q = compare_quantised(base, other, tokens, n_ctx);
  CHECK(q.chunks == 3);
  CHECK(q.positions == 3 * 11);
  const int32_t first = base->tokenizer() ? base->tokenizer()->specials().first() : -1;
  std::vector<double> kld, change, loss_a, loss_b;
  double same = 0;
  for (int64_t c = 0; c < 3; ++c) {
    std::vector<int32_t> chunk(tokens.begin() + c * n_ctx, tokens.begin() + (c + 1) * n_ctx);
    if (first >= 0) chunk[0] = first;
    std::vector<float> a(size_t(n_ctx) * vocab), b(a.size());
    Session(base, {}).append(chunk, {.logits = a});
    Session(other, {}).append(chunk, {.logits = b});
    for (int64_t p = 12; p <= 22; ++p) {
      const float *x = a.data() + size_t(p) * vocab, *y = b.data() + size_t(p) * vocab;
      long double sx = 0, sy = 0, k = 0;
      for (size_t v = 0; v < vocab; ++v) sx += expl(x[v]), sy += expl(y[v]);
      for (size_t v = 0; v < vocab; ++v) k += expl(x[v]) / sx * (x[v] - logl(sx) - y[v] + logl(sy));
      const auto t = size_t(chunk[size_t(p) + 1]);
      kld.push_back(double(k));
      loss_a.push_back(double(logl(sx) - x[t]));
      loss_b.push_back(double(logl(sy) - y[t]));
      change.push_back(double(expl(y[t]) / sy - expl(x[t]) / sx));
      same += std::max_element(x, x + vocab) - x == std::max_element(y, y + vocab) - y;
    }
  }
  const auto n = double(kld.size());
  const auto mean = [&](const std::vector<double>& v) {
    double s = 0;
    for (const double x : v) s += x;
    return s / n;
  };
  const auto error = [&](const std::vector<double>& v) {
    double s = 0;
    for (const double x : v) s += x * x;
    return std::sqrt((s / n - mean(v) * mean(v)) / (n - 1));
  };
  CHECK(q.divergence.value == Approx(mean(kld)).epsilon(1e-9));
  CHECK(q.divergence.error == Approx(error(kld)).epsilon(1e-9));
  CHECK(q.perplexity.value == Approx(std::exp(mean(loss_b))).epsilon(1e-9));
  CHECK(q.base_perplexity.error == Approx(std::exp(mean(loss_a)) * error(loss_a)).epsilon(1e-9));
  CHECK(q.log_ratio.value == Approx(mean(loss_b) - mean(loss_a)).epsilon(1e-9));
  std::vector<double> ratio, squares;
  for (size_t i = 0; i < kld.size(); ++i) {
    ratio.push_back(loss_b[i] - loss_a[i]);
    squares.push_back(change[i] * change[i]);
  }
  CHECK(q.log_ratio.error ==
        Approx(error(ratio)).epsilon(1e-9));  // of paired differences: that is what covariance does
  CHECK(q.probability_change.value == Approx(mean(change)).epsilon(1e-9));
  CHECK(q.root_mean_square.value == Approx(std::sqrt(mean(squares))).epsilon(1e-9));
  CHECK(q.same_top.value == Approx(same / n));
  std::sort(kld.begin(), kld.end());
  CHECK(q.divergences.at[0] == Approx(kld.front()).epsilon(1e-9));
  CHECK(q.divergences.at[10] == Approx(kld.back()).epsilon(1e-9));
  CHECK(q.divergences.at[5] == Approx(kld[16]).epsilon(1e-9));                              // of 33
  CHECK(q.divergences.at[6] == Approx(kld[28] + 0.8 * (kld[29] - kld[28])).epsilon(1e-9));  // 90 %: at 28.8
  CHECK(text_of(q).find("KL divergence") != std::string::npos);
}

TEST_CASE("a model loses nothing against itself", "[eval]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const QuantisationLoss q = compare_quantised(model, model, made_up_tokens(*model, 40, 1), 20);
  CHECK(q.divergence.value == 0);
  CHECK(q.divergences.at[10] == 0);
  CHECK(q.same_top.value == 1);
  CHECK(q.log_ratio.error == Approx(0).margin(1e-6));  // a root of what rounding leaves
  CHECK(q.correlation == Approx(1));
  CHECK(status_of([&] { compare_quantised(model, model, made_up_tokens(*model, 19, 1), 20); }) ==
        Status::invalid_argument);
}

TEST_CASE("needles stand where they should, and every kind asks for its numbers", "[eval]") {
  const std::string text = "One. Two! Three? Four.\nFive. Six.";
  const auto sentences = sentences_of(text);
  CHECK(sentences == std::vector<std::string_view>{"One. ", "Two! ", "Three? ", "Four.\n", "Five. "});
  CHECK(status_of([] { sentences_of("no end"); }) == Status::invalid_argument);
  const NeedlePrompt start = needle_prompt(sentences, NeedleKind::single, 0, 1, 7);
  CHECK(start.text.starts_with("One of the special magic numbers for "));
  CHECK(start.values.size() == 1);
  CHECK(start.values[0].size() == 7);
  const NeedlePrompt middle = needle_prompt(sentences, NeedleKind::single, 0.5, 1, 7);
  CHECK(middle.text.starts_with("One. Two! One of the special magic numbers for "));
  CHECK(middle.text.find(start.values[0] + ". Three?") != std::string::npos);
  const NeedlePrompt end = needle_prompt(sentences, NeedleKind::single, 1, 1, 7);
  CHECK(end.text.find("Five. One of the special magic") != std::string::npos);
  CHECK(needle_prompt(sentences, NeedleKind::multi_key, 0.5, 5, 7).values.size() == 1);
  CHECK(needle_prompt(sentences, NeedleKind::multi_value, 0.5, 5, 7).values.size() == 5);
  const NeedlePrompt query = needle_prompt(sentences, NeedleKind::multi_query, 0.5, 3, 7);
  CHECK(query.values.size() == 3);
  for (const std::string& v : query.values) CHECK(query.text.find(" is: " + v + ". ") != std::string::npos);
}

TEST_CASE("a grid of needles has the likelihoods of score()", "[eval]") {
  const ModelPtr model = Model::open(make_context({}), kAusten);
  NeedleOptions o;
  o.lengths = {120, 150};
  o.depths = 3;
  std::string haystack;
  for (int i = 0; i < 9; ++i) haystack += "She had been walking in the garden with her sister. ";
  size_t told = 0;
  const std::vector<NeedleCell> cells = find_needles(model, haystack, o, [&](const NeedleCell&) { return ++told > 0; });
  REQUIRE(cells.size() == 6);
  CHECK(told == 6);
  for (const NeedleCell& c : cells) {
    CHECK(c.tokens <= c.length);
    CHECK(c.log_likelihood < 0);
    CHECK((c.score == 0 || c.score == 1));
  }
  CHECK(cells[2].depth == 1);
  o.lengths = {1 << 24};
  CHECK(status_of([&] { find_needles(model, haystack, o, [](const NeedleCell&) { return true; }); }) ==
        Status::context_full);
}

}  // namespace test_quantised
