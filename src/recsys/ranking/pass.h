// pass.h -- the loss of some examples, and its gradient: of the weights in their parameters, of the table in what its
// rows gave to each example, which is added up row by row when the table is changed.
#pragma once
#include "ops/dropout.h"
#include "puna/recsys/ranker.h"
#include "puna/train/parameters.h"
#include "recsys/ranking/rows.h"

namespace puna::recsys {

struct RankerLoss {
  double huber;
  double weight_sum;  // of all examples of the step: losses are means
};

struct TaskLoss {
  double sum = 0, weights = 0;  // over examples where the task is known, by their weights
};

// Row-wise Adagrad: with g the row's gradient, squares += mean(g^2), row -= rate g / (sqrt(squares) + epsilon)
struct TableStep {
  double rate, epsilon, decay;
  float* squares;  // [rows][2]: of embeddings, of first-order weights
};

class RankerPass {
 public:
  RankerPass(Ranker& ranker, const train::Parameters& parameters) : ranker_(ranker), parameters_(parameters) {}

  // For a step over all `rows`: memory for the table's gradient, and which rows it belongs to. What follows allocates
  // nothing for the table.
  void begin_step(const RankerRows& rows);
  // Examples [first, first + count): adds to their parameters' gradients. losses [tasks]; predicted [count][tasks] or
  // NULL.
  void learn(const RankerRows& rows, const float* numbers, const Outcomes& outcomes, int64_t first, int64_t count,
             const RankerLoss& loss, const Dropout& dropout, TaskLoss* losses, float* predicted,
             FunctionRef<bool()> should_stop);
  bool table_gradient_is_finite() const noexcept;
  void change_table(const TableStep& step);
  std::vector<float> table_gradient(int64_t row) const;  // of one row, [dim + tasks]

 private:
  // What the table's rows are named by: entries in the order of their rows, then of the examples.
  struct Entries {
    std::vector<int32_t> row, example, feature;
    std::vector<float> weight;
  };
  void sum(float* gradient, size_t from, size_t to) const noexcept;
  int64_t slope_row() const noexcept;

  Ranker& ranker_;
  const train::Parameters& parameters_;
  std::vector<float> slopes_;  // [examples][table embeddings + tasks]
  Entries entries_;
  Buffer scratch_;
};

}  // namespace puna::recsys
