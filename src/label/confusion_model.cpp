// confusion_model.cpp -- an iteration is one walk over the answers, block by block: scores of the items of a block from
// the logarithms of the matrices, their softmax, and the counts for the next matrices. Matrices are stored as
// [worker, answered, true], so that an answer reads and writes one contiguous row.
#include "label/confusion_model.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/det_math.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna::label {
namespace {

constexpr double kTiny = 1e-12;     // inside logarithms
constexpr double kSmallest = -700;  // exp of less is 0 to us
constexpr size_t kBlock = 128;      // items

// From expected counts to probabilities, both [worker, answered, true].
class Fit {
 public:
  virtual ~Fit() = default;
  virtual void fit(std::vector<double>& matrices, const std::vector<double>& counts) = 0;
};

class FreeFit final : public Fit {  // Dawid-Skene
 public:
  FreeFit(size_t classes, double smoothing) : K_(classes), smoothing_(smoothing) {}
  void fit(std::vector<double>& matrices, const std::vector<double>& counts) override {
    for (size_t w = 0; w < counts.size(); w += K_ * K_)
      for (size_t t = 0; t < K_; ++t) {
        double sum = 0;
        for (size_t l = 0; l < K_; ++l) sum += smoothing_ + counts[w + l * K_ + t];
        for (size_t l = 0; l < K_; ++l)
          matrices[w + l * K_ + t] = sum > 0 ? (smoothing_ + counts[w + l * K_ + t]) / sum : 1 / double(K_);
      }
  }

 private:
  size_t K_;
  double smoothing_;
};

class OneCoinFit final : public Fit {
 public:
  OneCoinFit(size_t classes, double smoothing) : K_(classes), smoothing_(smoothing) {}
  void fit(std::vector<double>& matrices, const std::vector<double>& counts) override {
    for (size_t w = 0; w < counts.size(); w += K_ * K_) {
      double right = smoothing_, all = smoothing_ * double(K_);
      for (size_t l = 0; l < K_; ++l)
        for (size_t t = 0; t < K_; ++t) {
          all += counts[w + l * K_ + t];
          if (l == t) right += counts[w + l * K_ + t];
        }
      const double p = all > 0 ? right / all : 1 / double(K_);
      for (size_t l = 0; l < K_; ++l)
        for (size_t t = 0; t < K_; ++t) matrices[w + l * K_ + t] = l == t ? p : (1 - p) / double(K_ - 1);
    }
  }

 private:
  size_t K_;
  double smoothing_;
};

// P(answer l | true t) = know [l = t] + (1 - know) guess[l]; the shares of the labels are learned too, where the paper
// takes them for equal. Of the answers that are right, some were guesses: the
// expected number of each follows from the last know and guess.
class MaceFit final : public Fit {
 public:
  MaceFit(size_t classes, size_t workers, double smoothing, uint64_t seed, uint64_t restart)
      : K_(classes), smoothing_(smoothing), know_(workers), guess_(workers * classes) {
    const auto uniform = [&](uint64_t at) { return (double(philox(seed, at, restart).word[0]) + 0.5) / 4294967296.0; };
    for (size_t w = 0; w < workers; ++w) {
      know_[w] = 0.5 + 0.5 * uniform(w * (classes + 1));  // workers who guess more often than not would swap labels
      double sum = 0;
      for (size_t l = 0; l < K_; ++l) sum += guess_[w * K_ + l] = uniform(w * (classes + 1) + 1 + l);
      for (size_t l = 0; l < K_; ++l) guess_[w * K_ + l] /= sum;
    }
  }
  void start(std::vector<double>& matrices) const {
    for (size_t w = 0; w < know_.size(); ++w)
      for (size_t l = 0; l < K_; ++l)
        for (size_t t = 0; t < K_; ++t)
          matrices[(w * K_ + l) * K_ + t] = (l == t ? know_[w] : 0) + (1 - know_[w]) * guess_[w * K_ + l];
  }
  void fit(std::vector<double>& matrices, const std::vector<double>& counts) override {
    for (size_t w = 0; w < know_.size(); ++w) {
      double knew = smoothing_, guessed = smoothing_, guesses = 0;
      for (size_t l = 0; l < K_; ++l) {
        const double* const row = &counts[(w * K_ + l) * K_];
        double wrong = 0;
        for (size_t t = 0; t < K_; ++t) wrong += t == l ? 0 : row[t];
        const double known = know_[w] / (know_[w] + (1 - know_[w]) * guess_[w * K_ + l] + kTiny);
        knew += row[l] * known;
        guessed += row[l] * (1 - known) + wrong;
        guess_[w * K_ + l] = smoothing_ + row[l] * (1 - known) + wrong;
        guesses += guess_[w * K_ + l];
      }
      know_[w] = knew + guessed > 0 ? knew / (knew + guessed) : 0.5;
      for (size_t l = 0; l < K_; ++l) guess_[w * K_ + l] = guesses > 0 ? guess_[w * K_ + l] / guesses : 1 / double(K_);
    }
    start(matrices);
  }

