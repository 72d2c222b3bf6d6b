#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>

#include "base/det_math.h"
#include "base/normals.h"
#include "puna/ads/simulate.h"
#include "puna/base/error.h"

namespace puna::ads {
namespace {

double rate_of_log_odds(double x) { return 1 / (1 + det::exp(-x)); }

// What an algorithm shows at impression t, and what it is told after each batch.
struct Player {
  std::function<int32_t(int64_t t, int32_t segment)> show;
  std::function<void(std::span<const Outcome>)> learn = [](std::span<const Outcome>) {};
};

ChoiceRun play(const World& w, std::span<const Impression> stream, int64_t batch, const char* name, Player player,
               const Watch& watch) {
  ChoiceRun run;
  run.name = name;
  run.shares.assign(size_t(w.variants), 0.0);
  std::vector<double> best(size_t(w.segments));
  std::vector<Outcome> cells(w.p.size());
  for (int32_t s = 0; s < w.segments; ++s)
    for (int32_t k = 0; k < w.variants; ++k) {
      const size_t c = size_t(s) * size_t(w.variants) + size_t(k);
      best[size_t(s)] = std::max(best[size_t(s)], w.p[c]);
      cells[c] = {.segment = s, .variant = k};
    }
  double got = 0, possible = 0;
  std::vector<double> lately(size_t(w.variants));
  int64_t moment = 0;  // impressions at the last one
  const auto look = [&](int64_t impressions) {
    ChoiceMoment m{.impressions = impressions, .clicks = run.clicks, .regret = possible - got, .shares = lately};
    for (double& share : m.shares) share /= double(impressions - moment);
    run.path.push_back(std::move(m));
    std::fill(lately.begin(), lately.end(), 0.0);
    moment = impressions;
  };
  const int64_t every = std::max<int64_t>(1, int64_t(stream.size()) / kChoiceMoments);
  for (size_t t = 0; t < stream.size(); ++t) {
    watch.tick();
    const int32_t s = stream[t].segment, k = player.show(int64_t(t), s);
    const size_t c = size_t(s) * size_t(w.variants) + size_t(k);
    const bool click = stream[t].u < w.p[c];
    got += w.p[c];
    possible += best[size_t(s)];
    run.clicks += click;
    run.shares[size_t(k)] += 1.0 / double(stream.size());
    cells[c].shown += 1;
    cells[c].clicks += click;
    lately[size_t(k)] += 1;
    if (int64_t(t + 1) % every == 0 || t + 1 == stream.size()) look(int64_t(t + 1));
    if (int64_t(t + 1) % batch != 0) continue;
    player.learn(cells);
    for (Outcome& o : cells) o.shown = o.clicks = 0;
  }
  run.over_oracle = possible > 0 ? got / possible : 1;
  run.regret = possible - got;
  return run;
}

Player chooser(const ChooserOptions& options, uint64_t seed, bool blind = false) {
  const auto c = std::make_shared<Chooser>(options);
  return {.show = [=](int64_t t, int32_t s) { return c->choose(blind ? 0 : s, seed, uint64_t(t)).variant; },
          .learn =
              [=](std::span<const Outcome> outcomes) {
                std::vector<Outcome> all(outcomes.begin(), outcomes.end());
                if (blind)
                  for (Outcome& o : all) o.segment = 0;
                c->update(all);
              }};
}

// Uniform for a fifth of the stream, then what was clicked most often.
Player ab_test(const World& w, size_t impressions, uint64_t seed) {
  struct State {
    std::vector<double> shown, clicks;
    int64_t until;
  };
  const auto state = std::make_shared<State>();
  state->shown.assign(size_t(w.variants), 0);
  state->clicks = state->shown;
  state->until = int64_t(impressions / 5);
  const int32_t variants = w.variants;
  return {.show =
              [=](int64_t t, int32_t) {
                if (t < state->until)
                  return int32_t(uint64_t(philox(seed, uint64_t(t)).word[0]) * uint64_t(variants) >> 32);
                int32_t best = 0;
                const auto rate = [&](int32_t k) {
                  return (state->clicks[size_t(k)] + 1) / (state->shown[size_t(k)] + 100);
                };
                for (int32_t k = 1; k < variants; ++k)
                  if (rate(k) > rate(best)) best = k;
                return best;
              },
          .learn =
              [=](std::span<const Outcome> outcomes) {
                for (const Outcome& o : outcomes) {
                  state->shown[size_t(o.variant)] += o.shown;
                  state->clicks[size_t(o.variant)] += o.clicks;
                }
              }};
}

int32_t best_single(const World& w, std::span<const Impression> stream) {
  std::vector<double> sum(size_t(w.variants));
  for (const Impression& i : stream)
    for (int32_t k = 0; k < w.variants; ++k) sum[size_t(k)] += w.p[size_t(i.segment) * size_t(w.variants) + size_t(k)];
  return int32_t(std::max_element(sum.begin(), sum.end()) - sum.begin());
}

void require_world(const World& w, std::span<const Impression> stream, int64_t batch) {
  const size_t cells = size_t(w.segments) * size_t(w.variants);
  PUNA_REQUIRE(w.segments >= 1 && w.variants >= 1 && w.p.size() == cells,
               "the world has %zu rates for %d segments and %d variants", w.p.size(), int(w.segments), int(w.variants));
  for (const double p : w.p) PUNA_REQUIRE(p >= 0 && p <= 1, "a rate of the world is %g, expected 0 to 1", p);
  PUNA_REQUIRE(w.rates.empty() || w.rates.size() == cells, "the ranker predicts %zu rates, expected %zu",
               w.rates.size(), cells);
  PUNA_REQUIRE(batch >= 1, "batch is %jd, expected at least 1", batch);
  for (const Impression& i : stream)
    PUNA_REQUIRE(i.segment >= 0 && i.segment < w.segments, "an impression has segment %d, expected 0 to %d",
                 int(i.segment), int(w.segments) - 1);
}

}  // namespace

World simulated_world(uint64_t seed, int32_t segments, int32_t variants, double interaction) {
  World w{.segments = segments, .variants = variants, .p = {}, .rates = {}};
  Normals normals(seed, 101), errors(seed, 102);
  std::vector<double> main(static_cast<size_t>(variants));
  for (double& m : main) m = 0.25 * double(normals.next());
  for (int32_t s = 0; s < segments; ++s)
    for (int32_t k = 0; k < variants; ++k) {
      const double log_odds = -4.6 + main[size_t(k)] + interaction * double(normals.next());
      w.p.push_back(rate_of_log_odds(log_odds));
      w.rates.push_back(rate_of_log_odds(log_odds + 0.3 * double(errors.next())));
    }
  return w;
}

std::vector<Impression> simulated_stream(const World& w, uint64_t seed, int64_t impressions, const Watch& watch) {
  PUNA_REQUIRE(impressions >= 0 && impressions <= 100'000'000, "impressions is %jd, expected 0 to 100000000",
               impressions);
  // Dirichlet(3, ..., 3): gammas of shape 3 are sums of three exponentials.
  Normals shares(seed, 103), draws(seed, 104);
  std::vector<double> up_to(static_cast<size_t>(w.segments));
  double sum = 0;
  for (double& u : up_to) {
    for (int i = 0; i < 3; ++i) sum -= det::log(shares.uniform());
    u = sum;
  }
  std::vector<Impression> stream;
  stream.reserve(size_t(impressions));
  for (int64_t t = 0; t < impressions; ++t) {
    watch.tick();
    const double where = draws.uniform() * sum;
    const auto s = std::min<ptrdiff_t>(std::upper_bound(up_to.begin(), up_to.end(), where) - up_to.begin(),
                                       ptrdiff_t(w.segments) - 1);
    stream.push_back({.segment = int32_t(s), .u = draws.uniform()});
  }
  return stream;
}

std::vector<ChoiceRun> simulate_choice(const World& w, std::span<const Impression> stream, int64_t batch, uint64_t seed,
                                       const Watch& watch) {
  require_world(w, stream, batch);
  ChooserOptions base;
  base.segments = w.segments;
  base.variants = w.variants;
  base.floor = std::min(base.floor, 1.0 / double(w.variants));
  const auto with = [&](ChoiceMethod method, bool tempered = false, bool ranker = false) {
    ChooserOptions o = base;
    o.method = method;
    if (!tempered) o.temper = o.early_temper = 1;
    if (ranker) {
      o.rates = w.rates;
      o.variant_spread = 0.2;
      o.cell_spread = 0.25;
    }
    return o;
  };
  std::vector<ChoiceRun> runs;
  const auto add = [&](const char* name, Player player) {
    runs.push_back(play(w, stream, batch, name, std::move(player), watch));
  };
  add("uniform", chooser(with(ChoiceMethod::uniform), seed));
  add("A/B on 20 %, then the best", ab_test(w, stream.size(), seed));
  const int32_t single = best_single(w, stream);
  add("best single variant in hindsight", {.show = [=](int64_t, int32_t) { return single; }});
  ChooserOptions blind = with(ChoiceMethod::thompson);
  blind.segments = 1;
  add("Thompson without segments", chooser(blind, seed, true));
  add("segment Thompson", chooser(with(ChoiceMethod::thompson), seed));
  add("hierarchical Thompson", chooser(with(ChoiceMethod::hierarchical), seed));
  add("hierarchical, tempered (default)", chooser(with(ChoiceMethod::hierarchical, true), seed));
  if (!w.rates.empty()) {
    add("hierarchical Thompson, ranker", chooser(with(ChoiceMethod::hierarchical, false, true), seed));
    add("default, ranker", chooser(with(ChoiceMethod::hierarchical, true, true), seed));
  }
  add("LinUCB", chooser(with(ChoiceMethod::lin_ucb), seed));
  add("LinTS", chooser(with(ChoiceMethod::lin_ts), seed));
  return runs;
}

}  // namespace puna::ads
