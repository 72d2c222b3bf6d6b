#include "recsys/ranking/weights.h"

#include <cmath>

#include "base/normals.h"

namespace puna::recsys {

int64_t interaction_width(const RankerConfig& c) noexcept {
  switch (c.interaction) {
    case Interaction::linear: return 0;
    case Interaction::fm: return c.dim;
    case Interaction::dot: return c.width() + c.tokens() * (c.tokens() - 1) / 2;
    default: return c.width();
  }
}

int64_t parameter_count(const RankerConfig& c) noexcept {
  const int64_t tasks = int64_t(c.tasks.size());
  int64_t n = tasks;
  const auto add_layer = [&n](int64_t times, int64_t out, int64_t in) { n += times * (out * in + out); };
  if (!c.numbers.empty()) add_layer(1, c.dim, int64_t(c.numbers.size()));
  if (c.interaction == Interaction::linear) return n;
  if (c.interaction == Interaction::cross) add_layer(c.cross_layers, c.width(), c.width());
  int64_t in = interaction_width(c);
  if (c.experts > 1) add_layer(1, tasks * c.experts, in);
  for (const int64_t out : c.hidden) {
    add_layer(c.experts, out, in);
    in = out;
  }
  for (const int64_t out : c.tower) {
    add_layer(tasks, out, in);
    in = out;
  }
  return n + tasks * in;
}

RankerWeights::RankerWeights(const Context& context, const RankerConfig& c) : ModelTensors(context) {
  const int64_t T = int64_t(c.tasks.size());
  tensor("task_bias", {T});
  task_bias = vector(T);
  if (!c.numbers.empty()) numbers = layer("numbers", c.dim, int64_t(c.numbers.size()));
  if (c.interaction == Interaction::linear) return;
  if (c.interaction == Interaction::cross)
    for (int64_t l = 0; l < c.cross_layers; ++l)
      cross.push_back(layer("cross." + std::to_string(l), c.width(), c.width()));
  int64_t in = interaction_width(c);
  if (c.experts > 1) gates = layer("gates", T * c.experts, in);
  for (int64_t e = 0; e < c.experts; ++e) experts.push_back(layers("expert." + std::to_string(e), c.hidden, in));
  if (!c.hidden.empty()) in = c.hidden.back();
  if (!c.tower.empty()) {
    for (const Task& t : c.tasks) towers.push_back(layers("tower." + t.name, c.tower, in));
    in = c.tower.back();
  }
  const bool one_input = towers.empty() && c.experts == 1;
  for (int64_t t = 0; t < (one_input ? 1 : T); ++t) {
    tensor(one_input ? "heads" : "head." + c.tasks[size_t(t)].name, {one_input ? T : 1, in});
    heads.push_back(matrix(one_input ? T : 1, in));
  }
}

RankerLayer RankerWeights::layer(const std::string& name, int64_t out, int64_t in) {
  RankerLayer l;
  tensor(name + ".weight", {out, in});
  l.w = matrix(out, in);
  tensor(name + ".bias", {out});
  l.bias = vector(out);
  return l;
}

std::vector<RankerLayer> RankerWeights::layers(const std::string& name, const std::vector<int64_t>& widths,
                                               int64_t in) {
  std::vector<RankerLayer> all;
  for (size_t i = 0; i < widths.size(); ++i, in = widths[i - 1])
    all.push_back(layer(name + "." + std::to_string(i), widths[i], in));
  return all;
}

void initialise(RankerWeights& w, const RankerConfig& c, uint64_t seed) {
  for (size_t i = 0; i < w.tensors.size(); ++i) {
    ModelTensor& t = w.tensors[i];
    if (t.shape.rank < 2 || t.name == "gates.weight")
      continue;  // biases are zero, and each task begins with an equal share of all experts
    Normals draw(seed, i + 1);
    std::vector<float> values(size_t(t.shape.count()));
    const double most = std::sqrt(6.0 / double(t.shape[0] + t.shape[1]));
    const bool plain_fm = c.interaction == Interaction::fm && c.hidden.empty();  // its head sums the products of pairs
    for (float& v : values) v = plain_fm && t.name.starts_with("head") ? 1.0f : float(most * (2 * draw.uniform() - 1));
    t.write(values);
  }
}

}  // namespace puna::recsys
