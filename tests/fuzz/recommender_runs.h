// recommender_runs.h -- for the fuzz targets of recommenders' files, and for the maker of their seeds: a small sequence
// model with a trainer, and a small ranker that learns from an event log in memory.
#pragma once
#include <algorithm>

#include "puna/recsys/online_learner.h"
#include "puna/recsys/sequence_trainer.h"
#include "tiny_model.h"

namespace puna::test {

inline std::shared_ptr<recsys::SequenceModel> small_sequence_model(recsys::SequenceKind kind) {
  recsys::SequenceConfig c;
  c.kind = kind;
  c.items = 5;
  c.max_sequence = 4;
  c.output_slots = 1;
  c.dim = 2;
  c.blocks = 1;
  c.qk_dim = c.v_dim = c.ffn = 2;
  auto model = recsys::SequenceModel::create(tiny_context(), c, 1);
  model->set_item_names(recsys::Names(std::vector<std::string>{"a", "b b", "c,", "\xC3\xA9", "e"}, "item"));
  return model;
}

struct SequenceRun {
  std::shared_ptr<recsys::SequenceModel> model = small_sequence_model(recsys::SequenceKind::hstu);
  recsys::SequenceTrainer trainer{model, options()};

  SequenceRun() { trainer.learn({{{1, 10}, {2, 20}, {3, 30}}, {{4, 5}, {5, 6}}, {{2, 1}, {2, 2}}}); }

 private:
  static recsys::SequenceTrainerOptions options() {
    recsys::SequenceTrainerOptions o;
    o.epochs = 1000;
    o.users_per_step = 2;
    o.negatives = 4;
    return o;
  }
};

// Three events and no end of them: whatever number a state says it has learned, the log has as many.
class EndlessLog final : public recsys::EventLog {
 public:
  int64_t append(std::span<const recsys::LoggedEvent>, int64_t*) override { return last(); }
  int64_t read(std::vector<recsys::LoggedEvent>& to, int64_t after, int64_t most) override {
    const int64_t count = std::min<int64_t>({most, 3, last() - after});
    for (int64_t i = 0; i < count; ++i) {
      recsys::LoggedEvent e;
      e.surface = int32_t(i % 2);
      e.known = 3;
      e.ids = {{i}, {1, 2}};
      e.numbers = {0.5f};
      e.values = {float(i % 2), 0.25f};
      to.push_back(e);
    }
    return std::max<int64_t>(count, 0);
  }
  int64_t last() override { return INT64_MAX; }
};

inline recsys::RankerConfig small_ranker_config() {
  return recsys::ranker_config(
      R"({"surfaces": ["a", "b"], "tasks": [{"name": "click"}, {"name": "watched", "kind": "fraction"}],
    "features": [{"name": "user", "rows": 4, "hashed": true}, {"name": "genre", "rows": 3}], "numbers": ["age"], "hidden": [2], "dim": 2})");
}

// Goes on from what is in the folder.
inline recsys::OnlineLearner online_learner(const std::string& folder) {
  return {recsys::Ranker::create(tiny_context(), small_ranker_config(), 1), std::make_shared<EndlessLog>(), folder, {}};
}

}  // namespace puna::test
