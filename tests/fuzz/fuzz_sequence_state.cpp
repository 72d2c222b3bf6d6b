// fuzz_sequence_state.cpp -- any bytes as the checkpoint of a sequence model's training: see resume_from().
#include "recommender_runs.h"
#include "target.h"
#include "with_run.h"

FUZZ_TARGET(sequence_state) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static test::SequenceRun run;
  test::resume_from(run.trainer, folder, test::text_of(data, size), [] {
    const recsys::Event events[] = {{1, 5}, {3, 7}};
    const recsys::History history{events, 9};
    test::require(run.model->encode({&history, 1}).size() == 2);
    test::require(run.model->unit_items().size() == 6 * 2);
  });
  return 0;
}
