// puna ads report: what `puna ads simulate ... --json` printed as one HTML page: tables, and plots of spend, clicks,
// regret and choice shares. No script, no request to anywhere: the page says so to the browser as well.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "ads.h"
#include "base/json_field.h"
#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "svg_plot.h"

namespace puna::cli {
namespace {

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Advertisements: a simulated account</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 84rem;
  margin: 0 auto; padding: 1rem; }
h1, h2 { line-height: 1.2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
p { color: #555; max-width: 60rem; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 600; }
tr.best td, tr.best th { background: #eef6ee; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 36rem), 1fr)); gap: 1rem; }
.plots.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; }
figcaption { color: #555; font-size: .9rem; }
svg { width: 100%; height: auto; }
@media print { .plots { display: block; } figure { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>Advertisements: a simulated account</h1>
)";

struct Column {
  const char* key;
  const char* name;
  const char* format;
  double times = 1;
};

std::string formatted(const char* format, double value) {
  char text[64];
  snprintf(text, sizeof text, format, value);  // the formats are ours, one double each
  return text;
}

double number_in(const text::JsonField& field) {
  if (!field.json().is_number()) field.expected("a number");
  return field.json().get<double>();
}
std::vector<double> numbers_in(const text::JsonField& list) {
  if (!list.is_array()) list.expected("a list of numbers");
  std::vector<double> values;
  for (size_t i = 0; i < list.size(); ++i) values.push_back(number_in(list[i]));
  return values;
}

// Means of lists of the same length, one a seed.
class MeanList {
 public:
  void add(const text::JsonField& list) {
    const std::vector<double> values = numbers_in(list);
    if (count_ > 0 && values.size() != sum_.size()) list.expected("as many numbers as the first seed has");
    sum_.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) sum_[i] += values[i];
    ++count_;
  }
  std::vector<double> mean() const {
    std::vector<double> values;
    for (const double s : sum_) values.push_back(s / double(count_));
    return values;
  }

 private:
  std::vector<double> sum_;
  int64_t count_ = 0;
};

// `of` is one of an algorithm's seeds: mean over them of the list that it leads to.
template <class Of>
std::vector<double> mean_over_seeds(const text::JsonField& algorithm, const Of& of) {
  MeanList mean;
  const text::JsonField seeds = algorithm["seeds"];
  if (!seeds.is_array() || seeds.size() == 0) seeds.expected("a run a seed");
  for (size_t i = 0; i < seeds.size(); ++i) mean.add(of(seeds[i]));
  return mean.mean();
}

// The first column is what rows are compared by: the best is marked.
std::string table(const std::string& name, const std::string& about, const text::JsonField& algorithms,
                  std::initializer_list<Column> columns) {
  std::string out = "<p>" + about + "</p>\n<div class=\"scroll\" role=\"region\" aria-label=\"" + name +
                    "\" tabindex=\"0\"><table>\n<tr><th scope=\"col\">algorithm</th>";
  for (const Column& c : columns) out += "<th scope=\"col\">" + std::string(c.name) + "</th>";
  out += "</tr>\n";
  double best = -1e300;
  for (size_t i = 0; i < algorithms.size(); ++i) best = std::max(best, number_in(algorithms[i][columns.begin()->key]));
  for (size_t i = 0; i < algorithms.size(); ++i) {
    const text::JsonField a = algorithms[i];
    const bool is_best = number_in(a[columns.begin()->key]) == best;
    out += is_best ? "<tr class=\"best\">" : "<tr>";
    out += "<th scope=\"row\">" + xml_escaped(a["name"].string()) + "</th>";
    for (const Column& c : columns) out += "<td>" + formatted(c.format, c.times * number_in(a[c.key])) + "</td>";
    out += "</tr>\n";
  }
  return out + "</table></div>\n";
}

std::string figure(const std::string& svg, const std::string& caption) {
  return "<figure>\n" + svg + "<figcaption>" + caption + "</figcaption>\n</figure>\n";
}

PlotSeries line(const std::string& name, std::vector<double> x, std::vector<double> y, int colour = -1) {
  x.insert(x.begin(), 0);
  y.insert(y.begin(), 0);
  return {.name = name, .x = std::move(x), .y = std::move(y), .line = true, .points = false, .colour = colour};
}

size_t seeds_of(const text::JsonField& algorithms) { return algorithms[size_t(0)]["seeds"].size(); }

std::string pacing_section(const text::JsonField& algorithms) {
  std::string out = "<section>\n<h2>Pacing: a day's budget</h2>\n";
  out +=
      table("Pacing, a row an algorithm",
            "Means over " + std::to_string(seeds_of(algorithms)) +
                " seeds. Value: of the best constant multiplier's, known from the day's end. Deviation: from the run's "
                "own plan, in shares of the budget.",
            algorithms,
            {{"value_over_oracle", "value / oracle", "%.4f"},
             {"least_value_over_oracle", "least", "%.4f"},
             {"used", "used", "%.2f %%", 100},
             {"overspend", "overspend", "%.2f %%", 100},
             {"deviation", "deviation", "%.2f %%", 100},
             {"money_gone_hour", "money gone, hour", "%.1f"},
             {"value", "value", "%.1f"}});
  std::vector<PlotSeries> spent, off;
  for (size_t i = 0; i < algorithms.size(); ++i) {
    const text::JsonField a = algorithms[i];
    const std::vector<double> path = mean_over_seeds(a, [](const text::JsonField& s) { return s["spent"]; }),
                              plan = mean_over_seeds(a, [](const text::JsonField& s) { return s["planned"]; });
    if (plan.size() != path.size()) a.expected("as many numbers in \"planned\" as in \"spent\"");
    std::vector<double> hours, distance;
    for (size_t k = 0; k < path.size(); ++k) {
      hours.push_back(24 * double(k + 1) / double(path.size()));
      distance.push_back(100 * (path[k] - plan[k]));
    }
    spent.push_back(line(a["name"].string(), hours, path));
    // What has no plan to follow is far away from any.
    if (std::all_of(distance.begin(), distance.end(), [](double d) { return d > -10 && d < 10; }))
      off.push_back(line(a["name"].string(), hours, distance, int(i)));
  }
  out += "<div class=\"plots\">\n";
  out += figure(line_plot("Spend: share of the budget, by hour", spent),
                "A line that reaches 1 early has nothing left for the evening.");
  if (!off.empty())
    out += figure(line_plot("Spend beyond the run's own plan, % of the budget, by hour", off),
                  "Above 0: ahead of the plan. Runs that are more than 10 % off are not drawn.");
  return out + "</div>\n</section>\n";
}

std::string choice_section(const text::JsonField& algorithms) {
  std::string out = "<section>\n<h2>Choice: which text to whom</h2>\n";
  out +=
      table("Choice, a row an algorithm",
            "Means over " + std::to_string(seeds_of(algorithms)) +
                " seeds. Oracle: the best text for each segment, known beforehand. Regret: expected clicks below the "
                "oracle's.",
            algorithms,
            {{"clicks_over_oracle", "clicks / oracle", "%.4f"},
             {"least_clicks_over_oracle", "least", "%.4f"},
             {"clicks", "clicks", "%.1f"},
             {"regret", "regret", "%.1f"}});
  std::vector<PlotSeries> regret, clicks;
  const auto path = [](const char* key) { return [key](const text::JsonField& seed) { return seed["path"][key]; }; };
  for (size_t i = 0; i < algorithms.size(); ++i) {
    const text::JsonField a = algorithms[i];
    const std::vector<double> x = mean_over_seeds(a, path("impressions")), r = mean_over_seeds(a, path("regret")),
                              c = mean_over_seeds(a, path("clicks"));
    if (r.size() != x.size() || c.size() != x.size()) a.expected("lists of the same length in \"path\"");
    regret.push_back(line(a["name"].string(), x, r));
    clicks.push_back(line(a["name"].string(), x, c));
  }
  out += "<div class=\"plots\">\n";
  out += figure(line_plot("Regret: expected clicks below the oracle's, by impressions", regret),
                "A line that becomes flat has learnt; a straight one never does.");
  out += figure(line_plot("Clicks, by impressions", clicks), "What the stream gave.");
  out += "</div>\n<h3>Choice shares</h3>\n<p>Which texts were shown, of the first seed's impressions.</p>\n";
  out += "<div class=\"plots small\">\n";
  // Shares of one seed: means over worlds in which other texts are good say nothing.
  for (size_t i = 0; i < algorithms.size(); ++i) {
    const text::JsonField a = algorithms[i], moments = a["seeds"][size_t(0)]["path"]["shares"];
    const std::vector<double> x = numbers_in(a["seeds"][size_t(0)]["path"]["impressions"]);
    if (!moments.is_array() || moments.size() != x.size()) moments.expected("a list of shares a moment");
    std::vector<PlotSeries> shares;
    for (size_t m = 0; m < moments.size(); ++m) {
      const std::vector<double> of = numbers_in(moments[m]);
      if (m == 0) shares.resize(of.size());
      if (of.size() != shares.size()) moments[m].expected("as many shares as the first moment has");
      for (size_t k = 0; k < of.size(); ++k) {
        shares[k].name = "text " + std::to_string(k);
        shares[k].x.push_back(x[m]);
        shares[k].y.push_back(of[k]);
      }
    }
    out += "<figure>\n" + share_plot("Choice shares: " + a["name"].string(), shares) + "</figure>\n";
  }
  return out + "</div>\n</section>\n";
}

std::string auction_section(const text::JsonField& algorithms, const text::JsonField& slots) {
  std::string out = "<section>\n<h2>Auctions</h2>\n";
  out += table("Bidders", "Bidding a day's auctions at the second and the first price.", algorithms,
               {{"surplus", "surplus", "%.1f"}, {"spent", "spent", "%.1f"}, {"value", "value", "%.1f"}});
  out += table("Slots",
               "Slots of a page, all bidding their values. Gain: the most that one could have had by another bid.",
               slots, {{"revenue", "revenue", "%.4f"}, {"largest_gain", "gain by a lie", "%.4f"}});
  return out + "</section>\n";
}

struct ReportFlags {
  std::vector<std::string> results;
  std::string out;
};

std::string section_of(const std::string& path, const Watch& watch) {
  const TextInput input(path);
  Json json = parse_json(input.file().text, path.c_str(), watch);
  const JsonGuard guard(json);
  const text::JsonField root(json, path + ": results");
  if (!root.is_object()) root.expected("what `puna ads simulate ... --json` prints");
  const text::JsonField algorithms = root["algorithms"];
  if (!algorithms.is_array() || algorithms.size() == 0) root.expected("what `puna ads simulate ... --json` prints");
  if (!root["slots"].is_null()) return auction_section(algorithms, root["slots"]);
  if (!algorithms[size_t(0)]["value_over_oracle"].is_null()) return pacing_section(algorithms);
  if (!algorithms[size_t(0)]["clicks_over_oracle"].is_null()) return choice_section(algorithms);
  algorithms[size_t(0)].expected("an algorithm of `puna ads simulate pacing`, `choice` or `auction`");
}

void run_report(const ReportFlags& f) {
  std::string html = kHead;
  stoppable([&](const Watch& watch) {
    for (const std::string& path : f.results) html += section_of(path, watch);
  });
  html += "</main>\n</body>\n</html>\n";
  write_text(f.out, html);
}

}  // namespace

void add_ads_report(const Verb& ads) {
  const auto f = std::make_shared<ReportFlags>();
  const Verb verb(ads, "report", "Simulated days and choices as one HTML page with plots; it asks nobody for anything");
  verb.option("RESULTS", f->results, "files with what `puna ads simulate ... --json` printed; - is standard input")
      .required();
  verb.output("-o,--out", f->out, "the page").required();
  verb.run([f] { run_report(*f); });
}

}  // namespace puna::cli