 private:
  size_t K_;
  double smoothing_;
  std::vector<double> know_, guess_;
};

class Em {
 public:
  Em(const Answers& a, const Watch& watch) : a_(a), watch_(watch), K_(a.labels.size()) {
    first_.assign(a.items.size() + 1, 0);
    for (const Answer& x : a.answers) ++first_[size_t(x.item) + 1];
    for (size_t i = 0; i < a.items.size(); ++i) first_[i + 1] += first_[i];
    const size_t cells = a.workers.size() * K_ * K_;
    logs_.resize(cells);
    counts_.resize(cells);
    matrices_.resize(cells);
    scores_.resize(kBlock * K_);
  }

  // Leaves matrices, posteriors, likelihood in `r`.
  void run(Fit& fit, bool from_matrices, const InferOptions& o, Inference& r) {
    if (!from_matrices) {
      r.posterior = vote_shares(a_);
      count_given(r.posterior);
      fit.fit(matrices_, counts_);
    }
    r.iterations = 0;
    r.converged = false;
    while (r.iterations < o.iterations && !r.converged) {
      set_logs(r.posterior);
      std::fill(counts_.begin(), counts_.end(), 0.0);
      const double change = K_ == 2 ? step<2>(r.posterior) : K_ == 4 ? step<4>(r.posterior) : step<0>(r.posterior);
      ++r.iterations;
      r.converged = change < o.tolerance;
      if (r.iterations < o.iterations && !r.converged) fit.fit(matrices_, counts_);
    }
    r.log_likelihood = log_likelihood();
  }
  std::vector<double>& matrices() { return matrices_; }
  const std::vector<double>& counts() const { return counts_; }

 private:
  bool answered(size_t i) const { return first_[i] < first_[i + 1]; }
  bool counts_item(size_t i) const { return answered(i) || a_.gold[i] != kUnknown; }

  void count_given(const std::vector<double>& posterior) {
    std::fill(counts_.begin(), counts_.end(), 0.0);
    for (const Answer& x : a_.answers) {
      double* const row = &counts_[(size_t(x.worker) * K_ + size_t(x.label)) * K_];
      for (size_t t = 0; t < K_; ++t) row[t] += posterior[size_t(x.item) * K_ + t];
      watch_.tick();
    }
  }

  void set_logs(const std::vector<double>& posterior) {
    for (size_t i = 0; i < logs_.size(); ++i) logs_[i] = det::log(matrices_[i] + kTiny);
    watch_.tick(logs_.size() / 64);
    prior_.assign(K_, 0);
    double items = 0;
    for (size_t i = 0; i < a_.items.size(); ++i) {
      if (!counts_item(i)) continue;
      for (size_t t = 0; t < K_; ++t) prior_[t] += posterior[i * K_ + t];
      ++items;
    }
    for (double& p : prior_) p = det::log(p / items + kTiny);
  }

