// evaluation_html.cpp -- a run as one page: scores with their intervals, what it cost, and the items that went worst.
// Nothing comes from elsewhere, nothing runs, and no text of an item is markup.
#include <algorithm>
#include <numeric>

#include "base/format.h"
#include "eval/evaluation_impl.h"

namespace puna::eval {
namespace {

constexpr size_t kWorst = 40, kMostText = 1200;

const char kHead[] = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
%s
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>%s</title>
<style>
:root { color-scheme: light dark; --line: #8886; --bar: #3b7dd8; --faint: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.range { position: relative; height: 1rem; min-width: 8rem; background: var(--faint); }
.range i { position: absolute; height: 100%%; background: var(--bar); opacity: .45; }
.range b { position: absolute; width: 2px; height: 100%%; background: currentColor; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--faint); padding: .6rem; }
.right { font-weight: 600; }
</style></head><body>
)";

std::string escaped(std::string_view text) {
  std::string out;
  size_t end = std::min(text.size(), kMostText);
  while (end < text.size() && (text[end] & 0xC0) == 0x80) --end;  // between two characters
  for (const char c : text.substr(0, end)) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  return out + (end < text.size() ? " ..." : "");
}

// An interval of shares, on a line from 0 to 1.
std::string range(const MetricResult& m) {
  if (!m.interval || m.interval->low < 0 || m.interval->high > 1) return "";
  return format("<div class=\"range\"><i style=\"left:%.2f%%;width:%.2f%%\"></i><b style=\"left:%.2f%%\"></b></div>",
                100 * m.interval->low, 100 * (m.interval->high - m.interval->low), 100 * m.value);
}

}  // namespace

std::string Evaluation::html(const EvaluationResult& r, const RunFacts& f) const {
  const Impl& s = *impl_;
  s.require_complete();
  const std::string title = escaped(r.task) + ": " + escaped(f.model);
  std::string page = format(kHead, kPageMark, title.c_str());
  page += "<h1>" + title + "</h1>\n<table><thead><tr><th>metric<th>filter<th>value<th>+-<th>95 %<th></tr></thead>\n";
  for (const MetricResult& m : r.metrics) {
    page +=
        "<tr><td>" + escaped(m.metric) + "<td>" + escaped(m.filter) + format("<td class=n>%.4f<td class=n>", m.value);
    if (m.error) page += format("%.4f", *m.error);
    page += "<td class=n>";
    if (m.interval) page += format("%.4f to %.4f", m.interval->low, m.interval->high);
    page += "<td>" + range(m) + "</tr>\n";
  }
  page += "</table>\n<h2>What it took</h2>\n<table>\n";
  const auto row = [&](const char* what, const std::string& value) {
    page += "<tr><td>" + std::string(what) + "<td class=n>" + value + "</tr>\n";
  };
  row("items", std::to_string(r.items));
  row("requests", std::to_string(r.requests));
  row("examples before each", std::to_string(r.num_fewshot));
  row(f.restored > 0 ? "seconds, of all runs together" : "seconds", format("%.1f", f.seconds));
  row("items a second", format("%.2f", f.seconds > 0 ? double(r.items) / f.seconds : 0));
  row("peak memory, MB", format("%.0f", double(f.peak_bytes) / 1e6));
  row("model, MB", format("%.0f", double(f.model_bytes) / 1e6));
  row("threads", std::to_string(f.threads));
  if (f.restored > 0) row("answers of an earlier run", std::to_string(f.restored));
  page += "</table>\n";
  for (const std::string& n : r.notes) page += "<p>" + escaped(n) + "</p>\n";
  const FilterChain& chain = s.task.filters.front();
  std::vector<Impl::ItemResult> scores;
  for (const Impl::Item& item : s.items) scores.push_back(s.score(item, chain));
  std::vector<size_t> order(s.items.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a].margin < scores[b].margin; });
  order.resize(std::min(order.size(), kWorst));
  page += format("<h2>The %zu items that went worst</h2>\n", order.size());
  for (const size_t i : order) {
    const Impl::Item& item = s.items[i];
    page += format("<details><summary>item %jd, margin %.3f</summary>\n<pre>", item.number, scores[i].margin);
    page += escaped(item.context(0).empty() ? item.continuations[0] : item.context(0)) + "</pre>\n";
    if (s.task.output == OutputType::multiple_choice) {
      page += "<table>\n";
      for (size_t c = 0; c < item.choices.size(); ++c) {
        const bool right = std::find(item.gold.begin(), item.gold.end(), int64_t(c)) != item.gold.end();
        page += format("<tr><td%s>", right ? " class=right" : "") + escaped(item.choices[c]) +
                (right ? " (right)" : "") +
                format("<td class=n>%.3f</tr>\n", s.requests[item.first_request + c].score.log_likelihood);
      }
      page += "</table>\n";
    } else if (s.task.output == OutputType::generate_until) {
      page += "<p>Answer:</p><pre>" + escaped(scores[i].answer) + "</pre><p>Expected:</p><pre>" +
              escaped(s.targets(item).empty() ? "" : s.targets(item).front()) + "</pre>\n";
    }
    page += "</details>\n";
  }
  return page + "</body></html>\n";
}

}  // namespace puna::eval
