// compare_report.cpp -- a comparison as text and as JSON.
#include <cmath>

#include "base/format.h"
#include "base/json.h"
#include "base/shown.h"
#include "eval/sentence.h"

namespace puna::eval {
namespace {

const char* name_of(Verdict v) {
  return v == Verdict::better ? "better" : v == Verdict::worse ? "worse" : "cannot tell";
}

std::string p_text(double p) { return p < 1e-4 ? format("%.1e", p) : format("%.4f", p); }

// "12,345,678": whole numbers that people read.
std::string grouped(double number) {
  std::string digits = format("%.0f", number);
  for (int64_t at = int64_t(digits.size()) - 3; at > 0; at -= 3) digits.insert(size_t(at), ",");
  return digits;
}

std::string score_line(const char* who, const std::string& run, const MeanEstimate& e,
                       const std::optional<Interval>& share) {
  const Interval& i = share ? *share : e.interval;
  return format("  %s  %.4f +- %.4f  [%.4f, %.4f]%s  ", who, e.mean, e.error, i.low, i.high, share ? " Wilson" : "") +
         shown(run) + "\n";
}

OrderedJson json_of(const Interval& i) { return {i.low, i.high}; }
OrderedJson json_of(const MeanEstimate& e) {
  return {{"mean", e.mean}, {"error", e.error}, {"interval", json_of(e.interval)}};
}

}  // namespace

std::string sentence_of(const Difference& d, const CompareOptions& options) {
  const std::string b = shown(d.b), a = shown(d.a), task = shown(d.task);
  const int percent = int(std::lround(100 * options.level));
  std::string numbers = format("%+.4f, %d %% interval %+.4f to %+.4f, p = %s", d.mean.mean, percent,
                               d.mean.interval.low, d.mean.interval.high, p_text(d.p_holm).c_str());
  if (d.both < d.mean.items)
    numbers += format("; only %s of %s items have an answer in both, what is missing counts as wrong",
                      grouped(double(d.both)).c_str(), grouped(double(d.mean.items)).c_str());
  if (d.verdict != Verdict::cannot_tell)
    return b + " is " + name_of(d.verdict) + " than " + a + " on " + task + " by " + shown(d.metric) + ": " + numbers;
  std::string need = "they answered alike, so more items of this kind would not tell either";
  if (d.mean.mean != 0 && !std::isfinite(d.items_needed))
    need = format("%s items find %.4f or more; no number of items would find a difference as small as this one",
                  grouped(double(d.mean.items)).c_str(), d.detectable);
  else if (d.mean.mean != 0)
    need = format("%s items find %.4f or more; for a difference as small as this one about %s would be needed",
                  grouped(double(d.mean.items)).c_str(), d.detectable, grouped(d.items_needed).c_str());
  return "cannot tell whether " + b + " is better or worse than " + a + " on " + task + " by " + shown(d.metric) +
         ": " + numbers + "; " + need;
}

std::string text_of(const Comparison& comparison, const CompareOptions& options) {
  std::string text;
  const int percent = int(std::lround(100 * options.level));
  for (const Difference& d : comparison.differences) {
    text += format("%s, %s", shown(d.task).c_str(), shown(d.metric).c_str());
    if (d.filter != "none") text += ", filter " + shown(d.filter);
    text += format(": %s items", grouped(double(d.mean.items)).c_str());
    if (d.mean.clusters != d.mean.items) text += format(" in %s clusters", grouped(double(d.mean.clusters)).c_str());
    text += "\n" + score_line("A", d.a, d.mean_a, d.share_a) + score_line("B", d.b, d.mean_b, d.share_b);
    if (d.missing_a + d.missing_b > 0)
      text += format("  missing answers, counted as wrong: %jd of A, %jd of B\n", d.missing_a, d.missing_b);
    text += format("  B - A    %+.4f +- %.4f  %d %% [%+.4f, %+.4f]  p = %s", d.mean.mean, d.mean.error, percent,
                   d.mean.interval.low, d.mean.interval.high, p_text(d.mean.p).c_str());
    if (comparison.differences.size() > 1) text += format("  (Holm: %s)", p_text(d.p_holm).c_str());
    text += format("\n  bootstrap      %d %% [%+.4f, %+.4f]  %s draws, seed %ju\n", percent, d.bootstrap.low,
                   d.bootstrap.high, grouped(double(options.bootstrap.draws)).c_str(), options.bootstrap.seed);
    if (d.discordant)
      text += format("  McNemar        A alone right on %jd, B alone on %jd  p = %s\n", d.discordant->only_a,
                     d.discordant->only_b, p_text(d.discordant->p).c_str());
    text += format("  detectable     %.4f or more, four times out of five (correlation %.3f)\n", d.detectable,
                   d.correlation);
    text += "  " + d.sentence + "\n";
  }
  for (const std::string& n : comparison.notes) text += "note: " + n + "\n";
  return text;
}

std::string json_of(const Comparison& comparison, const CompareOptions& options) {
  OrderedJson differences = OrderedJson::array();
  for (const Difference& d : comparison.differences) {
    OrderedJson j = {{"task", d.task},
                     {"metric", d.metric},
                     {"filter", d.filter},
                     {"a", d.a},
                     {"b", d.b},
                     {"items", d.mean.items},
                     {"clusters", d.mean.clusters},
                     {"score_a", json_of(d.mean_a)},
                     {"score_b", json_of(d.mean_b)},
                     {"difference", json_of(d.mean)},
                     {"p", d.mean.p},
                     {"p_holm", d.p_holm},
                     {"bootstrap", json_of(d.bootstrap)}};
    if (d.share_a) j["wilson_a"] = json_of(*d.share_a);
    if (d.share_b) j["wilson_b"] = json_of(*d.share_b);
    if (d.discordant)
      j["mcnemar"] = {{"only_a", d.discordant->only_a}, {"only_b", d.discordant->only_b}, {"p", d.discordant->p}};
    j["correlation"] = d.correlation;
    j["detectable"] = d.detectable;
    // JSON has no infinity: no number of items finds a difference of 0.
    j["items_needed"] = std::isfinite(d.items_needed) ? OrderedJson(d.items_needed) : OrderedJson(nullptr);
    j["missing_a"] = d.missing_a;
    j["missing_b"] = d.missing_b;
    j["both"] = d.both;
    j["verdict"] = name_of(d.verdict);
    j["sentence"] = d.sentence;
    differences.push_back(std::move(j));
  }
  const OrderedJson all = {{"level", options.level},
                           {"bootstrap", {{"draws", options.bootstrap.draws}, {"seed", options.bootstrap.seed}}},
                           {"differences", std::move(differences)},
                           {"notes", comparison.notes}};
  return json_text(all);
}

}  // namespace puna::eval
