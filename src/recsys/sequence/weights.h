// weights.h -- a sequence model's parameters, as the forward pass wants them and as files name them.
#pragma once
#include "ops/history.h"
#include "puna/recsys/sequence_model.h"
#include "recsys/model_tensors.h"

namespace puna::recsys {

inline constexpr float kUnitEpsilon = 1e-6f;  // a vector shorter than this does not become one of unit length

struct SequenceBlock {
  Weight in;           // HSTU: u, v, q, k   [2 h d_v + 2 h d_qk, D]. SASRec: q   [D, D]
  Weight keys_values;  // SASRec   [2 D, D]
  Weight out;          // [D, h d_v]
  float *in_bias = nullptr, *keys_values_bias = nullptr, *out_bias = nullptr;  // HSTU has the last one only
  float *position_bias = nullptr, *time_bias = nullptr;                        // HSTU   [2 N - 1], [129]
  Weight ffn_in, ffn_out;                                                      // SASRec   [F, D], [D, F]
  float *ffn_in_bias = nullptr, *ffn_out_bias = nullptr;
};

struct SequenceWeights : ModelTensors {
  SequenceWeights(const Context& context, const SequenceConfig& config);  // zeros

  float *items = nullptr, *positions = nullptr;  // [items + 1, D], [N, D], row by row
  std::vector<SequenceBlock> blocks;
  TimeBounds time_bounds = time_bucket_bounds();

 private:
  void add_hstu(SequenceBlock& b, const SequenceConfig& c, int64_t l);
  void add_sasrec(SequenceBlock& b, const SequenceConfig& c, int64_t l);
};

// As the original code does: tables and HSTU's weights near zero, projections by Xavier's rule.
void initialise(SequenceWeights& weights, const SequenceConfig& config, uint64_t seed);

}  // namespace puna::recsys
