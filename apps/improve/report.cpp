#include "report.h"

#include "base/format.h"

namespace puna::improve {
namespace {

using eval::Difference;
using eval::Verdict;

std::string p_text(double p) { return p < 1e-4 ? format("%.1e", p) : format("%.4f", p); }

std::string table(const std::vector<Difference>& differences, const std::string& task) {
  std::string text =
      "| labels | items | before | after | difference | 95 % interval | p (Holm) |\n|---|---|---|---|---|---|---|\n";
  for (const Difference& d : differences)
    if (d.task == task)
      text += format("| %s | %jd | %.4f | %.4f | %+.4f | %+.4f to %+.4f | %s |\n", d.b.c_str(), intmax_t(d.mean.items),
                     d.mean_a.mean, d.mean_b.mean, d.mean.mean, d.mean.interval.low, d.mean.interval.high,
                     p_text(d.p_holm).c_str());
  return text;
}

}  // namespace

std::string regression_sentence(const Difference& d, double tolerance) {
  const std::string numbers =
      format("%+.4f, interval %+.4f to %+.4f", d.mean.mean, d.mean.interval.low, d.mean.interval.high);
  if (d.verdict == Verdict::worse) return d.b + " has lost on the regression set: " + numbers;
  if (d.mean.interval.low >= -tolerance)
    return d.b + " has lost nothing on the regression set beyond " + format("%.3f", tolerance) + ": " + numbers;
  return "cannot tell whether " + d.b + " has lost on the regression set: " + numbers +
         format(", so a loss of %.4f is not excluded", -d.mean.interval.low);
}

std::string arm_sentence(const Difference& d) {
  const std::string numbers = format("%.4f against %.4f, difference %+.4f, interval %+.4f to %+.4f", d.mean_b.mean,
                                     d.mean_a.mean, d.mean.mean, d.mean.interval.low, d.mean.interval.high);
  if (d.verdict == Verdict::better) return d.b + " is better than " + d.a + ": " + numbers;
  if (d.verdict == Verdict::worse) return d.b + " does not reach " + d.a + ": " + numbers;
  if (d.mean.mean >= 0) return d.b + " reaches " + d.a + " (no difference can be told): " + numbers;
  return d.b + " stays below " + d.a + ", by less than these items can tell: " + numbers;
}

std::string report_text(const Facts& f, const std::vector<Round>& rounds, const eval::Comparison& c,
                        const eval::Comparison& arms) {
  std::string text = "# What the labels gained\n\n";
  text += format("Model %s, %s on labels of %s (%jd items).\n", f.model.c_str(),
                 f.method == "dpo" ? "preferences (DPO)" : "supervised fine-tuning", f.pool.c_str(),
                 intmax_t(f.pool_items));
  text += format(
      "Left out before anything was labelled: %jd duplicates, %jd that say nearly the same as a test item, "
      "%jd with 13 words in a row of one.\n\n",
      intmax_t(f.duplicates), intmax_t(f.near_tests), intmax_t(f.in_tests));
  text += "| labels | learned from | undecided | steps | loss | seconds |\n|---|---|---|---|---|---|\n";
  for (const Round& r : rounds)
    text += format("| %s | %jd | %jd | %jd | %.3f to %.3f | %.0f |\n", r.name.c_str(), intmax_t(r.labels),
                   intmax_t(r.undecided), intmax_t(r.steps), r.first_loss, r.last_loss, r.seconds);
  text += "\n## Held-out items: " + f.held_out + "\n\n" + table(c.differences, "held-out") + "\n";
  int64_t better = 0, all = 0;
  for (const Difference& d : c.differences)
    if (d.task == "held-out") {
      text += "- " + d.sentence + "\n";
      ++all;
      better += d.verdict == Verdict::better;
    }
  text += format("\n%jd of %jd are better on held-out items at 5 %%.\n", intmax_t(better), intmax_t(all));
  if (!f.regression.empty()) {
    text += "\n## Regression set: " + f.regression + "\n\n" + table(c.differences, "regression") + "\n";
    for (const Difference& d : c.differences)
      if (d.task == "regression") text += "- " + regression_sentence(d, f.tolerance) + "\n";
  } else {
    text += "\nThere was no regression set: what else the model lost is not known.\n";
  }
  if (!arms.differences.empty()) {
    text += "\n## Ways to choose, over all seeds\n\n";
    for (const Difference& d : arms.differences) text += "- " + arm_sentence(d) + "\n";
  }
  for (const std::string& note : c.notes) text += "\nnote: " + note + "\n";
  return text;
}

}  // namespace puna::improve
