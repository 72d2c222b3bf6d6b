// puna eval run: a task on a model. Every answer is written down as it comes, so that a run which is stopped or killed
// goes on where it was.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/format.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/os.h"
#include "base/shown.h"
#include "common.h"
#include "eval.h"
#include "interrupt.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "patterns.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/eval/evaluation.h"
#include "runtime/opening/fingerprint.h"
#include "task_files.h"

namespace puna::cli {
namespace {

constexpr uint64_t kLargestJournal = uint64_t(4) << 30;

struct RunFlags {
  ModelFlags model;
  SessionFlags session;
  eval::EvaluationOptions options;
  std::string task, data, out, items;
  int64_t shots = -1, rows = 128, ctx = 0;
  bool resume = false, unshared = false, json = false;
  std::optional<Option> parallel_option;
};

// How the files of a run begin.
constexpr auto is_scores = [](std::string_view begin) {
  return begin.starts_with("{\"task\":") && begin.find("\"output_type\":") != begin.npos;
};
constexpr auto is_samples = [](std::string_view begin) {  // lm-evaluation-harness writes a space behind the colon
  constexpr std::string_view kFirst = "{\"doc_id\":";
  return begin.starts_with(kFirst) && begin.size() > kFirst.size() && begin[kFirst.size()] >= '0' &&
         begin[kFirst.size()] <= '9';
};
constexpr auto is_page = [](std::string_view begin) { return begin.find(eval::kPageMark) != begin.npos; };

// Before the run: what would be refused at its end costs hours.
void require_own_names(const std::string& stem) {
  constexpr const char* kInstead = "give another --out";
  require_ours(stem + ".json", is_scores, kInstead);
  require_ours(stem + ".jsonl", is_samples, kInstead);
  require_ours(stem + ".html", is_page, kInstead);
}

// The answers as they come: a line that says of what, then a line an answer.
class Journal {
 public:
  // `about`: what the answers belong to. An unfinished one is taken up with `resume`, and never thrown away.
  Journal(const std::string& path, const std::string& about, bool resume, eval::Evaluation& run) : path_(path) {
    const std::string header = "{\"about\":" + puna::quoted(about) + "}\n";
    uint64_t keep = 0;
    require_ours(
        path, [&](std::string_view begin) { return is_journal(begin) || std::string_view(header).starts_with(begin); },
        "give another --out");
    if (os::is_file(path)) {
      std::string text = os::read_file(path, kLargestJournal);
      text.resize(text.rfind('\n') + 1);  // a line that a kill cut short is no answer
      const bool finished = text.ends_with(kEnd), has_answers = text.find('\n') + 1 < text.size();
      if (!resume && !finished && has_answers)
        fail(Status::invalid_argument,
             "%s has the answers of a run that was stopped: --resume goes on with them; delete the file to begin anew",
             path.c_str());
      if (resume && !text.empty()) keep = take_up(text, header, run);
    } else if (resume) {
      fail(Status::invalid_argument, "--resume: %s is not there: no run was stopped under this name", path.c_str());
    }
    keep_ = keep;
    if (keep == 0) header_ = header;
  }
  // The first line makes the file: a run that fails before it has an answer leaves nothing.
  void write(std::string line) {
    if (!file_) {
      file_ = std::make_unique<os::AppendedFile>(path_, keep_);
      line.insert(0, header_);
    }
    std::string why;
    if (file_->append(line.data(), line.size(), why) != line.size())
      fail(Status::io, "%s: cannot write: %s", path_.c_str(), why.c_str());
  }
  void end() {
    if (!ended_) write(std::string(kEnd));
    ended_ = true;
  }
  int64_t restored() const { return restored_; }
  double seconds() const { return seconds_; }  // that the runs before took together

 private:
  static bool is_journal(std::string_view begin) {
    return begin.starts_with("{\"about\":\"") && begin.find(", requests ") != begin.npos &&
           (begin.find('\n') != begin.npos || begin.size() == kLongestHeader);
  }
  static constexpr size_t kLongestHeader = 4096;
  static constexpr std::string_view kEnd = "{\"end\":true}\n";

