// run_reader.cpp -- lines of answers to scores. A line is walked, never built as a tree: samples hold whole documents.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "puna/eval/run.h"
#include "puna/eval/statistics.h"
#include "puna/io/checkpoint.h"

namespace puna::eval {
namespace {

using io::Place;

// What a line of lm-evaluation-harness has beside its metrics, and what one of ours may have.
constexpr std::string_view kKnown[] = {"doc_id",         "doc",       "target",  "arguments", "resps",
                                       "filtered_resps", "filter",    "metrics", "doc_hash",  "prompt_hash",
                                       "target_hash",    "item",      "task",    "cluster",   "score",
                                       "answer",         "data_hash", "prompt",  "id"};

struct Line {
  std::map<std::string, std::string_view, std::less<>> members;

  std::string_view get(std::string_view key) const {
    const auto found = members.find(key);
    return found == members.end() || io::is_null(found->second) ? std::string_view() : found->second;
  }
  bool has(std::string_view key) const { return members.find(key) != members.end(); }
};

// A text or a whole number, as a name.
std::string name_of(const Place& place, const char* key, std::string_view value, const Watch& watch) {
  if (io::is_string(value)) return io::text_of(value, watch);
  if (value.empty() || io::is_object(value) || io::is_array(value) || value == "true" || value == "false")
    place.refuse("\"%s\" is %s, expected a text or a number", key, value.empty() ? "null" : io::kind_of(value));
  return std::string(value);
}

bool to_number(std::string_view value, double& number) {
  if (value == "true" || value == "false") {
    number = value == "true";
    return true;
  }
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && std::fabs(number) <= kLargestScore;
}

std::string listed(const std::vector<std::string>& names) {
  std::string all;
  for (size_t i = 0; i < names.size() && i < 12; ++i) all += (i ? ", '" : "'") + shown(names[i]) + "'";
  return all + (names.size() > 12 ? ", ..." : "");
}

class Reader {
 public:
  Reader(const std::string& file, const std::string& task, const RunOptions& options, const Watch& watch)
      : file_(file), task_(task), options_(options), watch_(watch) {}

  Run read(std::string_view bytes) {
    io::each_row(bytes, file_, watch_, [&](const Place& place, std::string_view object) { add(place, object); });
    Run run;
    run.name = file_;
    std::map<std::string, std::vector<std::string>> filters;  // of each task
    for (const auto& [key, task] : tasks_) filters[key.first].push_back(key.second);
    for (const auto& [task, names] : filters)
      if (options_.filter.empty() && names.size() > 1)
        fail(Status::invalid_argument,
             "%s: task '%s' has answers by the filters %s: expected --filter with one of them", file_.c_str(),
             shown(task).c_str(), listed(names).c_str());
    for (auto& [key, task] : tasks_)
      if (options_.filter.empty() || key.second == options_.filter) run.tasks.push_back(std::move(task.run));
    if (run.tasks.empty() && tasks_.empty()) fail(Status::bad_file, "%s: there is no answer in it", file_.c_str());
    if (run.tasks.empty()) {
      std::vector<std::string> names;
      for (const auto& [key, task] : tasks_) names.push_back(key.second);
      fail(Status::invalid_argument, "%s: there is no filter '%s', it has %s%s", file_.c_str(),
           shown(options_.filter).c_str(), listed(names).c_str(), did_you_mean(options_.filter, names).c_str());
    }
    for (const auto& [name, count] : unused_)
      run.notes.push_back(file_ + ": \"" + shown(name) + "\" is not read (" + std::to_string(count) + " lines)");
    return run;
  }

 private:
  struct Task {
    TaskRun run;
    std::unordered_map<std::string, int64_t> line_of;  // of each item
  };

