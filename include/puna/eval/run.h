// run.h -- what a model scored, item by item: the input of a comparison. Read from
//   what `puna eval run` wrote, NAME.json or NAME.jsonl;
//   lm-evaluation-harness' samples_<task>_<date>.jsonl (--log_samples), one file or a folder of them;
//   JSON lines of answers: {"item", "score"}, or {"item", "answer", "target"}, which are equal (1) or not (0), with
//   "task", "filter", "cluster", "data_hash", "prompt_hash" and "target_hash" where there are any.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/base/watch.h"

namespace puna::eval {

struct ScoredItem {
  std::string item;      // its name or number, unique in the task
  double score = 0;      // of the metric
  bool missing = false;  // there was no answer: it counts as wrong
  std::string cluster;   // "" = its own
  // Of what the model was asked, "" where the file does not say. A comparison wants them equal.
  std::string data_hash, prompt_hash, target_hash;
  int64_t line = 0;  // of the file
};

struct TaskRun {
  std::string task, metric, filter;  // filter: how answers were cut out of texts; "none"
  std::string file;
  std::vector<ScoredItem> items;
  std::vector<std::string> metrics;  // that the file has
};

struct Run {
  std::string name;  // as it was given
  std::vector<TaskRun> tasks;
  std::vector<std::string> notes;  // sentences: what was left out, and why
};

struct RunOptions {
  std::string metric;   // "" = the first of the file
  std::string filter;   // "" = the only one; with several it has to be said which
  std::string cluster;  // a field of a line or of its "doc" (a.b goes deeper); "" = "cluster", where lines have it
};

// Error{bad_file} with the line and column of what is wrong, {invalid_argument} for a metric or filter that is not
// there, naming those that are.
Run read_run(const std::string& path, const RunOptions& options, const Watch& watch = Watch());
// One file's bytes. `task`: of lines that do not name theirs.
Run read_run_text(std::string_view bytes, const std::string& file, const std::string& task, const RunOptions& options,
                  const Watch& watch = Watch());
// "samples_arc_easy_2026-01-02T03-04-05.678.jsonl" -> "arc_easy"; of other names the file's without its ending.
std::string task_of_file(const std::string& path);

}  // namespace puna::eval
