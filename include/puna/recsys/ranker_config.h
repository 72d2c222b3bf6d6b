// ranker_config.h -- a ranker's features, tasks, surfaces and network. As JSON in files and for other languages:
//   {"surfaces": ["reels", "feed"], "tasks": [{"name": "like"}, {"name": "watched", "kind": "fraction",
//              "weight": 0.5}],
//    "features": [{"name": "user", "rows": 1000000, "hashed": true}, {"name": "genre", "rows": 19},
//                 {"name": "age", "rows": 20, "divide": 5}],
//    "numbers": ["hour", {"name": "price", "mean": 12.5, "scale": 4}],
//    "interaction": "cross", "dim": 16, "cross_layers": 3, "experts": 1, "hidden": [128, 64], "tower": []}
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace puna::recsys {

enum class TaskKind : int32_t { binary = 0, fraction = 1 };

struct Task {
  std::string name;
  TaskKind kind = TaskKind::binary;  // did it happen: cross-entropy. How much of it (watched): Huber's loss
  double weight = 1;                 // of its loss in the sum
  // Binary tasks: the share of negatives that training is shown. Predictions are corrected for it.
  double kept_negatives = 1;
};

struct Feature {
  std::string name;
  int64_t rows = 0;     // of its table
  bool hashed = false;  // any id, hashed to a row; else ids are 0 ... rows - 1
  double divide = 0;    // above 0: its names are numbers, and whole parts of number / divide share an id (Ranker::id)
};

// A number as callers give it; the network is given (number - mean) / scale, which should be of about size 1.
struct Number {
  std::string name;
  double mean = 0;
  double scale = 1;
  Number(const char* number) : name(number) {}
  Number(std::string number, double its_mean = 0, double its_scale = 1)
      : name(std::move(number)), mean(its_mean), scale(its_scale) {}
};

// What becomes of the embeddings before the hidden layers.
enum class Interaction : int32_t {
  linear = 0,  // nothing: logistic regression on the first-order weights
  // The sum of all pairs' elementwise products (arXiv:1708.05027; without hidden layers a factorisation machine).
  fm = 1,
  concat = 2,  // one behind the other: the shared bottom
  cross = 3,   // DCN-V2's full-rank cross layers, stacked (arXiv:2008.13535)
  dot = 4,     // all embeddings and the dot product of each pair (DLRM, arXiv:1906.00091)
};

struct RankerConfig {
  std::vector<std::string> surfaces;  // where things are shown: one or more
  std::vector<Task> tasks;            // 1 to 32
  std::vector<Feature> features;      // categorical; several ids of one example are averaged, none is zero
  std::vector<Number> numbers;        // become one more embedding together
  Interaction interaction = Interaction::cross;
  int64_t dim = 16;  // of an embedding
  int64_t cross_layers = 3;
  int64_t experts = 1;                   // above 1: each task mixes them by a gate of its own (MMoE, KDD 2018)
  std::vector<int64_t> hidden{128, 64};  // widths of an expert's layers
  std::vector<int64_t> tower;            // widths of each task's own layers behind them

  // Embeddings of an example: the surface's first.
  int64_t tokens() const noexcept { return 1 + int64_t(features.size()) + (numbers.empty() ? 0 : 1); }
  int64_t width() const noexcept { return tokens() * dim; }
  int64_t table_rows() const noexcept;                // of all features, the surfaces' first
  int surface(std::string_view name) const noexcept;  // -1 = there is none of that name
  int task(std::string_view name) const noexcept;
};

// The name of an id of a feature that divides: the whole part of number / divide, towards zero. Error{invalid_argument}
// unless it fits in 64 bits.
std::string divided_name(double number, double divide);

void check(const RankerConfig& config);  // Error{invalid_argument} naming the field
// Error{bad_file} naming what is wrong. Fields that are left out have their defaults.
RankerConfig ranker_config(std::string_view json);
std::string json_of(const RankerConfig& config);

}  // namespace puna::recsys
