#include "puna/recsys/recommender.h"

#include "base/fp_env.h"
#include "kernels/kernel_table.h"
#include "ops/sequence_rows.h"
#include "puna/base/error.h"
#include "recsys/retrieval/best.h"
#include "recsys/sequence/weights.h"

namespace puna::recsys {
namespace {

std::shared_ptr<const SequenceModel> required(std::shared_ptr<const SequenceModel> model) {
  PUNA_REQUIRE(model != nullptr, "the model is NULL");
  return model;
}

}  // namespace

Recommender::Recommender(std::shared_ptr<const SequenceModel> model, std::shared_ptr<const NeighbourIndex> index)
    : model_(required(std::move(model))), index_(std::move(index)) {
  const SequenceConfig& c = model_->config();
  if (!index_) items_ = std::make_unique<VectorIndex>(model_->context(), model_->unit_items(), c.dim);
  PUNA_REQUIRE(!index_ || (index_->count() == c.items + 1 && index_->dim() == c.dim),
               "the index has %jd vectors of %jd, expected %jd of %jd", index_ ? index_->count() : 0,
               index_ ? index_->dim() : 0, c.items + 1, c.dim);
}

std::vector<Hit> Recommender::recommend(UserState& user, int64_t query_time, const RecommendOptions& options) const {
  std::vector<uint64_t> allowed(size_t(model_->config().items / 64 + 1), ~uint64_t(0));
  if (options.allowed) std::copy_n(options.allowed, allowed.size(), allowed.begin());
  const auto remove = [&](int64_t item) { allowed[size_t(item / 64)] &= ~(uint64_t(1) << (item % 64)); };
  remove(0);
  if (!options.include_seen)
    for (const Event& e : user.events()) remove(e.item);
  const std::vector<float> query = user.encode(query_time);
  if (!index_) return items_->search(query, options.count, {allowed.data()}).front();
  return walk(query, options.count, {allowed.data()});
}

// The codes' order is off by their rounding, so twice as many as are wanted are ranked again.
std::vector<Hit> Recommender::walk(std::span<const float> query, int64_t k, const ItemFilter& filter) const {
  constexpr int64_t kLeastWidth = 200;
  const std::vector<Hit> near = index_->search(query, 2 * k, std::max(kLeastWidth, 2 * k), filter).front();
  const FpEnv fp_env;
  const KernelTable& kernels = model_->context()->kernels();
  const int64_t D = model_->config().dim;
  std::vector<float> unit(static_cast<size_t>(D));
  Best<float> best(k, int64_t(near.size()));
  for (const Hit& h : near) {
    unit_row(kernels, unit.data(), model_->weights().items + h.item * D, D, kUnitEpsilon);
    best.add(kernels.dot(query.data(), unit.data(), D), h.item);
  }
  return best.sorted([](float score) { return score; });
}

}  // namespace puna::recsys
