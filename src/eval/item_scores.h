// item_scores.h -- one item's answers to numbers, as lm-evaluation-harness 0.4.13 has them (ConfigurableTask.
// process_results, filters, exact_match).
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "puna/eval/evaluation.h"

namespace puna::eval {

struct ChoiceScores {
  double acc = 0, acc_norm = 0, acc_bytes = 0, exact_match = 0;
  std::optional<double> brier;  // of an item with one right choice
  double confidence = 0;        // max softmax(ll / length): what the calibration error looks at
  double margin = 0;            // ll / length of the best right choice less that of the best wrong one
  int64_t chosen = 0;           // by ll
};
ChoiceScores score_choices(std::span<const double> lls, const std::vector<bool>& greedy,
                           const std::vector<std::string>& choices, std::span<const int64_t> gold);

// The answers of an item through a chain of filters; what is left is the first.
std::string filtered(const FilterChain& chain, std::vector<std::string> answers, const TextPatterns* patterns);
// Against the targets, the best of them.
double exact_match(const MetricRule& rule, const std::string& answer, const std::vector<std::string>& targets,
                   const TextPatterns* patterns);
// SQuAD's: of words, without case, ASCII punctuation and articles. arXiv:1606.05250
double token_f1(const std::string& answer, const std::vector<std::string>& targets);

// len(re.split(r"\s+", text)).
int64_t count_words(std::string_view text);

}  // namespace puna::eval
