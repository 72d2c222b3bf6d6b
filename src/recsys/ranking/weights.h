// weights.h -- a ranker's parameters besides its table, as the forward pass wants them and as files name them.
#pragma once

#include "puna/recsys/ranker_config.h"
#include "recsys/model_tensors.h"

namespace puna::recsys {

struct RankerLayer {
  Weight w;  // [out, in]
  float* bias = nullptr;
};

struct RankerWeights : ModelTensors {
  RankerWeights(const Context& context, const RankerConfig& config);  // zeros

  RankerLayer numbers;                            // [d, numbers]
  std::vector<RankerLayer> cross;                 // [W, W], W = embeddings in a row
  std::vector<std::vector<RankerLayer>> experts;  // each the hidden layers
  RankerLayer gates;                              // [tasks * experts, inputs]
  std::vector<std::vector<RankerLayer>> towers;   // each task's own layers; empty when there are none
  std::vector<Weight> heads;   // one [tasks, in] for all tasks, or one [1, in] each when their inputs differ
  float* task_bias = nullptr;  // [tasks]

 private:
  RankerLayer layer(const std::string& name, int64_t out, int64_t in);
  std::vector<RankerLayer> layers(const std::string& name, const std::vector<int64_t>& widths, int64_t in);
};

// What the hidden layers see.
int64_t interaction_width(const RankerConfig& config) noexcept;
// Values in all tensors but the table.
int64_t parameter_count(const RankerConfig& config) noexcept;
void initialise(RankerWeights& weights, const RankerConfig& config, uint64_t seed);

}  // namespace puna::recsys
