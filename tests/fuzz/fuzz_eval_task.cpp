// fuzz_eval_task.cpp -- any bytes as a task of YAML: an Error that names the file, or a task that is whole.
#include "expect_error.h"
#include "puna/eval/task.h"
#include "scratch_folder.h"
#include "target.h"
#include "task_yaml.h"

FUZZ_TARGET(eval_task) {
  using namespace puna;
  const std::string_view bytes = test::text_of(data, size);
  for (const bool is_json : {false, true})
    test::expect_error_only([&] {
      const std::string json = is_json ? std::string(bytes) : cli::yaml_to_json(bytes, "task.yaml");
      eval::Task task;
      eval::read_task(task, json, "task.yaml");
      eval::finish_task(task);
      test::require(!task.name.empty() && !task.filters.empty() && !task.metrics.empty());
      test::require(task.repeats == 1 || task.do_sample);
    });
  return 0;
}