  // Posteriors and counts of the next matrices; the largest change of a posterior. N: classes, 0 = known at run time.
  template <size_t N>
  double step(std::vector<double>& posterior) {
    const size_t K = N ? N : K_;
    double change = 0;
    for (size_t from = 0; from < a_.items.size(); from += kBlock) {
      const size_t to = std::min(a_.items.size(), from + kBlock);
      for (size_t i = from; i < to; ++i) {
        double* const s = &scores_[(i - from) * K];
        for (size_t t = 0; t < K; ++t) s[t] = prior_[t];
        for (size_t n = first_[i]; n < first_[i + 1]; ++n) {
          const Answer& x = a_.answers[n];
          const double* const row = &logs_[(size_t(x.worker) * K + size_t(x.label)) * K];
          for (size_t t = 0; t < K; ++t) s[t] += row[t];
        }
        double most = s[0];
        for (size_t t = 1; t < K; ++t) most = std::max(most, s[t]);
        for (size_t t = 0; t < K; ++t) s[t] = std::max(s[t] - most, kSmallest);
      }
      det::exp(scores_.data(), scores_.data(), int64_t((to - from) * K));
      for (size_t i = from; i < to; ++i) {
        double* const p = &posterior[i * K];
        if (a_.gold[i] == kUnknown && answered(i)) {
          const double* const s = &scores_[(i - from) * K];
          double sum = 0;
          for (size_t t = 0; t < K; ++t) sum += s[t];
          for (size_t t = 0; t < K; ++t) {
            const double now = s[t] / sum;
            change = std::max(change, std::fabs(now - p[t]));
            p[t] = now;
          }
        }
        for (size_t n = first_[i]; n < first_[i + 1]; ++n) {
          const Answer& x = a_.answers[n];
          double* const row = &counts_[(size_t(x.worker) * K + size_t(x.label)) * K];
          for (size_t t = 0; t < K; ++t) row[t] += p[t];
        }
      }
      watch_.tick(2 + (first_[to] - first_[from]) * K / 64);
    }
    return change;
  }

  // Of the answers under the last step's matrices: ln sum over t of prior and rows; of a gold item, its t alone.
  double log_likelihood() const {
    double all = 0;
    std::vector<double> s(K_);
    for (size_t i = 0; i < a_.items.size(); ++i) {
      if (!answered(i)) continue;
      s = prior_;
      for (size_t n = first_[i]; n < first_[i + 1]; ++n) {
        const Answer& x = a_.answers[n];
        for (size_t t = 0; t < K_; ++t) s[t] += logs_[(size_t(x.worker) * K_ + size_t(x.label)) * K_ + t];
      }
      if (a_.gold[i] != kUnknown) {
        all += s[size_t(a_.gold[i])];
        continue;
      }
      const double most = *std::max_element(s.begin(), s.end());
      double sum = 0;
      for (const double v : s) sum += det::exp(v - most);
      all += most + det::log(sum);
    }
    return all;
  }

  const Answers& a_;
  const Watch& watch_;
  const size_t K_;
  std::vector<size_t> first_;  // of every item's answers
  std::vector<double> matrices_, logs_, counts_, prior_, scores_;
};

}  // namespace

std::vector<double> vote_shares(const Answers& a) {
  const size_t K = a.labels.size();
  std::vector<double> shares(a.items.size() * K);
  for (const Answer& x : a.answers) shares[size_t(x.item) * K + size_t(x.label)] += 1;
  for (size_t i = 0; i < a.items.size(); ++i) {
    double* const p = &shares[i * K];
    double sum = 0;
    for (size_t t = 0; t < K; ++t) sum += p[t];
    for (size_t t = 0; t < K && sum > 0; ++t) p[t] /= sum;
    if (a.gold[i] == kUnknown) continue;
    std::fill(p, p + K, 0.0);
    p[size_t(a.gold[i])] = 1;
  }
  return shares;
}

void infer_by_confusion(const Answers& a, const InferOptions& o, Inference& r, const Watch& watch) {
  const size_t K = a.labels.size();
  Em em(a, watch);
  std::vector<double> matrices;
  if (o.method == Method::mace) {
    Inference best;
    for (int64_t restart = 0; restart < o.restarts; ++restart) {
      Inference one;
      one.posterior = vote_shares(a);
      MaceFit fit(K, a.workers.size(), o.smoothing, o.seed, uint64_t(restart));
      fit.start(em.matrices());
      em.run(fit, true, o, one);
      if (restart > 0 && one.log_likelihood <= best.log_likelihood) continue;
      best = std::move(one);
      matrices = em.matrices();
    }
    best.classes = r.classes;
    r = std::move(best);
  } else {
    const std::unique_ptr<Fit> fit = o.method == Method::one_coin
                                         ? std::unique_ptr<Fit>(std::make_unique<OneCoinFit>(K, o.smoothing))
                                         : std::make_unique<FreeFit>(K, o.smoothing);
    em.run(*fit, false, o, r);
    matrices = em.matrices();
  }
  r.confusion.resize(matrices.size());  // to [worker, true, answered]
  for (size_t w = 0; w < a.workers.size(); ++w)
    for (size_t l = 0; l < K; ++l)
      for (size_t t = 0; t < K; ++t) r.confusion[(w * K + t) * K + l] = matrices[(w * K + l) * K + t];
}

}  // namespace puna::label
