// ads_choice.cpp -- puna_chooser_*, puna_reward_book_*: which variant to show, what came of it; worlds to measure on.
#if PUNA_ADS
#include <algorithm>

#include "ads_handles.h"
#include "puna/ads/simulate.h"

using namespace puna;
using namespace puna::capi;
using namespace puna::ads;

namespace {

constexpr double kLargest = 1e12;  // of what the chooser checks itself; here NaN and infinity are refused by name

void set_unless_zero(double& ours, double theirs, const char* name) {
  if (number_in_range(theirs, 0, kLargest, name) != 0) ours = theirs;
}

ChooserOptions options_from_c(const puna_chooser_options& o) {
  static_assert(PUNA_CHOICE_HIERARCHICAL == int(ChoiceMethod::hierarchical) &&
                PUNA_CHOICE_THOMPSON == int(ChoiceMethod::thompson) &&
                PUNA_CHOICE_LIN_TS == int(ChoiceMethod::lin_ts) && PUNA_CHOICE_LIN_UCB == int(ChoiceMethod::lin_ucb) &&
                PUNA_CHOICE_UNIFORM == int(ChoiceMethod::uniform));
  PUNA_REQUIRE(o.method >= PUNA_CHOICE_HIERARCHICAL && o.method <= PUNA_CHOICE_UNIFORM,
               "method is %d, expected PUNA_CHOICE_...", o.method);
  ChooserOptions c;
  c.method = ChoiceMethod(o.method);
  c.variants = int32_t(in_range(o.variants, 1, 1000, "variants"));
  c.segments = int32_t(in_range(o.segments, 0, 10'000'000 / c.variants, "segments"));
  if (c.segments == 0) c.segments = 1;
  c.floor = o.floor == -1  ? 0
            : o.floor == 0 ? std::min(c.floor, 1.0 / double(c.variants))
                           : number_in_range(o.floor, 0, 1.0 / double(c.variants), "floor");
  set_unless_zero(c.discount, o.discount, "discount");
  set_unless_zero(c.temper, o.temper, "temper");
  set_unless_zero(c.early_temper, o.early_temper, "early_temper");
  set_unless_zero(c.early_clicks, o.early_clicks, "early_clicks");
  set_unless_zero(c.variant_spread, o.variant_spread, "variant_spread");
  set_unless_zero(c.cell_spread, o.cell_spread, "cell_spread");
  set_unless_zero(c.base_rate, o.base_rate, "base_rate");
  set_unless_zero(c.prior_shown, o.prior_shown, "prior_shown");
  set_unless_zero(c.deviations, o.deviations, "deviations");
  set_unless_zero(c.noise, o.noise, "noise");
  set_unless_zero(c.ridge, o.ridge, "ridge");
  if (o.rates) c.rates.assign(o.rates, o.rates + size_t(c.segments) * size_t(c.variants));
  return c;
}

}  // namespace

puna_status puna_chooser_create(const puna_chooser_options* options, puna_chooser** chooser) {
  return guard([&] {
    PUNA_REQUIRE(options != nullptr, "options is NULL: a chooser has variants");
    PUNA_REQUIRE(chooser != nullptr, "chooser is NULL");
    *chooser = new puna_chooser{Chooser(options_from_c(read_options(options, "puna_chooser_options")))};
  });
}

puna_status puna_chooser_choose(puna_chooser* chooser, int32_t segment, uint64_t seed, uint64_t number,
                                int32_t* variant, double* propensity) {
  return guard([&] {
    Chooser& c = ads_handle(chooser, "chooser");
    int32_t& which = ads_output(variant, "variant");
    double& p = ads_output(propensity, "propensity");
    const Choice choice = c.choose(segment, seed, number);
    which = choice.variant;
    p = choice.propensity;
  });
}

puna_status puna_chooser_get_propensities(puna_chooser* chooser, int32_t segment, double* probabilities,
                                          size_t capacity) {
  return guard([&] {
    Chooser& c = ads_handle(chooser, "chooser");
    const auto out = ads_array(probabilities, capacity, size_t(c.variants()), "probabilities");
    std::ranges::copy(c.propensities(segment), out.begin());
  });
}

puna_status puna_chooser_get_rates(puna_chooser* chooser, int32_t segment, double* rates, size_t capacity) {
  return guard([&] {
    Chooser& c = ads_handle(chooser, "chooser");
    const auto out = ads_array(rates, capacity, size_t(c.variants()), "rates");
    std::ranges::copy(c.rates(segment), out.begin());
  });
}

puna_status puna_chooser_update(puna_chooser* chooser, const puna_shown_and_clicked* outcomes, size_t count) {
  return guard([&] {
    Chooser& c = ads_handle(chooser, "chooser");
    std::vector<Outcome> all;
    for (const puna_shown_and_clicked& o : array_view(outcomes, count, "outcomes"))
      all.push_back({.segment = o.segment, .variant = o.variant, .shown = o.shown, .clicks = o.clicks});
    c.update(all);
  });
}

