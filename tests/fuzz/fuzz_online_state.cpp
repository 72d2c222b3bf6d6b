// fuzz_online_state.cpp -- any bytes as the folder of a ranker that learns online: state.json up to the first zero byte
// and the checkpoint that it names behind it. An Error, or a learner that goes on, and again from what it leaves there.
#include "expect_error.h"
#include "recommender_runs.h"
#include "scratch_folder.h"
#include "target.h"
#include "with_run.h"

FUZZ_TARGET(online_state) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static const std::string name = [] {
    test::online_learner(folder.path());
    return test::run_named_in(folder.read("checkpoint-0.safetensors"));
  }();
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  folder.write("state.json", parts[0]);
  folder.write("checkpoint-0.safetensors", test::with_text_replaced(std::string(parts[1]), test::kRunMark, name));
  test::expect_error_only([&] {
    int64_t learned = 0;
    {
      recsys::OnlineLearner learner = test::online_learner(folder.path());
      learned = learner.report().learned + learner.learn(4);
      learner.checkpoint();
      test::require(learner.report().learned == learned);
    }
    recsys::OnlineLearner again = test::online_learner(folder.path());
    test::require(again.report().learned == learned);
  });
  return 0;
}
