#include "puna/label/answers.h"

#include <algorithm>
#include <numeric>

#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::label {

int64_t Answers::count_gold() const { return int64_t(gold.size()) - std::count(gold.begin(), gold.end(), kUnknown); }
int64_t Answers::count_truth() const {
  return int64_t(truth.size()) - std::count(truth.begin(), truth.end(), kUnknown);
}

int32_t AnswersBuilder::Index::of(std::string_view name) {
  if (const auto found = number_.find(name); found != number_.end()) return found->second;
  if (names.size() >= INT32_MAX) fail(Status::unsupported, "more than %d names", INT32_MAX);
  names.emplace_back(name);
  return number_.emplace(std::string(name), int32_t(names.size()) - 1).first->second;
}

void AnswersBuilder::Index::forget_from(size_t count) noexcept {
  for (; names.size() > count; names.pop_back()) number_.erase(names.back());
}

template <class Work>
void AnswersBuilder::all_or_nothing(Work&& work) {
  const size_t items = items_.names.size(), workers = workers_.names.size(), labels = labels_.names.size();
  try {
    work();
  } catch (...) {
    items_.forget_from(items);
    workers_.forget_from(workers);
    labels_.forget_from(labels);
    throw;
  }
}

void AnswersBuilder::add(std::string_view item, std::string_view worker, std::string_view label) {
  all_or_nothing([&] { answers_.push_back({items_.of(item), workers_.of(worker), labels_.of(label)}); });
}
void AnswersBuilder::item(std::string_view item) {
  all_or_nothing([&] { items_.of(item); });
}
void AnswersBuilder::label(std::string_view label) {
  all_or_nothing([&] { labels_.of(label); });
}
void AnswersBuilder::gold(std::string_view item, std::string_view label) { note(gold_, "gold", item, label); }
void AnswersBuilder::truth(std::string_view item, std::string_view label) { note(truth_, "truth", item, label); }

void AnswersBuilder::note(std::vector<int32_t>& to, const char* what, std::string_view item, std::string_view label) {
  all_or_nothing([&] {
    const auto i = size_t(items_.of(item));
    const int32_t l = labels_.of(label);
    if (to.size() <= i) to.resize(i + 1, kUnknown);
    if (to[i] != kUnknown && to[i] != l)
      fail(Status::invalid_argument, "item '%s' has two labels as its %s: '%s' and '%s'", shown(item).c_str(), what,
           shown(labels_.names[size_t(to[i])]).c_str(), shown(label).c_str());
    to[i] = l;
  });
}

Answers AnswersBuilder::finish() {
  Answers a;
  const size_t labels = labels_.names.size(), items = items_.names.size();
  std::vector<int32_t> order(labels), rank(labels);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int32_t x, int32_t y) { return labels_.names[size_t(x)] < labels_.names[size_t(y)]; });
  for (size_t i = 0; i < labels; ++i) {
    rank[size_t(order[i])] = int32_t(i);
    a.labels.push_back(labels_.names[size_t(order[i])]);
  }
  std::stable_sort(answers_.begin(), answers_.end(), [](const Answer& x, const Answer& y) { return x.item < y.item; });
  for (Answer& x : answers_) x.label = rank[size_t(x.label)];
  std::vector<int32_t> workers;  // of one item
  for (size_t i = 0; i < answers_.size();) {
    workers.clear();
    const size_t from = i;
    for (; i < answers_.size() && answers_[i].item == answers_[from].item; ++i) workers.push_back(answers_[i].worker);
    std::sort(workers.begin(), workers.end());
    a.repeated += int64_t(workers.size()) - (std::unique(workers.begin(), workers.end()) - workers.begin());
  }
  for (std::vector<int32_t>* known : {&gold_, &truth_}) {
    known->resize(items, kUnknown);
    for (int32_t& l : *known)
      if (l != kUnknown) l = rank[size_t(l)];
  }
  a.items = std::move(items_.names);
  a.workers = std::move(workers_.names);
  a.answers = std::move(answers_);
  a.gold = std::move(gold_);
  a.truth = std::move(truth_);
  return a;
}

}  // namespace puna::label