puna_status puna_chooser_get_sums(const puna_chooser* chooser, double* shown, double* clicks, size_t capacity) {
  return guard([&] {
    const Chooser& c = ads_handle(chooser, "chooser");
    const auto s = ads_array(shown, capacity, c.shown().size(), "shown");
    const auto k = ads_array(clicks, capacity, c.clicks().size(), "clicks");
    std::ranges::copy(c.shown(), s.begin());
    std::ranges::copy(c.clicks(), k.begin());
  });
}

puna_status puna_chooser_add_variant(puna_chooser* chooser, const double* rates, size_t count, int32_t* variant) {
  return guard([&] {
    Chooser& c = ads_handle(chooser, "chooser");
    int32_t& out = ads_output(variant, "variant");
    out = c.add_variant(array_view(rates, count, "rates"));
  });
}

puna_status puna_chooser_retire(puna_chooser* chooser, int32_t variant) {
  return guard([&] { ads_handle(chooser, "chooser").retire(variant); });
}

puna_status puna_chooser_get_info(const puna_chooser* chooser, puna_chooser_info* info) {
  return guard([&] {
    const Chooser& c = ads_handle(chooser, "chooser");
    puna_chooser_info i{};
    i.segments = c.segments();
    i.variants = c.variants();
    for (int32_t k = 0; k < i.variants; ++k) i.retired += c.retired(k);
    write_info(i, info, "puna_chooser_info");
  });
}

void puna_chooser_free(puna_chooser* chooser) { delete chooser; }

puna_status puna_reward_book_create(int64_t window, puna_reward_book** book) {
  return guard([&] {
    PUNA_REQUIRE(book != nullptr, "book is NULL");
    *book = new puna_reward_book{RewardBook(window), {}};
  });
}

puna_status puna_reward_book_shown(puna_reward_book* book, uint64_t key, int32_t segment, int32_t variant,
                                   int64_t time) {
  return guard([&] {
    RewardBook& b = ads_handle(book, "book");
    b.shown(key, int32_t(in_range(segment, 0, INT32_MAX, "segment")),
            int32_t(in_range(variant, 0, INT32_MAX, "variant")), time);
  });
}

puna_status puna_reward_book_clicked(puna_reward_book* book, uint64_t key, int64_t time, int32_t* counts) {
  return guard([&] {
    const bool counted = ads_handle(book, "book").clicked(key, time);
    if (counts) *counts = counted;
  });
}

puna_status puna_reward_book_collect(puna_reward_book* book, int64_t now, const puna_shown_and_clicked** outcomes,
                                     size_t* count) {
  return guard([&] {
    RewardBook& b = ads_handle(book, "book");
    PUNA_REQUIRE(outcomes != nullptr, "outcomes is NULL");
    PUNA_REQUIRE(count != nullptr, "count is NULL");
    book->outcomes.resize(b.settle(now));
    size_t i = 0;
    for (const Outcome& o : b.collect(now)) book->outcomes[i++] = {o.segment, o.variant, o.shown, o.clicks};
    *outcomes = book->outcomes.data();
    *count = book->outcomes.size();
  });
}

puna_status puna_reward_book_get_counts(const puna_reward_book* book, puna_reward_counts* counts) {
  return guard([&] {
    const RewardCounts c = ads_handle(book, "book").counts();
    puna_reward_counts i{};
    i.shown = c.shown;
    i.clicked = c.clicked;
    i.waiting = c.waiting;
    i.repeated = c.repeated;
    i.late = c.late;
    write_info(i, counts, "puna_reward_counts");
  });
}

void puna_reward_book_free(puna_reward_book* book) { delete book; }

puna_status puna_simulate_world(uint64_t seed, int32_t segments, int32_t variants, double interaction, double* p,
                                double* rates) {
  return guard([&] {
    PUNA_REQUIRE(p != nullptr, "p is NULL");
    (void)in_range(variants, 1, 1000, "variants");
    (void)in_range(segments, 1, 10'000'000 / variants, "segments");
    const World w = simulated_world(seed, segments, variants, number_in_range(interaction, 0, 5, "interaction"));
    std::ranges::copy(w.p, p);
    if (rates) std::ranges::copy(w.rates, rates);
  });
}

puna_status puna_simulate_stream(uint64_t seed, int32_t segments, size_t count, int32_t* of_segment, double* u) {
  return guard([&] {
    PUNA_REQUIRE(of_segment && u, "%s is NULL", of_segment ? "u" : "of_segment");
    (void)in_range(segments, 1, 10'000'000, "segments");
    (void)in_range(int64_t(count), 1, 100'000'000, "count");
    World w;
    w.segments = segments;
    const auto stream = simulated_stream(w, seed, int64_t(count));
    for (size_t i = 0; i < count; ++i) {
      of_segment[i] = stream[i].segment;
      u[i] = stream[i].u;
    }
  });
}
#endif
