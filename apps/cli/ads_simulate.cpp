// puna ads simulate pacing|choice|auction: on built-in processes, or on files.
#include <algorithm>
#include <cmath>

#include "ads.h"
#include "ads/world_files.h"
#include "base/json.h"
#include "base/nearest.h"
#include "common.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/ads/simulate.h"
#include "puna/base/error.h"

namespace puna::cli {
namespace {

struct NamedProcess {
  const char* name;
  ads::PacingProcess process;
};
constexpr NamedProcess kProcesses[] = {{"plain", ads::PacingProcess::plain},
                                       {"drifting", ads::PacingProcess::drifting},
                                       {"spiking", ads::PacingProcess::spiking},
                                       {"heavy-tailed", ads::PacingProcess::heavy_tailed},
                                       {"traffic", ads::PacingProcess::traffic}};
constexpr const char* kProcessHelp = "plain (default), drifting, spiking, heavy-tailed or traffic";
constexpr uint64_t kYesterday = 1000;  // yesterday's seed is today's and this

ads::PacingProcess process_of(const std::string& name, const char* option) {
  std::vector<std::string_view> names;
  for (const NamedProcess& p : kProcesses) {
    if (name == p.name) return p.process;
    names.emplace_back(p.name);
  }
  fail(Status::invalid_argument, "%s is '%s', expected %s%s", option, name.c_str(), kProcessHelp,
       did_you_mean(name, names).c_str());
}

std::vector<ads::AuctionRecord> auctions_in(const std::string& path, const Watch& watch) {
  const TextInput input(path);
  return ads::read_auctions(input.file(), watch);
}

// Figures of the same algorithm over several seeds.
double mean_of(const OrderedJson& runs, const char* key) {
  double sum = 0;
  for (const OrderedJson& run : runs) sum += run.at(key).get<double>();
  return sum / double(runs.size());
}
double least_of(const OrderedJson& runs, const char* key) {
  double least = INFINITY;
  for (const OrderedJson& run : runs) least = std::min(least, run.at(key).get<double>());
  return least;
}
double most_of(const OrderedJson& runs, const char* key) {
  double most = -INFINITY;
  for (const OrderedJson& run : runs) most = std::max(most, run.at(key).get<double>());
  return most;
}

// {"algorithms": [{"name", means of `means`, "least_..." of the first of them, "seeds": [a run each]}]}
OrderedJson grouped(const std::vector<std::pair<std::string, OrderedJson>>& runs,
                    std::initializer_list<const char*> means) {
  std::vector<std::pair<std::string, OrderedJson>> by_name;
  for (const auto& [name, run] : runs) {
    auto found = std::find_if(by_name.begin(), by_name.end(), [&](const auto& entry) { return entry.first == name; });
    if (found == by_name.end()) found = by_name.insert(found, {name, OrderedJson::array()});
    found->second.push_back(run);
  }
  OrderedJson all = OrderedJson::array();
  for (const auto& [name, of_name] : by_name) {
    OrderedJson entry{{"name", name}};
    for (const char* key : means) entry[key] = mean_of(of_name, key);
    entry["least_" + std::string(*means.begin())] = least_of(of_name, *means.begin());
    entry["seeds"] = of_name;
    all.push_back(entry);
  }
  return {{"algorithms", all}};
}

// ---- pacing ----

struct PacingFlags {
  std::string seeds = "0", process = "plain", auctions, yesterday, yesterdays_process;
  int64_t count = 200'000;
  std::string budget;
  float budget_share = 0.3f;
  bool json = false;
};

struct PacedDay {
  std::vector<ads::AuctionRecord> day, yesterday;
};

PacedDay paced_day(const PacingFlags& f, uint64_t seed, const Watch& watch) {
  PacedDay d;
  if (!f.auctions.empty()) {
    d.day = auctions_in(f.auctions, watch);
  } else {
    d.day = ads::simulated_day(process_of(f.process, "--process"), seed, f.count, watch);
  }
  if (!f.yesterday.empty()) {
    d.yesterday = auctions_in(f.yesterday, watch);
  } else if (f.auctions.empty() || !f.yesterdays_process.empty()) {
    const std::string& name = f.yesterdays_process.empty() ? f.process : f.yesterdays_process;
    d.yesterday =
        ads::simulated_day(process_of(name, "--yesterday-process"), seed + kYesterday, int64_t(d.day.size()), watch);
  }
  return d;
}

void run_pacing(const PacingFlags& f) {
  const std::vector<uint64_t> seeds = parse_seeds(f.seeds, "--seeds");
  const ads::Micros fixed = f.budget.empty() ? 0 : parse_money(f.budget, "--budget");
  std::vector<std::pair<std::string, OrderedJson>> runs;
  ProgressBar bar("days");
  stoppable([&](const Watch& watch) {
    for (size_t i = 0; i < seeds.size(); ++i) {
      const PacedDay d = paced_day(f, seeds[i], watch);
      const auto budget = [&](const std::vector<ads::AuctionRecord>& day) {
        if (fixed > 0) return fixed;
        return std::max<ads::Micros>(1, ads::budget_of(day, double(f.budget_share)));
      };
      const ads::Micros today = budget(d.day), before = d.yesterday.empty() ? 0 : budget(d.yesterday);
      for (const ads::PacingRun& r : ads::simulate_pacing(d.day, today, d.yesterday, before, seeds[i], watch))
        runs.emplace_back(r.name, OrderedJson{{"seed", seeds[i]},
                                              {"budget", double(today) / double(ads::kOneUnit)},
                                              {"used", r.used},
                                              {"overspend", r.overspend},
                                              {"value_over_oracle", r.value_over_oracle},
                                              {"deviation", r.deviation},
                                              {"mean_deviation", r.mean_deviation},
                                              {"money_gone_hour", r.money_gone_hour},
                                              {"value", r.value},
                                              {"won", r.won},
                                              {"spent", r.spent},
                                              {"planned", r.planned}});
      bar.update(i + 1, seeds.size());
    }
  });
  bar.wipe();
  const OrderedJson report = grouped(
      runs, {"value_over_oracle", "used", "overspend", "deviation", "mean_deviation", "money_gone_hour", "value"});
  if (f.json) return print_format("%s\n", json_text(report).c_str());
  print_format("%-36s %8s %9s %12s %7s %9s %9s %9s\n", "", "used", "overspend", "value/oracle", "least", "deviation",
               "mean dev", "gone, h");
  for (const OrderedJson& a : report["algorithms"])
    print_format("%-36s %7.2f%% %8.2f%% %12.4f %7.4f %8.2f%% %8.2f%% %9.1f\n", a["name"].get<std::string>().c_str(),
                 100 * a["used"].get<double>(), 100 * most_of(a["seeds"], "overspend"),
                 a["value_over_oracle"].get<double>(), a["least_value_over_oracle"].get<double>(),
                 100 * most_of(a["seeds"], "deviation"), 100 * a["mean_deviation"].get<double>(),
                 a["money_gone_hour"].get<double>());
}

void add_pacing(const Verb& simulate) {
  const auto f = std::make_shared<PacingFlags>();
  const Verb verb(simulate, "pacing", "A day's budget in second-price auctions, by every method");
  verb.option("--seeds", f->seeds, "of the days: 0,1,2 or 0-7 (default 0)");
  const Option process = verb.option("--process", f->process, kProcessHelp);
  const Option count = verb.option("--count", f->count, "auctions a day (default 200000)").within(1, 1e8);
  verb.option("--auctions", f->auctions, "instead of a process: a table with the columns hour, value and price")
      .excludes(process)
      .excludes(count);
  const Option yesterday = verb.option("--yesterday", f->yesterday, "such a table of the day before, to plan by");
  verb.option("--yesterday-process", f->yesterdays_process, "of the day before, where it is another than today's")
      .excludes(yesterday);
  const Option share =
      verb.option("--budget-share", f->budget_share, "of what all that is worth its price costs (default .3)")
          .within(1e-6, 10);
  verb.option("--budget", f->budget, "instead: in the currency of the prices, such as 250 or 99.95").excludes(share);
  verb.flag("--json", f->json, "one line of JSON: every seed, with the spend by slots of five minutes");
  verb.run([f] { run_pacing(*f); });
}

// ---- choice ----

struct ChoiceFlags {
  std::string seeds = "0", world, stream;
  int64_t count = 300'000, batch = 3000;
  int segments = 6, variants = 8;
  float interaction = 0.35f;
  bool json = false;
};

// Lists of the same length: after so many impressions, so far.
OrderedJson path_of(const ads::ChoiceRun& r) {
  OrderedJson path{{"impressions", OrderedJson::array()},
                   {"clicks", OrderedJson::array()},
                   {"regret", OrderedJson::array()},
                   {"shares", OrderedJson::array()}};
  for (const ads::ChoiceMoment& m : r.path) {
    path["impressions"].push_back(m.impressions);
    path["clicks"].push_back(m.clicks);
    path["regret"].push_back(m.regret);
    path["shares"].push_back(m.shares);
  }
  return path;
}

void run_choice(const ChoiceFlags& f) {
  if (f.world.empty() != f.stream.empty()) usage_error_missing(f.world.empty() ? "--world" : "--stream");
  const std::vector<uint64_t> seeds = parse_seeds(f.seeds, "--seeds");
  std::vector<std::pair<std::string, OrderedJson>> runs;
  ProgressBar bar("worlds");
  stoppable([&](const Watch& watch) {
    for (size_t i = 0; i < seeds.size(); ++i) {
      ads::NamedWorld w;
      std::vector<ads::Impression> stream;
      if (f.world.empty()) {
        w.world = ads::simulated_world(seeds[i], f.segments, f.variants, double(f.interaction));
        stream = ads::simulated_stream(w.world, seeds[i], f.count, watch);
      } else {
        const TextInput world(f.world), impressions(f.stream);
        w = ads::read_world(world.file(), watch);
        stream = ads::read_stream(impressions.file(), w, watch);
      }
      for (const ads::ChoiceRun& r : ads::simulate_choice(w.world, stream, f.batch, seeds[i], watch))
        runs.emplace_back(r.name, OrderedJson{{"seed", seeds[i]},
                                              {"clicks_over_oracle", r.over_oracle},
                                              {"clicks", r.clicks},
                                              {"regret", r.regret},
                                              {"shares", r.shares},
                                              {"path", path_of(r)}});
      bar.update(i + 1, seeds.size());
    }
  });
  bar.wipe();
  const OrderedJson report = grouped(runs, {"clicks_over_oracle", "clicks", "regret"});
  if (f.json) return print_format("%s\n", json_text(report).c_str());
  print_format("%-36s %13s %7s %10s %10s\n", "", "clicks/oracle", "least", "clicks", "regret");
  for (const OrderedJson& a : report["algorithms"])
    print_format("%-36s %13.4f %7.4f %10.1f %10.1f\n", a["name"].get<std::string>().c_str(),
                 a["clicks_over_oracle"].get<double>(), a["least_clicks_over_oracle"].get<double>(),
                 a["clicks"].get<double>(), a["regret"].get<double>());
}

void add_choice(const Verb& simulate) {
  const auto f = std::make_shared<ChoiceFlags>();
  const Verb verb(simulate, "choice", "Which variant to show to whom: every algorithm on the same impressions");
  verb.option("--seeds", f->seeds, "of worlds, streams and choices: 0,1,2 or 0-7 (default 0)");
  const Option count = verb.option("--count", f->count, "impressions (default 300000)").within(1, 1e8);
  verb.option("--batch", f->batch, "impressions between updates (default 3000)").within(1, 1e8);
  const Option segments = verb.option("--segments", f->segments, "of people (default 6)").within(1, 1000);
  const Option variants = verb.option("--variants", f->variants, "of the ad (default 8)").within(1, 1000);
  const Option interaction =
      verb.option("--interaction", f->interaction, "how much segments differ (default .35); 0: not at all")
          .within(0, 5);
  verb.option("--world", f->world, "instead: click rates by segment and variant (JSON), with --stream")
      .excludes(count)
      .excludes(segments)
      .excludes(variants)
      .excludes(interaction);
  verb.option("--stream", f->stream, "a table with the columns segment and u: clicked when u is below the rate");
  verb.flag("--json", f->json, "one line of JSON: every seed, with clicks, regret and shares as they went on");
  verb.run([f] { run_choice(*f); });
}

// ---- auction ----

struct AuctionFlags {
  std::string seeds = "0", auctions;
  int64_t count = 50'000;
  int bidders = 8, slots = 4;
  bool json = false;
};

void run_auction(const AuctionFlags& f) {
  const std::vector<uint64_t> seeds = parse_seeds(f.seeds, "--seeds");
  std::vector<std::pair<std::string, OrderedJson>> bids, slots;
  ProgressBar bar("days");
  stoppable([&](const Watch& watch) {
    for (size_t i = 0; i < seeds.size(); ++i) {
      const auto day = f.auctions.empty() ? ads::simulated_day(ads::PacingProcess::plain, seeds[i], f.count, watch)
                                          : auctions_in(f.auctions, watch);
      for (const ads::BiddingRun& r : ads::simulate_bidding(day, watch))
        bids.emplace_back(
            r.rule + ", " + r.bidder,
            OrderedJson{
                {"seed", seeds[i]}, {"surplus", r.surplus}, {"spent", r.spent}, {"value", r.value}, {"won", r.won}});
      for (const ads::SlotRun& r :
           ads::simulate_slots(seeds[i], std::min<int64_t>(f.count, 2000), f.bidders, f.slots, watch))
        slots.emplace_back(r.rule,
                           OrderedJson{{"seed", seeds[i]}, {"revenue", r.revenue}, {"largest_gain", r.largest_gain}});
      bar.update(i + 1, seeds.size());
    }
  });
  bar.wipe();
  OrderedJson report = grouped(bids, {"surplus", "spent", "value"});
  report["slots"] = grouped(slots, {"revenue", "largest_gain"})["algorithms"];
  if (f.json) return print_format("%s\n", json_text(report).c_str());
  print_format("%-28s %12s %12s %12s\n", "", "surplus", "spent", "value");
  for (const OrderedJson& a : report["algorithms"])
    print_format("%-28s %12.1f %12.1f %12.1f\n", a["name"].get<std::string>().c_str(), a["surplus"].get<double>(),
                 a["spent"].get<double>(), a["value"].get<double>());
  print_format("\n%-28s %12s %12s\n", "slots, all bid their values", "revenue", "best lie +");
  for (const OrderedJson& a : report["slots"])
    print_format("%-28s %12.4f %12.4f\n", a["name"].get<std::string>().c_str(), a["revenue"].get<double>(),
                 most_of(a["seeds"], "largest_gain"));
}

void add_auction(const Verb& simulate) {
  const auto f = std::make_shared<AuctionFlags>();
  const Verb verb(simulate, "auction", "Truthful and shaded bids at first and second price; slots by GSP and VCG");
  verb.option("--seeds", f->seeds, "of the days: 0,1,2 or 0-7 (default 0)");
  const Option count = verb.option("--count", f->count, "auctions a day (default 50000)").within(1, 1e8);
  verb.option("--auctions", f->auctions, "instead of a process: a table with the columns hour, value and price")
      .excludes(count);
  verb.option("--bidders", f->bidders, "for the slots (default 8)").within(1, 1000);
  verb.option("--slots", f->slots, "of a page (default 4)").within(1, 100);
  verb.flag("--json", f->json, "one line of JSON");
  verb.run([f] { run_auction(*f); });
}

}  // namespace

void add_ads_simulate(const Verb& ads) {
  const Verb simulate(ads, "simulate", "Days of auctions and streams of impressions, played by every algorithm");
  simulate.require_verb();
  add_pacing(simulate);
  add_choice(simulate);
  add_auction(simulate);
}

}  // namespace puna::cli