  void add(const Place& place, std::string_view object) {
    Line line;
    io::each_member(object, watch_, [&](const std::string& key, std::string_view value) { line.members[key] = value; });
    ScoredItem item;
    item.line = place.line;
    for (const char* key : {"item", "doc_id", "id"})
      if (item.item.empty() && line.has(key)) item.item = name_of(place, key, line.get(key), watch_);
    if (item.item.empty()) place.refuse("\"item\" is missing (or \"doc_id\", or \"id\")");
    const std::string task = line.has("task") ? name_of(place, "task", line.get("task"), watch_) : task_;
    const std::string filter = line.has("filter") ? name_of(place, "filter", line.get("filter"), watch_) : "none";
    Task& to = tasks_[{task, filter}];
    const std::vector<std::string> metrics = metrics_of(place, line);
    note_unused(line, metrics);
    if (to.run.items.empty()) {
      to.run.task = task;
      to.run.filter = filter;
      to.run.file = file_;
      to.run.metrics = metrics;
      to.run.metric = options_.metric.empty() ? metrics.front() : options_.metric;
    }
    if (std::find(metrics.begin(), metrics.end(), to.run.metric) == metrics.end())
      fail(Status::invalid_argument, "%s: there is no metric '%s', it has %s%s", place.text().c_str(),
           shown(to.run.metric).c_str(), listed(metrics).c_str(), did_you_mean(to.run.metric, metrics).c_str());
    score(place, line, to.run.metric, item);
    const auto [before, is_new] = to.line_of.emplace(item.item, place.line);
    if (!is_new) place.refuse("item '%s' stands in line %jd already", shown(item.item).c_str(), before->second);
    hashes(place, line, item);
    item.cluster = cluster_of(place, line);
    to.run.items.push_back(std::move(item));
  }

  std::vector<std::string> metrics_of(const Place& place, const Line& line) const {
    std::vector<std::string> names;
    if (const std::string_view list = line.get("metrics"); !list.empty()) {
      if (!io::is_array(list)) place.refuse("\"metrics\" is %s, expected a list of names", io::kind_of(list));
      io::each_element(list, watch_, [&](std::string_view name) {
        if (!io::is_string(name)) place.refuse("\"metrics\" has %s, expected names", io::kind_of(name));
        names.push_back(io::text_of(name, watch_));
      });
    }
    if (names.empty() && line.has("score")) names.push_back("score");
    if (names.empty() && line.has("answer") && line.has("target")) names.push_back("exact_match");
    if (names.empty()) place.refuse("there is no score: expected \"score\", \"answer\" and \"target\", or \"metrics\"");
    return names;
  }

  void score(const Place& place, const Line& line, const std::string& metric, ScoredItem& item) const {
    if (metric == "exact_match" && !line.has(metric)) {
      const std::string_view answer = line.get("answer"), target = line.get("target");
      if (target.empty()) place.refuse("\"target\" is null");
      item.missing = answer.empty();
      item.score = !item.missing && trimmed(name_of(place, "answer", answer, watch_)) ==
                                        trimmed(name_of(place, "target", target, watch_));
      return;
    }
    if (!line.has(metric)) place.refuse("\"%s\" is missing", shown(metric).c_str());
    const std::string_view value = line.get(metric);
    item.missing = value.empty();
    if (!item.missing && !to_number(value, item.score))
      place.refuse("\"%s\" is %s, expected a number from %g to %g", shown(metric).c_str(),
                   io::is_string(value) || io::is_array(value) || io::is_object(value) ? io::kind_of(value)
                                                                                       : shown(value).c_str(),
                   -kLargestScore, kLargestScore);
  }

  static std::string trimmed(const std::string& text) {
    const size_t from = text.find_first_not_of(" \t\r\n");
    return from == text.npos ? "" : text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
  }

  void hashes(const Place& place, const Line& line, ScoredItem& item) const {
    const auto given = [&](const char* key) {
      return line.get(key).empty() ? std::string() : name_of(place, key, line.get(key), watch_);
    };
    item.data_hash = line.has("doc_hash") ? given("doc_hash") : given("data_hash");
    item.prompt_hash = given("prompt_hash");
    item.target_hash = given("target_hash");
    if (item.prompt_hash.empty() && line.has("prompt")) item.prompt_hash = hex_of(hash_of(line.get("prompt")));
    if (item.target_hash.empty() && line.has("target")) item.target_hash = hex_of(hash_of(line.get("target")));
  }

