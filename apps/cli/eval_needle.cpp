// puna eval needle: numbers at every depth of texts of several lengths, found or not.
#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "common.h"
#include "eval.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/eval/needle.h"

namespace puna::cli {
namespace {

struct NeedleFlags {
  ModelFlags model;
  SessionFlags session;
  eval::NeedleOptions options;
  std::string file, lengths, kind = "single";
  bool json = false;
};

eval::NeedleKind needle_kind(const std::string& name) {
  const std::vector<std::string> names = {"single", "multi-key", "multi-value", "multi-query"};
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return eval::NeedleKind(i);
  fail(Status::invalid_argument, "--kind is '%s', expected single, multi-key, multi-value or multi-query%s",
       shown(name).c_str(), did_you_mean(name, names).c_str());
}

std::vector<int64_t> numbers_of(const std::string& list) {
  std::vector<int64_t> all;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    int64_t n = 0;
    const auto read = std::from_chars(list.data() + at, list.data() + end, n);
    if (read.ec != std::errc() || read.ptr != list.data() + end || n < 1)
      fail(Status::invalid_argument, "--lengths: '%s' is no length, expected as in 1024,2048",
           shown(list.substr(at, end - at)).c_str());
    if (std::find(all.begin(), all.end(), n) != all.end())
      fail(Status::invalid_argument, "--lengths has %jd twice: each is a column of its own", intmax_t(n));
    all.push_back(n);
    at = end + 1;
  }
  return all;
}

// A row a depth, a column a length: the share of the numbers found, and "*" where each token was the likeliest.
std::string grid_of(const std::vector<eval::NeedleCell>& cells, const eval::NeedleOptions& o) {
  std::string text = "depth %";
  char cell[64];
  for (const int64_t length : o.lengths) {
    snprintf(cell, sizeof cell, "%18jd", intmax_t(length));
    text += cell;
  }
  const size_t rows = size_t(o.depths);
  for (size_t d = 0; d < rows; ++d) {
    snprintf(cell, sizeof cell, "\n%7.1f", 100 * cells[d].depth);
    text += cell;
    for (size_t l = 0; l < o.lengths.size(); ++l) {
      const eval::NeedleCell& c = cells[l * rows + d];
      snprintf(cell, sizeof cell, "   %5.2f %7.2f%s", c.score, c.log_likelihood, c.greedy ? " *" : "  ");
      text += cell;
    }
  }
  text += "\n   mean";
  for (size_t l = 0; l < o.lengths.size(); ++l) {
    double score = 0, ll = 0;
    for (size_t d = 0; d < rows; ++d) {
      score += cells[l * rows + d].score / double(rows);
      ll += cells[l * rows + d].log_likelihood / double(rows);
    }
    snprintf(cell, sizeof cell, "   %5.2f %7.2f  ", score, ll);
    text += cell;
  }
  std::string trimmed;
  for (const char c : text + "\n") {
    if (c == '\n') trimmed.resize(trimmed.find_last_not_of(' ') + 1);
    trimmed += c;
  }
  return trimmed;
}

void run_needle(NeedleFlags& f) {
  eval::NeedleOptions& o = f.options;
  o.kind = needle_kind(f.kind);
  o.lengths = numbers_of(f.lengths);
  o.session = f.session.read();
  const std::string text = read_input(f.file);
  const ModelPtr model = f.model.open();
  std::vector<eval::NeedleCell> cells;
  {
    const Interrupt interrupt;
    ProgressBar bar("needles");
    uint64_t done = 0;
    cells = eval::find_needles(model, text, o, [&](const eval::NeedleCell&) {
      bar.update(++done, uint64_t(o.depths) * o.lengths.size());
      return !interrupt.requested();
    });
  }
  if (!f.json) {
    print(grid_of(cells, o));
    return;
  }
  OrderedJson all = OrderedJson::array();
  for (const eval::NeedleCell& c : cells)
    all.push_back({{"length", c.length},
                   {"tokens", c.tokens},
                   {"depth", c.depth},
                   {"score", c.score},
                   {"log_likelihood", c.log_likelihood},
                   {"greedy", c.greedy},
                   {"answer", c.answer}});
  print(json_text(all) + "\n");
}

}  // namespace

void add_eval_needle(const Verb& eval_group) {
  const auto f = std::make_shared<NeedleFlags>();
  const Verb verb(eval_group, "needle", "Whether numbers are found at every depth of long texts");
  f->model.add(verb);
  verb.option("--file", f->file,
              "the haystack: a text of sentences, repeated where it is too short; - is standard input")
      .required();
  verb.option("--lengths", f->lengths, "tokens of the prompts, as in 1024,2048").required();
  verb.option("--depths", f->options.depths, "how many, from 0 to 100 % (default 40)").within(1, 1000);
  verb.option("--kind", f->kind,
              "single (default); multi-key: others beside it; multi-value: several numbers of one key; multi-query: "
              "several keys");
  verb.option("--needles", f->options.needles, "of the multi kinds (default 4)")
      .within(1, 64)
      .read_when([f] { return f->kind != "single"; }, "with --kind multi-key, multi-value or multi-query");
  verb.option("--seed", f->options.seed, "of keys, numbers and places (default 1234)");
  f->session.add(verb);
  verb.flag("--json", f->json, "print JSON instead of a grid");
  verb.run([f] { run_needle(*f); });
}

}  // namespace puna::cli
