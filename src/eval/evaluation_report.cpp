// evaluation_report.cpp -- a run for people, and for programs.
#include <cmath>

#include "base/format.h"
#include "base/json.h"
#include "base/shown.h"
#include "eval/evaluation_impl.h"

namespace puna::eval {
std::string Evaluation::text(const EvaluationResult& r, const RunFacts& f) const {
  std::string all = format("%s, %jd items, %jd-shot%s: %s\n", shown(r.task).c_str(), r.items, r.num_fewshot,
                           impl_->options.chat ? ", chat" : "", shown(f.model).c_str());
  for (const MetricResult& m : r.metrics) {
    const std::string name = m.metric + (m.filter == "none" ? "" : ", " + shown(m.filter));
    all += format("  %-16s %9.4f", name.c_str(), m.value);
    if (m.error) all += format(" +- %.4f", *m.error);
    if (m.interval) all += format("  [%.4f, %.4f]", m.interval->low, m.interval->high);
    all += "\n";
  }
  for (const std::string& n : r.notes) all += "note: " + n + "\n";
  return all;
}

std::string Evaluation::json(const EvaluationResult& r, const RunFacts& f) const {
  const Impl& s = *impl_;
  OrderedJson metrics = OrderedJson::array();
  for (const MetricResult& m : r.metrics) {
    OrderedJson one = {{"metric", m.metric}, {"filter", m.filter}, {"value", m.value}};
    if (m.error) one["error"] = *m.error;
    if (m.interval) one["interval"] = {m.interval->low, m.interval->high};
    metrics.push_back(std::move(one));
  }
  const OrderedJson all = {{"task", r.task},         {"model", f.model},           {"output_type", name(r.output)},
                           {"items", r.items},       {"requests", r.requests},     {"num_fewshot", r.num_fewshot},
                           {"chat", s.options.chat}, {"seed", s.options.seed},     {"metrics", std::move(metrics)},
                           {"notes", r.notes},       {"seconds", f.seconds},       {"load_seconds", f.load_seconds},
                           {"restored", f.restored}, {"peak_bytes", f.peak_bytes}, {"model_bytes", f.model_bytes},
                           {"threads", f.threads},   {"samples", f.samples}};
  return json_text(all) + "\n";
}

}  // namespace puna::eval