  std::string cluster_of(const Place& place, const Line& line) const {
    if (options_.cluster.empty())
      return line.get("cluster").empty() ? "" : name_of(place, "cluster", line.get("cluster"), watch_);
    std::string_view value = deeper(line.get("doc"));
    if (value.empty()) {
      const size_t dot = options_.cluster.find('.');
      value = line.get(std::string_view(options_.cluster).substr(0, dot));
      if (dot != options_.cluster.npos && io::is_object(value)) value = deeper(value, dot + 1);
    }
    if (value.empty()) place.refuse("there is no field '%s', by which items are clustered", options_.cluster.c_str());
    return name_of(place, options_.cluster.c_str(), value, watch_);
  }
  // The field a.b.c of an object, from the name at `at` of it on.
  std::string_view deeper(std::string_view value, size_t at = 0) const {
    while (io::is_object(value)) {
      const size_t dot = std::min(options_.cluster.find('.', at), options_.cluster.size());
      value = io::member(value, std::string_view(options_.cluster).substr(at, dot - at), watch_);
      if (dot == options_.cluster.size()) return value;
      at = dot + 1;
    }
    return {};
  }

  void note_unused(const Line& line, const std::vector<std::string>& metrics) {
    for (const auto& [key, value] : line.members) {
      const bool used = std::find(std::begin(kKnown), std::end(kKnown), key) != std::end(kKnown) ||
                        std::find(metrics.begin(), metrics.end(), key) != metrics.end() || key == options_.cluster;
      if (!used && (unused_.size() < 32 || unused_.count(key))) ++unused_[key];
    }
  }

  const std::string &file_, &task_;
  const RunOptions& options_;
  const Watch& watch_;
  std::map<std::pair<std::string, std::string>, Task> tasks_;  // by task and filter
  std::map<std::string, int64_t> unused_;
};

// The scores of `puna eval run` name the file of the items' scores, which lies beside them. "": it is no such file.
std::string samples_beside(const std::string& path, const Source& source, const Watch& watch) {
  std::string samples;
  int64_t rows = 0;
  io::each_row({reinterpret_cast<const char*>(source.data()), size_t(source.size())}, path, watch,
               [&](const Place&, std::string_view object) {
                 const std::string_view name = io::member(object, "samples", watch);
                 if (rows++ == 0 && io::is_string(name) && !io::member(object, "output_type", watch).empty())
                   samples = io::text_of(name, watch);
               });
  if (samples.empty() || rows != 1) return "";
  return path.substr(0, path.find_last_of("/\\") + 1) + samples;
}

Run read_file(const std::string& path, const RunOptions& options, const Watch& watch) {
  const SourcePtr source = open_path_source(path);
  if (path.ends_with(".json"))
    if (const std::string samples = samples_beside(path, *source, watch); !samples.empty())
      return read_file(samples, options, watch);
  return read_run_text({reinterpret_cast<const char*>(source->data()), size_t(source->size())}, path,
                       task_of_file(path), options, watch);
}

bool is_samples(const std::string& name) { return name.starts_with("samples_") && name.ends_with(".jsonl"); }

}  // namespace

std::string task_of_file(const std::string& path) {
  std::string name = path.substr(path.find_last_of("/\\") + 1);
  if (const size_t dot = name.rfind('.'); dot != name.npos && dot > 0) name.resize(dot);
  if (!name.starts_with("samples_")) return name;
  name.erase(0, 8);
  // _2026-01-02T03-04-05.678901
  const size_t date = name.rfind('_');
  const bool dated = date != name.npos && name.size() - date >= 20 && name[date + 5] == '-' && name[date + 11] == 'T';
  return dated ? name.substr(0, date) : name;
}

Run read_run_text(std::string_view bytes, const std::string& file, const std::string& task, const RunOptions& options,
                  const Watch& watch) {
  return Reader(file, task, options, watch).read(bytes);
}

Run read_run(const std::string& path, const RunOptions& options, const Watch& watch) {
  if (!os::is_directory(path)) return read_file(path, options, watch);
  std::map<std::string, std::string> newest;  // of each task; names end with their dates
  Run run;
  run.name = path;
  for (const std::string& name : os::list_folder(path)) {
    if (!is_samples(name)) continue;
    std::string& of_task = newest[task_of_file(name)];
    if (!of_task.empty()) run.notes.push_back(path + "/" + of_task + " is older than " + name + ": not read");
    of_task = name;
  }
  if (newest.empty()) fail(Status::invalid_argument, "%s: there are no samples_*.jsonl in this folder", path.c_str());
  for (const auto& [task, name] : newest) {
    Run one = read_file(path + "/" + name, options, watch);
    for (TaskRun& t : one.tasks) run.tasks.push_back(std::move(t));
    run.notes.insert(run.notes.end(), one.notes.begin(), one.notes.end());
  }
  return run;
}

}  // namespace puna::eval
