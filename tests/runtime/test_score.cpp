// test_score.cpp -- scoring given text: against stored numbers, against the session's own logits, and by hand for the
// statistics.
#include <cmath>

#include "puna/base/error.h"
#include "puna/runtime/generate.h"
#include "runtime/generate/score_softmax.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

using Ids = std::vector<int32_t>;

ModelPtr small_model() {
  const std::vector<Golden> all =
      goldens([](const Golden& g) { return g.has_file("config.json") && g.has("input_ids"); });
  return Model::open(make_context({}), all.front().folder());
}

Ids some_tokens(const Model& model, size_t n) {
  Ids ids(n);
  for (size_t i = 0; i < n; ++i) ids[i] = int32_t(philox(1, i).word[0] % uint32_t(model.config().vocab));
  return ids;
}

}  // namespace

TEST_CASE("log_sum_exp neither overflows nor loses the small ones", "[runtime]") {
  std::vector<float> x{1000, 1000};
  CHECK(log_sum_exp(x) == Approx(1000 + std::log(2.0)).epsilon(1e-14));
  x.assign(100000, -5);
  CHECK(log_sum_exp(x) == Approx(-5 + std::log(100000.0)).epsilon(1e-14));
  const float inf = std::numeric_limits<float>::infinity();
  x = {3, -inf, -3e38f};
  CHECK(log_sum_exp(x) == 3);
  for (const float bad : {inf, std::nanf("")}) {
    for (size_t at : {0, 1, 2}) {
      std::vector<float> y{1, 2, 3};
      y[at] = bad;
      CHECK(std::isnan(log_sum_exp(y)));
    }
  }
  x = {-inf, -inf};
  CHECK(std::isnan(log_sum_exp(x)));
}

TEST_CASE("a token's score follows from the logits before it", "[runtime]") {
  const ModelPtr model = small_model();
  const Ids ids = some_tokens(*model, 700);  // more rows than are held at once
  SessionOptions options;
  options.prefill_chunk = 64;
  Session scored(model, options), stepped(model, options);
  const std::vector<float> nll = score(scored, ids);
  REQUIRE(nll.size() == ids.size() - 1);
  CHECK(scored.length() == int64_t(ids.size()));
  for (size_t i = 0; i + 1 < 60; ++i) {
    stepped.append(std::span(ids).subspan(i, 1));
    const std::span<const float> logits = stepped.logits();
    double sum = 0;
    for (const float x : logits) sum += std::exp(double(x));
    CHECK(double(nll[i]) == Approx(std::log(sum) - double(logits[size_t(ids[i + 1])])).margin(1e-5));
  }
  stepped.truncate(0);
  for (const size_t at : {0, 1, 255, 256, 257, 511, 512, 699}) {  // at the seams between passes, too
    Ids bad = ids;
    bad[at] = INT32_MAX;
    CHECK_THROWS_WITH(score(stepped, bad), Catch::Contains("token " + std::to_string(at)));
    CHECK(stepped.length() == 0);
  }
  const Ids head(ids.begin(), ids.begin() + 600);
  CHECK(score(stepped, head) == std::vector<float>(nll.begin(), nll.begin() + 599));  // nothing looks ahead
}

TEST_CASE("score refuses a session in use, too few tokens, too many, and leaves the session empty", "[runtime]") {
  const ModelPtr model = small_model();
  SessionOptions options;
  options.max_positions = 32;
  Session session(model, options);
  const Ids ids = some_tokens(*model, 33);
  const auto status_of = [&](std::span<const int32_t> tokens) {
    try {
      score(session, tokens);
    } catch (const Error& e) {
      return e.status();
    }
    return Status::ok;
  };
  CHECK(status_of({}) == Status::invalid_argument);
  CHECK(status_of(std::span(ids).first(1)) == Status::invalid_argument);
  CHECK(status_of(ids) == Status::context_full);
  const Ids outside{1, 2, int32_t(model->config().vocab)}, negative{1, 2, -1, 3};
  CHECK(status_of(outside) == Status::invalid_argument);
  CHECK(status_of(negative) == Status::invalid_argument);
  CHECK(session.length() == 0);
  session.cancel();
  CHECK(status_of(std::span(ids).first(32)) == Status::cancelled);
  CHECK(session.length() == 0);
  CHECK(status_of(std::span(ids).first(32)) == Status::ok);
  CHECK(status_of(std::span(ids).first(32)) == Status::wrong_state);
}

