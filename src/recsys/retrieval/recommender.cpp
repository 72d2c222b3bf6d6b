#include "puna/recsys/recommender.h"

#include "puna/base/error.h"

namespace puna::recsys {
namespace {

std::shared_ptr<const SequenceModel> required(std::shared_ptr<const SequenceModel> model) {
  PUNA_REQUIRE(model != nullptr, "the model is NULL");
  return model;
}

}  // namespace

Recommender::Recommender(std::shared_ptr<const SequenceModel> model)
    : model_(required(std::move(model))), items_(model_->context(), model_->unit_items(), model_->config().dim) {}

std::vector<Hit> Recommender::recommend(UserState& user, int64_t query_time, const RecommendOptions& options) const {
  std::vector<uint64_t> allowed(size_t(model_->config().items / 64 + 1), ~uint64_t(0));
  if (options.allowed) std::copy_n(options.allowed, allowed.size(), allowed.begin());
  const auto remove = [&](int64_t item) { allowed[size_t(item / 64)] &= ~(uint64_t(1) << (item % 64)); };
  remove(0);
  if (!options.include_seen)
    for (const Event& e : user.events()) remove(e.item);
  return items_.search(user.encode(query_time), options.count, {allowed.data()}).front();
}

}  // namespace puna::recsys
