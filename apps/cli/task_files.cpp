#include "task_files.h"

#include <algorithm>

#include "base/file_kind.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/shown.h"
#include "builtin_tasks.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "puna/base/error.h"
#include "task_yaml.h"

namespace puna::cli {
namespace {

constexpr uint64_t kLargestTask = 1 << 20, kLargestData = uint64_t(4) << 30;
constexpr int kMostIncludes = 8;  // within one another

const BuiltinTask* find_builtin(const std::string& name) {
  for (const BuiltinTask& t : kBuiltinTasks)
    if (name == t.name || name == std::string(t.name) + ".yaml") return &t;
  return nullptr;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == path.npos ? "" : path.substr(0, slash + 1);
}

bool is_absolute(const std::string& path) {
  return path.starts_with('/') || path.starts_with('\\') || (path.size() > 1 && path[1] == ':');
}

// What it includes first, then itself. `builtin`: its includes are ours as well.
void read_with_includes(eval::Task& task, const std::string& path, bool builtin, int depth, const Watch& watch) {
  if (depth > kMostIncludes)
    fail(Status::bad_file, "%s: more than %d files that include one another", path.c_str(), kMostIncludes);
  const BuiltinTask* const ours = builtin ? find_builtin(path) : nullptr;
  if (builtin && !ours) fail(Status::bad_file, "%s: no task of ours has this name", path.c_str());
  const std::string text = ours ? std::string(ours->yaml) : os::read_file(path, kLargestTask);
  require_text_file(text, path, "a task in YAML or JSON");
  const std::string json = path.ends_with(".json") ? text : yaml_to_json(text, path);
  std::vector<std::string> includes;
  io::each_row(json, path, watch, [&](const io::Place& place, std::string_view object) {
    const std::string_view include = io::member(object, "include", watch);
    const auto add = [&](std::string_view one) {
      if (!io::is_string(one)) place.refuse("\"include\" is %s, expected a file", io::kind_of(one));
      includes.push_back(io::text_of(one, watch));
    };
    if (io::is_array(include))
      io::each_element(include, watch, add);
    else if (!include.empty())
      add(include);
  });
  for (const std::string& file : includes)
    read_with_includes(task, builtin || is_absolute(file) ? file : folder_of(path) + file, builtin, depth + 1, watch);
  eval::read_task(task, json, path, watch);
}

}  // namespace

eval::Task load_task(const std::string& name, const Watch& watch) {
  eval::Task task;
  const bool builtin = find_builtin(name) != nullptr;
  if (!builtin && !os::is_file(name)) {
    std::vector<std::string> names;
    std::string all;
    for (const BuiltinTask& t : kBuiltinTasks) {
      names.emplace_back(t.name);
      all += (all.empty() ? "" : ", ") + std::string(t.name);
    }
    fail(Status::invalid_argument, "there is no task '%s': neither a file nor one of %s%s", shown(name).c_str(),
         all.c_str(), did_you_mean(name, names).c_str());
  }
  read_with_includes(task, name, builtin, 0, watch);
  eval::finish_task(task);
  return task;
}

std::vector<std::string> load_split(const eval::Task& task, const std::string& split, const std::string& data,
                                    const Watch& watch) {
  const bool evaluated = split == task.evaluated_split();
  std::string path;
  if (!data.empty() && evaluated && !os::is_directory(data)) {
    path = data;
  } else {
    const auto found = task.data_files.find(split.empty() ? "train" : split);
    if (found == task.data_files.end()) {
      const bool elsewhere = task.data_files.empty() && !task.dataset_path.empty() && task.dataset_path != "json";
      fail(Status::invalid_argument, "'%s' has no file of the split '%s'%s%s", shown(task.name).c_str(),
           shown(split).c_str(),
           elsewhere ? (": its data, '" + shown(task.dataset_path) + "', is not fetched").c_str() : "",
           evaluated ? "; give one with --data FILE" : "");
    }
    path = found->second;
    if (!data.empty() && os::is_directory(data))
      path = data + "/" + path.substr(path.find_last_of("/\\") + 1);
    else if (!is_absolute(path) && !find_builtin(task.file))
      path = folder_of(task.file) + path;
  }
  if (!os::is_file(path))
    fail(Status::io, "%s is not there: the data of '%s' (split '%s'); --data says where they are, a file or a folder",
         path.c_str(), shown(task.name).c_str(), shown(split).c_str());
  return eval::read_documents(os::read_file(path, kLargestData), path, watch);
}

}  // namespace puna::cli
