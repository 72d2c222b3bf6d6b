// recommender.h -- a sequence model with its items indexed for search: next-item recommendations.
#pragma once
#include "puna/recsys/neighbours.h"
#include "puna/recsys/sequence_model.h"

namespace puna::recsys {

struct RecommendOptions {
  int64_t count = 10;
  bool include_seen = false;          // also what is among the user's events
  const uint64_t* allowed = nullptr;  // bit item % 64 of word item / 64; NULL: all items
};

// Immutable, shared by any number of users and threads. The model must not be in training.
class Recommender {
 public:
  // Without an index every item is looked at. With one, of model->unit_items(), those that a walk finds, ranked again
  // by their vectors.
  explicit Recommender(std::shared_ptr<const SequenceModel> model,
                       std::shared_ptr<const NeighbourIndex> index = nullptr);
  // The best items for what the user did, asked at query_time; scores are cosines. Best first, ties by the smaller id.
  std::vector<Hit> recommend(UserState& user, int64_t query_time, const RecommendOptions& options) const;
  const std::shared_ptr<const SequenceModel>& model() const noexcept { return model_; }

 private:
  std::vector<Hit> walk(std::span<const float> query, int64_t k, const ItemFilter& filter) const;

  std::shared_ptr<const SequenceModel> model_;
  std::shared_ptr<const NeighbourIndex> index_;
  std::unique_ptr<const VectorIndex> items_;  // unless there is an index
};

}  // namespace puna::recsys