  uint64_t take_up(const std::string& text, const std::string& header, eval::Evaluation& run) {
    if (!text.starts_with(header))
      fail(Status::invalid_argument,
           "%s: its answers are of another model, task, data or options, so this run cannot go on with them: it has %s",
           path_.c_str(), shown(text.substr(0, text.find('\n'))).c_str());
    io::each_row(text, path_, Watch(), [&](const io::Place& place, std::string_view object) {
      if (place.line == 1) return;
      if (io::member(object, "end", Watch()) == "true") {
        ended_ = true;
        return;
      }
      try {
        restored_ += run.restore(object);
        seconds_ = std::max(seconds_, seconds_in(object));
      } catch (const Error& e) {
        place.refuse("%s", e.what());
      }
    });
    return text.size();
  }
  static double seconds_in(std::string_view answer) {
    const std::string_view number = io::member(answer, "seconds", Watch());
    double seconds = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
    return error == std::errc() && std::isfinite(seconds) ? seconds : 0;
  }
  std::string path_, header_;  // header_: that is still to be written
  uint64_t keep_ = 0;
  std::unique_ptr<os::AppendedFile> file_;
  int64_t restored_ = 0;
  double seconds_ = 0;
  bool ended_ = false;
};

// "0,5,17-20"
std::vector<int64_t> item_list(const std::string& list) {
  std::vector<int64_t> all;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string part = list.substr(at, end - at);
    int64_t from = -1, to = -1;
    const char* const stop = part.data() + part.size();
    auto read = std::from_chars(part.data(), stop, from);
    to = from;
    if (read.ec == std::errc() && read.ptr != stop && *read.ptr == '-') read = std::from_chars(read.ptr + 1, stop, to);
    if (read.ec != std::errc() || read.ptr != stop || from < 0 || to < from || to - from > 10'000'000)
      fail(Status::invalid_argument, "--items: '%s' is no item and no range of items, expected as in 0,5,17-20",
           shown(part).c_str());
    for (int64_t n = from; n <= to; ++n) all.push_back(n);
    at = end + 1;
  }
  std::vector<int64_t> sorted = all;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end())
    fail(Status::invalid_argument, "--items has %jd twice: each item is asked once", intmax_t(*twice));
  return all;
}

std::string name_without_folder(const std::string& path) { return path.substr(path.find_last_of("/\\") + 1); }

std::string short_time(double seconds) {
  char text[40];
  if (seconds < 100)
    snprintf(text, sizeof text, "%.1f s", seconds);
  else
    snprintf(text, sizeof text, "%.1f min", seconds / 60);
  return text;
}

void run_eval(RunFlags& f) {
  eval::EvaluationOptions o = f.options;
  o.items = item_list(f.items);
  if (f.shots >= 0) o.num_fewshot = f.shots;
  if (o.date.empty()) o.date = today();
  o.share = !f.unshared;
  const auto patterns = make_patterns();
  o.patterns = patterns.get();
  std::vector<std::string> items, shots;
  eval::Task task = stoppable([&](const Watch& watch) {
    eval::Task t = load_task(f.task, watch);
    items = load_split(t, t.evaluated_split(), f.data, watch);
    if (o.num_fewshot.value_or(t.num_fewshot) > 0) shots = load_split(t, t.shots_split(), f.data, watch);
    return t;
  });
  if (task.output != eval::OutputType::generate_until && f.parallel_option->given())
    fprintf(stderr, "puna: note: --parallel is not read: '%s' generates no texts\n", printable(task.name).c_str());
  const std::string stem = f.out.empty() ? task.name + "." + name_without_folder(f.model.path) : f.out;
  require_own_names(stem);
  const ModelPtr model = f.model.open();
  o.session = f.session.read();
  o.session.prefill_chunk = f.rows;
  o.session.max_positions = f.ctx;
  o.session.adapter = f.model.open_adapter(*model);
  const std::string name = task.name;
  eval::RunFacts facts;
  const auto run = stoppable([&](const Watch& watch) {
    return std::make_unique<eval::Evaluation>(model, std::move(task), std::move(items), std::move(shots), o, watch);
  });
  facts.model = name_without_folder(f.model.path) + (f.model.adapter.empty() ? "" : " + " + f.model.adapter);
  const std::string about = name + " on " + facts.model + ", model " + hex_of(fingerprint(model->llama())) +
                            ", requests " + hex_of(run->fingerprint());
  Journal journal(stem + ".answers", about, f.resume, *run);
  facts.restored = journal.restored();
  ContinuationWork work;
  const double start = seconds_now();
  {
    const Interrupt interrupt;
    ProgressBar bar(name);
    const auto on_answer = [&](const std::string& answer) {
      // With the seconds of all runs so far: a run that is killed has no later moment to write them.
      journal.write(answer.substr(0, answer.size() - 1) +
                    format(",\"seconds\":%.3f}\n", journal.seconds() + seconds_now() - start));
      bar.update(uint64_t(run->answered()), uint64_t(run->requests()), "", uint64_t(facts.restored));
      return !interrupt.requested();
    };
    try {
      work = run->run(on_answer, [&] { return interrupt.requested(); });
    } catch (const Error& e) {
      if (e.status() != Status::cancelled) throw;
      bar.wipe();
      fail(Status::cancelled, "stopped: %jd of %jd requests are answered in %s.answers; --resume goes on",
           run->answered(), run->requests(), stem.c_str());
    }
  }
  const double seconds = seconds_now() - start;
  facts.seconds = journal.seconds() + seconds;
  facts.load_seconds = model->load_seconds();
  facts.peak_bytes = peak_rss_bytes();
  facts.model_bytes = os::is_file(f.model.path) ? os::file_stamp(f.model.path).bytes : 0;
  facts.threads = f.model.threads > 0 ? f.model.threads : os::cpu_count();
  facts.samples = name_without_folder(stem) + ".jsonl";
  const eval::EvaluationResult result = run->result();
  write_text(stem + ".jsonl", run->samples());
  write_text(stem + ".html", run->html(result, facts));
  const std::string json = run->json(result, facts);
  write_text(stem + ".json", json);
  journal.end();
  print(f.json ? json : run->text(result, facts));
  fprintf(stderr, "puna: %jd requests in %s", run->requests() - facts.restored, short_time(seconds).c_str());
  if (facts.restored > 0) fprintf(stderr, ", %jd were there", intmax_t(facts.restored));
  if (work.rows > 0)
    fprintf(stderr, "; %jd of %jd tokens computed in %jd passes", intmax_t(work.rows), intmax_t(work.tokens),
            intmax_t(work.passes));
  fprintf(stderr, "; peak %.0f MB; %s.json, .jsonl, .html\n", double(facts.peak_bytes) / 1e6, stem.c_str());
}

}  // namespace

