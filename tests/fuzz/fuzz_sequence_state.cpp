// fuzz_sequence_state.cpp -- any bytes as the checkpoint of a sequence model's training: an Error and a run that is as before, or a run that goes on and
// whose own checkpoint is read again.
#include "expect_error.h"
#include "recommender_runs.h"
#include "scratch_folder.h"
#include "with_run.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static test::SequenceRun run;
  static const std::string name = [] {
    run.trainer.save(folder / "own");
    return test::run_named_in(folder.read("own"));
  }();
  const std::string path = folder.write("checkpoint", test::with_text_replaced(std::string(test::text_of(data, size)), test::kRunMark, name));
  const int64_t before = run.trainer.done_steps();
  if (!test::expect_error_only([&] { run.trainer.resume(path); })) {
    test::require(run.trainer.done_steps() == before);
    return 0;
  }
  for (int i = 0; i < 3 && run.trainer.done_steps() < run.trainer.total_steps(); ++i) run.trainer.step();  // over the end of an epoch
  run.trainer.save(folder / "again");
  const std::string again = folder.read("again");
  if (!test::expect_error_only([&] { run.trainer.resume(folder / "again"); })) return 0;  // it counted to the end of what may be counted
  run.trainer.save(folder / "again");
  test::require(folder.read("again") == again);
  return 0;
}
