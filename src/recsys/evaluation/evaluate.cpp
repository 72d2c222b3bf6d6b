#include "puna/recsys/evaluate.h"

#include <algorithm>
#include <cmath>

#include "base/det_math.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"

namespace puna::recsys {
namespace {

constexpr size_t kUsersAtOnce = 256;

// 1 + the items before the target; 0 when the user has seen it, or the model does not know it.
int64_t rank_of(std::span<const float> scores, const Event& target, std::span<const Event> seen,
                std::vector<uint8_t>& mark) {
  if (target.item == 0) return 0;
  for (const Event& e : seen) mark[size_t(e.item)] = 1;
  int64_t rank = mark[size_t(target.item)] ? 0 : 1;
  const float at = scores[size_t(target.item)];
  if (rank != 0)
    for (size_t i = 1; i < scores.size(); ++i) rank += scores[i] >= at && !mark[i] && i != size_t(target.item);
  for (const Event& e : seen) mark[size_t(e.item)] = 0;
  return rank;
}

void require_finite(std::span<const float> scores, const std::string& user, const Interactions& all) {
  for (size_t i = 1; i < scores.size(); ++i)
    PUNA_REQUIRE(std::isfinite(scores[i]), "user '%.64s': the score of item '%.64s' is not finite", user.c_str(),
                 all.items[i].c_str());
}

std::vector<int64_t> popularity(const Interactions& all) {
  std::vector<int64_t> count(all.items.size());
  for (const auto& h : without_last(all))
    for (const Event& e : h) ++count[size_t(e.item)];
  return count;
}

struct Judged {
  int64_t rank, popularity;
  bool known;  // the target, to the model
};

std::vector<double> by_decile(std::vector<Judged> judged) {
  std::stable_sort(judged.begin(), judged.end(),
                   [](const Judged& a, const Judged& b) { return a.popularity < b.popularity; });
  std::vector<double> share;
  for (size_t d = 0; d < 10; ++d) {
    const size_t first = judged.size() * d / 10, last = judged.size() * (d + 1) / 10;
    const auto hits = std::count_if(judged.begin() + int64_t(first), judged.begin() + int64_t(last),
                                    [](const Judged& j) { return j.rank >= 1 && j.rank <= 10; });
    share.push_back(last > first ? double(hits) / double(last - first) : 0);
  }
  return share;
}

RankingReport summary(const std::vector<Judged>& judged) {
  RankingReport r;
  r.users = int64_t(judged.size());
  const double each = 1.0 / double(std::max<size_t>(1, judged.size()));
  double squares = 0;
  for (const Judged& j : judged) {
    r.ranks.push_back(j.rank);
    if (j.rank == 0) {
      ++(j.known ? r.seen_targets : r.unknown_targets);
      continue;
    }
    const double gain = 0.6931471805599453 / det::log(double(j.rank) + 1);  // 1 / log2(rank + 1)
    r.hr1 += j.rank <= 1 ? each : 0;
    r.hr10 += j.rank <= 10 ? each : 0;
    r.hr50 += j.rank <= 50 ? each : 0;
    r.hr200 += j.rank <= 200 ? each : 0;
    r.ndcg10 += j.rank <= 10 ? gain * each : 0;
    r.ndcg50 += j.rank <= 50 ? gain * each : 0;
    squares += j.rank <= 10 ? gain * gain * each : 0;
    r.mrr += each / double(j.rank);
  }
  r.ndcg10_error = std::sqrt(std::max(0.0, squares - r.ndcg10 * r.ndcg10) * each);
  r.hr10_by_decile = by_decile(judged);
  return r;
}

}  // namespace

RankingReport evaluate_ranking(const Interactions& all, const Scorer& scorer, int64_t window,
                               FunctionRef<bool()> should_stop) {
  PUNA_REQUIRE(window >= 1, "the window is %jd, expected at least 1", window);
  const size_t items = all.items.size();
  const std::vector<int64_t> popular = popularity(all);
  std::vector<size_t> users;
  for (size_t u = 0; u < all.histories.size(); ++u)
    if (all.histories[u].size() >= 2) users.push_back(u);
  PUNA_REQUIRE(!users.empty(),
               "there is nothing to evaluate: none of %zu users has two events, one to go by and one to find",
               all.histories.size());
  std::vector<float> scores(std::min(kUsersAtOnce, users.size()) * items);
  std::vector<uint8_t> mark(items);
  std::vector<Judged> judged;
  for (size_t first = 0; first < users.size(); first += kUsersAtOnce) {
    if (should_stop && should_stop()) fail(Status::cancelled, "the evaluation was cancelled");
    const size_t count = std::min(kUsersAtOnce, users.size() - first);
    std::vector<History> histories;
    for (size_t i = 0; i < count; ++i) {
      const std::vector<Event>& h = all.histories[users[first + i]];
      const std::span<const Event> before = std::span(h).first(h.size() - 1);
      histories.push_back({before.last(std::min(before.size(), size_t(window))), h.back().time});
    }
    scorer(histories, scores.data());
    for (size_t i = 0; i < count; ++i) {
      const std::span<const float> row(scores.data() + i * items, items);
      require_finite(row, all.users[users[first + i]], all);
      const Event target = all.histories[users[first + i]].back();
      judged.push_back(
          {rank_of(row, target, histories[i].events, mark), popular[size_t(target.item)], target.item != 0});
    }
  }
  return summary(judged);
}

Scorer scorer_of(std::shared_ptr<const SequenceModel> model) {
  return [model, unit = std::make_shared<const std::vector<float>>(model->unit_items())](std::span<const History> users,
                                                                                         float* scores) {
    const int64_t D = model->config().dim, items = model->config().items + 1;
    const std::vector<float> vectors = model->encode(users);
    model->context()->executor().run(int64_t(users.size()), [&](int64_t u) {
      const float* const row = unit->data();
      for (int64_t i = 0; i < items; ++i)
        scores[u * items + i] = model->context()->kernels().dot(vectors.data() + u * D, row + i * D, D);
    });
  };
}

}  // namespace puna::recsys