void add_eval_run(const Verb& eval_group) {
  const auto f = std::make_shared<RunFlags>();
  const Verb verb(eval_group, "run", "Score a model on a task");
  verb.option("TASK", f->task,
              "a task of lm-evaluation-harness: a YAML or JSON file, or one of ours: arc_easy, arc_challenge")
      .required();
  f->model.add(verb);
  f->model.add_adapter(verb);
  verb.option("--data", f->data, "the items, a line of JSON each: a file, or the folder of the task's files");
  verb.output("--out", f->out,
              "the files' name (default TASK.MODEL): NAME.json, NAME.jsonl with a line an item, NAME.html, and "
              "NAME.answers while it runs",
              {".json", ".jsonl", ".html", ".answers"});
  verb.flag("--resume", f->resume, "go on with the answers of a run that was stopped");
  const Option limit = verb.option("--limit", f->options.limit, "the first so many items (default 0 = all)");
  limit.at_least(0);
  verb.option("--items", f->items, "these items alone, by their place in the file: 0,5,17-20").excludes(limit);
  verb.option("--shots", f->shots, "examples before each item (default: the task's)").within(0, 1000);
  verb.flag("--chat", f->options.chat, "ask by the model's chat template");
  const auto chats = [f] { return f->options.chat; };
  verb.flag("--multiturn", f->options.multiturn, "with --chat: examples are turns of their own")
      .read_when(chats, "with --chat");
  verb.option("--system", f->options.system, "with --chat: a system message").read_when(chats, "with --chat");
  verb.option("--date", f->options.date, "with --chat: what templates are told, YYYY-MM-DD (default: today)")
      .read_when(chats, "with --chat");
  verb.option("--seed", f->options.seed, "of the draw of examples, and of sampled answers (default 1234)");
  verb.option("--cluster", f->options.cluster, "a field of the items: those with one value count as one draw");
  f->parallel_option =
      verb.option("--parallel", f->options.parallel, "texts generated at once (default 8)").within(1, 1024);
  verb.option("--ctx", f->ctx, "positions at most (default: the model's)").at_least(0);
  verb.option("--rows", f->rows, "rows a pass (default 128; same bits)").within(1, 1 << 16);
  verb.flag("--unshared", f->unshared, "compute every request whole, to see what sharing saves (same bits)");
  f->session.add(verb);
  verb.flag("--json", f->json, "print JSON instead of text");
  verb.run([f] { run_eval(*f); });
}

}  // namespace puna::cli