TEST_CASE("perplexity is the mean over disjoint windows, with its standard error", "[runtime]") {
  const ModelPtr model = small_model();
  const Ids ids = some_tokens(*model, 100);
  std::vector<double> all;
  for (size_t w = 0; w < 3; ++w) {
    Session session(model, {});
    for (const float x : score(session, std::span(ids).subspan(w * 30, 30))) all.push_back(double(x));
  }
  double mean = 0, squares = 0;
  for (const double x : all) mean += x / double(all.size());
  for (const double x : all) squares += (x - mean) * (x - mean);
  std::vector<std::pair<int64_t, int64_t>> seen;
  const Perplexity p = perplexity(model, {}, ids, 30, [&](int64_t done, int64_t total) {
    seen.emplace_back(done, total);
    return true;
  });
  CHECK(p.windows == 3);
  CHECK(p.scored_tokens == 87);
  CHECK(p.mean_nll == Approx(mean).epsilon(1e-12));
  CHECK(p.perplexity == Approx(std::exp(mean)).epsilon(1e-12));
  CHECK(p.standard_error == Approx(std::sqrt(squares / 86 / 87)).epsilon(1e-12));
  CHECK(seen == std::vector<std::pair<int64_t, int64_t>>{{29, 87}, {58, 87}, {87, 87}});

  const auto refused = [&](std::span<const int32_t> tokens, int64_t window, Status status) {
    try {
      perplexity(model, {}, tokens, window, [](int64_t, int64_t) { return false; });
      FAIL("expected an error");
    } catch (const Error& e) {
      CHECK(e.status() == status);
    }
  };
  refused(ids, 30, Status::cancelled);
  refused(ids, 101, Status::invalid_argument);
  refused(ids, 1, Status::invalid_argument);
  refused(ids, model->config().max_positions + 1, Status::invalid_argument);
}

TEST_CASE("a real text scores as in float32 transformers over the same weights", "[runtime][golden][slow]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2-135M-Instruct.Q4_1.gguf is not in the model cache");
  const ModelPtr model = Model::open(make_context({}), smollm2());
  for (const Golden& g : goldens([](const Golden& g) { return g.has("ppl_ids") && g.has("ppl_token_nll"); })) {
    const std::vector<int64_t> wide = g.array("ppl_ids").i64();
    const Ids ids(wide.begin(), wide.end());
    const Npy want = g.array("ppl_token_nll");
    const nlohmann::json facts = g.manifest["facts"]["ppl"];
    const int64_t window = facts["window"];
    for (const bool exact : {true, false}) {
      CAPTURE(exact);
      SessionOptions options;
      options.exact = exact;
      const Perplexity p = perplexity(model, options, ids, window);
      CHECK(p.windows == want.shape.at(0));
      CHECK(p.scored_tokens == want.count());
      const char* tolerance =
          exact ? "suggested_tolerance_mean_nll_f32" : "suggested_tolerance_mean_nll_with_activation_quant_or_f16_kv";
      CHECK(std::fabs(p.mean_nll - facts["mean_nll"].get<double>()) < facts[tolerance].get<double>());
    }
    SessionOptions exact;
    exact.exact = true;
    Session session(model, exact);
    const std::vector<float> first = want.f32(), nll = score(session, std::span(ids).first(size_t(window)));
    check_close("ppl_token_nll, first window", nll, std::span(first).first(size_t(window) - 1),
                g.tolerance("ppl_token_nll"));
  }
}
