// task_files.h -- tasks by name or from files, with what they include, and the files of their data.
#pragma once
#include <string>
#include <vector>

#include "puna/eval/task.h"

namespace puna::cli {

// "arc_easy" (one of ours), or a file: YAML, or JSON where it ends in .json. Whole: finish_task() was called.
eval::Task load_task(const std::string& name, const Watch& watch);

// The rows of a split. `data`: a file for the split that is evaluated, or a folder in which the task's files lie; "" =
// where the task says, beside its own file (ours: in the current folder).
std::vector<std::string> load_split(const eval::Task& task, const std::string& split, const std::string& data,
                                    const Watch& watch);

}  // namespace puna::cli
