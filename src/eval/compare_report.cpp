// compare_report.cpp -- a comparison as text and as JSON.
#include <cmath>

#include "base/format.h"
#include "base/json_out.h"
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

std::string json_of(const Interval& i) { return JsonList().add(json_real(i.low)).add(json_real(i.high)).str(); }
std::string json_of(const MeanEstimate& e) {
  return JsonObject().real("mean", e.mean).real("error", e.error).json("interval", json_of(e.interval)).str();
}

std::string json_of(const Difference& d) {
  JsonObject j;
  j.text("task", d.task)
      .text("metric", d.metric)
      .text("filter", d.filter)
      .text("a", d.a)
      .text("b", d.b)
      .integer("items", d.mean.items)
      .integer("clusters", d.mean.clusters)
      .json("score_a", json_of(d.mean_a))
      .json("score_b", json_of(d.mean_b))
      .json("difference", json_of(d.mean))
      .real("p", d.mean.p)
      .real("p_holm", d.p_holm)
      .json("bootstrap", json_of(d.bootstrap));
  if (d.share_a) j.json("wilson_a", json_of(*d.share_a));
  if (d.share_b) j.json("wilson_b", json_of(*d.share_b));
  if (d.discordant)
    j.json("mcnemar", JsonObject()
                          .integer("only_a", d.discordant->only_a)
                          .integer("only_b", d.discordant->only_b)
                          .real("p", d.discordant->p)
                          .str());
  return j.real("correlation", d.correlation)
      .real("detectable", d.detectable)
      .real("items_needed", d.items_needed)  // infinite, so null, where no number of items finds a difference of 0
      .integer("missing_a", d.missing_a)
      .integer("missing_b", d.missing_b)
      .integer("both", d.both)
      .text("verdict", name_of(d.verdict))
      .text("sentence", d.sentence)
      .str();
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
  std::string need =
      d.mean.error == 0 ? "they answered alike, so more items of this kind would not tell either"
                        : "each is better as often as the other, so that no number of such items would tell them apart";
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
  JsonList differences;
  for (const Difference& d : comparison.differences) differences.add(json_of(d));
  const JsonObject bootstrap =
      JsonObject().integer("draws", options.bootstrap.draws).json("seed", std::to_string(options.bootstrap.seed));
  return JsonObject()
      .real("level", options.level)
      .json("bootstrap", bootstrap.str())
      .json("differences", differences.str())
      .json("notes", json_strings(comparison.notes))
      .str();
}

}  // namespace puna::eval
