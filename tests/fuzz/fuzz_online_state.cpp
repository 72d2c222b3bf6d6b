// fuzz_online_state.cpp -- any bytes as the folder of a ranker that learns online: state.json up to the first zero byte
// and the checkpoint that it names behind it. An Error, or a learner that goes on and scores, and whose own checkpoint
// goes on with the same bits.
#include <cstring>

#include "expect_error.h"
#include "recommender_runs.h"
#include "scratch_folder.h"
#include "target.h"
#include "with_run.h"

namespace {

using namespace puna;

// Empty when the ranker's weights are out of all proportion.
std::vector<float> scores_of(const recsys::OnlineLearner& learner) {
  const std::shared_ptr<const recsys::Ranker> ranker = learner.serving();
  recsys::ExampleSet set(ranker->config());
  const int64_t user[] = {2}, genres[] = {0, 1};
  const std::span<const int64_t> ids[] = {user, genres};
  const float age[] = {0.25f}, outcomes[] = {1, 0.5f};
  for (const int32_t surface : {0, 1}) set.add(surface, ids, age, outcomes, 3, 1);
  std::vector<float> scores;
  try {
    scores = ranker->score(set.examples());
    test::require(scores.size() == 4);
  } catch (const Error& e) {
    test::require(e.status() != Status::internal);
  }
  for (const float s : scores) test::require(s >= 0 && s <= 1);
  return scores;
}

}  // namespace

FUZZ_TARGET(online_state) {
  static const test::ScratchFolder folder;
  static const std::string name = [] {
    test::online_learner(folder.path());
    return test::run_named_in(folder.read("checkpoint-0.safetensors"));
  }();
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  folder.write("state.json", parts[0]);
  folder.write("checkpoint-0.safetensors", test::with_text_replaced(std::string(parts[1]), test::kRunMark, name));
  int64_t learned = 0;
  std::vector<float> scores;
  if (!test::expect_error_only([&] {
        recsys::OnlineLearner learner = test::online_learner(folder.path());
        scores_of(learner);
        learned = learner.report().learned + learner.learn(4);
        learner.publish();
        learner.checkpoint();
        test::require(learner.report().learned == learned);
        scores = scores_of(learner);
      }))
    return 0;
  if (learned > test::kMostCounted) return 0;
  const recsys::OnlineLearner again = test::online_learner(folder.path());  // what it wrote itself it reads
  test::require(again.report().learned == learned);
  test::require(scores_of(again) == scores);
  return 0;
}
