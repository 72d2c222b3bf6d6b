// golden_train.h -- what the golden sets of training have in common: batches, and tensors of a safetensors file by
// name.
#pragma once
#include <cstring>
#include <map>

#include "model/named_tensors.h"
#include "puna/io/safetensors.h"
#include "puna/train/dpo.h"
#include "puna/train/optimizer.h"
#include "puna/train/pass.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/run_model.h"

namespace puna::test {

inline std::vector<train::Sequence> golden_batch(const Golden& g) {
  const Npy ids = g.array("input_ids");
  const std::vector<int64_t> tokens = ids.i64(), labels = g.array("labels").i64();
  const size_t B = size_t(ids.shape[0]), T = size_t(ids.shape[1]);
  std::vector<train::Sequence> all(B);
  for (size_t i = 0; i < B * T; ++i) {
    REQUIRE((labels[i] == -100 || labels[i] == tokens[i]));
    all[i / T].tokens.push_back(int32_t(tokens[i]));
    all[i / T].counted.push_back(labels[i] != -100);
  }
  return all;
}

inline int64_t counted(const std::vector<train::Sequence>& all) {
  int64_t n = 0;
  for (const train::Sequence& s : all)
    for (size_t t = 1; t < s.counted.size(); ++t) n += s.counted[t];
  return n;
}

inline double mean(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return sum / double(v.size());
}

// An array of doubles, as floats.
inline std::vector<float> doubles(const Golden& g, const std::string& name) {
  const std::string bytes = g.array(name).bytes;
  std::vector<float> v;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    double x;
    memcpy(&x, bytes.data() + i, 8);
    v.push_back(float(x));
  }
  return v;
}

inline std::map<std::string, std::vector<float>> golden_tensors(const Golden& g, const Context& context,
                                                                const std::string& file) {
  const SafetensorsFile f = read_safetensors(context, open_path_source(g.folder() + "/" + file));
  std::map<std::string, std::vector<float>> all;
  for (const TensorEntry& t : f.tensors.entries()) {
    std::vector<float> values(size_t(t.shape.count()));
    memcpy(values.data(), t.data, t.bytes);
    all.emplace(t.name, std::move(values));
  }
  return all;
}

inline Tolerance group_tolerance(const Golden& g, const std::string& group) {
  const auto& compare = g.manifest["groups"][group]["compare"];
  return {compare["atol"], compare["rtol"]};
}

inline train::OptimizerOptions golden_optimizer(const Golden& g) {
  const auto& h = g.manifest["facts"]["hyper"];
  train::OptimizerOptions o;
  o.learning_rate = h["lr"];
  o.beta1 = h["betas"][0];
  o.beta2 = h["betas"][1];
  o.epsilon = h["eps"];
  o.weight_decay = h["weight_decay"];
  o.clip_norm = 1.0;
  return o;
}

}  // namespace puna::test
