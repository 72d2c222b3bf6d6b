// fuzz_eval_run.cpp -- any bytes as answers of a run: an Error, or scores that compare with themselves as equal.
#include "expect_error.h"
#include "puna/eval/compare.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(eval_run) {
  using namespace puna;
  const std::string_view bytes = test::text_of(data, size);
  for (const char* cluster : {"", "doc.passage"}) {
    test::expect_error_only([&] {
      eval::RunOptions options;
      options.cluster = cluster;
      const eval::Run run = eval::read_run_text(bytes, "run.jsonl", "task", options);
      test::require(!run.tasks.empty());
      eval::CompareOptions compare;
      compare.bootstrap.draws = 10;
      const eval::Comparison same = eval::compare_runs({run, run}, compare);
      for (const eval::Difference& d : same.differences)
        test::require(d.mean.mean == 0 && d.mean.p == 1 && d.verdict == eval::Verdict::cannot_tell);
      test::require(!eval::text_of(same, compare).empty() && !eval::json_of(same, compare).empty());
    });
  }
  return 0;
}
