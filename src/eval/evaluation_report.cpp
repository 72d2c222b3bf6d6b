// evaluation_report.cpp -- a run for people, and for programs.
#include <cmath>

#include "base/format.h"
#include "base/json_out.h"
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
  JsonList metrics;
  for (const MetricResult& m : r.metrics) {
    JsonObject one;
    one.text("metric", m.metric).text("filter", m.filter).real("value", m.value);
    if (m.error) one.real("error", *m.error);
    if (m.interval)
      one.json("interval", JsonList().add(json_real(m.interval->low)).add(json_real(m.interval->high)).str());
    metrics.add(one.str());
  }
  return JsonObject()
             .text("task", r.task)
             .text("model", f.model)
             .text("output_type", name(r.output))
             .integer("items", r.items)
             .integer("requests", r.requests)
             .integer("num_fewshot", r.num_fewshot)
             .flag("chat", s.options.chat)
             .json("seed", std::to_string(s.options.seed))
             .json("metrics", metrics.str())
             .json("notes", json_strings(r.notes))
             .real("seconds", f.seconds)
             .real("load_seconds", f.load_seconds)
             .integer("restored", f.restored)
             .json("peak_bytes", std::to_string(f.peak_bytes))
             .json("model_bytes", std::to_string(f.model_bytes))
             .integer("threads", f.threads)
             .text("samples", f.samples)
             .str() +
         "\n";
}

}  // namespace puna::eval
