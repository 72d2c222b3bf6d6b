// fuzz_training_state.cpp -- any bytes as the checkpoint that --resume reads: see resume_from().
#include "target.h"
#include "training_run.h"
#include "with_run.h"

FUZZ_TARGET(training_state) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static test::TrainingRun run;
  test::resume_from(run.trainer, folder, test::text_of(data, size), [] {
    (void)run.trainer.evaluate(test::TrainingRun::sequences());
    SessionOptions options;
    options.adapter = run.adapter;
    Session session(run.model, options);
    test::expect_error_only([&] { session.append(std::vector<int32_t>{1, 2, 3}); });
  });
  return 0;
}
