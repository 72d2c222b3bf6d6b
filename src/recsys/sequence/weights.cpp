#include "recsys/sequence/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/normals.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"

namespace puna::recsys {

SequenceConfig SequenceConfig::hstu(int64_t items) {
  SequenceConfig c;
  c.items = items;
  return c;
}

SequenceConfig SequenceConfig::hstu_large(int64_t items) {
  SequenceConfig c = hstu(items);
  c.blocks = 8;
  c.heads = 2;
  c.qk_dim = c.v_dim = 25;
  return c;
}

SequenceConfig SequenceConfig::sasrec(int64_t items) {
  SequenceConfig c = hstu(items);
  c.kind = SequenceKind::sasrec;
  return c;
}

void check(const SequenceConfig& c) {
  const auto within = [](const char* field, int64_t value, int64_t low, int64_t high) {
    PUNA_REQUIRE(value >= low && value <= high, "%s is %jd, expected %jd to %jd", field, value, low, high);
  };
  within("kind", int64_t(c.kind), 0, 1);
  within("items", c.items, 1, (1 << 30) - 1);
  within("max_sequence", c.max_sequence, 1, 1 << 16);
  within("output_slots", c.output_slots, 1, 1 << 10);
  within("dim", c.dim, 1, 4096);
  within("blocks", c.blocks, 1, 256);
  within("heads", c.heads, 1, 256);
  within("qk_dim", c.qk_dim, 1, 4096);
  within("v_dim", c.v_dim, 1, 4096);
  within("ffn", c.ffn, 1, 1 << 16);
  if (c.kind == SequenceKind::sasrec)
    PUNA_REQUIRE(c.heads * c.qk_dim == c.dim && c.heads * c.v_dim == c.dim,
                 "SASRec's heads (%jd of %jd and %jd) are expected to make up dim (%jd)", c.heads, c.qk_dim, c.v_dim,
                 c.dim);
}

int64_t parameter_count(const SequenceConfig& c) noexcept {
  const int64_t D = c.dim, width = 2 * c.heads * (c.v_dim + c.qk_dim);
  const int64_t hstu = D * width + kTimeBuckets + 1 + 2 * c.slots() - 1 + D * c.heads * c.v_dim + D;
  const int64_t sasrec = 4 * D * D + 4 * D + 2 * D * c.ffn + c.ffn + D;
  return (c.items + 1 + c.slots()) * D + c.blocks * (c.kind == SequenceKind::hstu ? hstu : sasrec);
}

// ---- what there is ----

SequenceWeights::SequenceWeights(const Context& context, const SequenceConfig& c) : ModelTensors(context) {
  tensor("_embedding_module._item_emb.weight", {c.items + 1, c.dim});
  items = vector(c.items + 1, c.dim);
  tensor("_input_features_preproc._pos_emb.weight", {c.slots(), c.dim});
  positions = vector(c.slots(), c.dim);
  blocks.resize(size_t(c.blocks));
  for (int64_t l = 0; l < c.blocks; ++l) {
    if (c.kind == SequenceKind::hstu)
      add_hstu(blocks[size_t(l)], c, l);
    else
      add_sasrec(blocks[size_t(l)], c, l);
  }
}

void SequenceWeights::add_hstu(SequenceBlock& b, const SequenceConfig& c, int64_t l) {
  const std::string prefix = "_hstu._attention_layers." + std::to_string(l) + ".";
  const int64_t width = 2 * c.heads * (c.v_dim + c.qk_dim);
  tensor(prefix + "_uvqk", {c.dim, width}, true);
  b.in = matrix(width, c.dim);
  tensor(prefix + "_rel_attn_bias._ts_w", {kTimeBuckets + 1});
  b.time_bias = vector(kTimeBuckets + 1);
  tensor(prefix + "_rel_attn_bias._pos_w", {2 * c.slots() - 1});
  b.position_bias = vector(2 * c.slots() - 1);
  tensor(prefix + "_o.weight", {c.dim, c.heads * c.v_dim});
  b.out = matrix(c.dim, c.heads * c.v_dim);
  tensor(prefix + "_o.bias", {c.dim});
  b.out_bias = vector(c.dim);
}

void SequenceWeights::add_sasrec(SequenceBlock& b, const SequenceConfig& c, int64_t l) {
  const std::string attention = "attention_layers." + std::to_string(l) + ".",
                    ffn = "forward_layers." + std::to_string(l) + "._conv1d.";
  tensor(attention + "in_proj_weight", {3 * c.dim, c.dim});
  b.in = matrix(c.dim, c.dim);
  b.keys_values = matrix(2 * c.dim, c.dim);
  tensor(attention + "in_proj_bias", {3 * c.dim});
  b.in_bias = vector(c.dim);
  b.keys_values_bias = vector(2 * c.dim);
  tensor(attention + "out_proj.weight", {c.dim, c.dim});
  b.out = matrix(c.dim, c.dim);
  tensor(attention + "out_proj.bias", {c.dim});
  b.out_bias = vector(c.dim);
  tensor(ffn + "0.weight", {c.ffn, c.dim, 1});
  b.ffn_in = matrix(c.ffn, c.dim);
  tensor(ffn + "0.bias", {c.ffn});
  b.ffn_in_bias = vector(c.ffn);
  tensor(ffn + "3.weight", {c.dim, c.ffn, 1});
  b.ffn_out = matrix(c.dim, c.ffn);
  tensor(ffn + "3.bias", {c.dim});
  b.ffn_out_bias = vector(c.dim);
}

// ---- how it begins ----

void initialise(SequenceWeights& w, const SequenceConfig& c, uint64_t seed) {
  for (size_t i = 0; i < w.tensors.size(); ++i) {
    ModelTensor& t = w.tensors[i];
    Normals normals(seed, i);
    std::vector<float> values(size_t(t.shape.count()));
    const int64_t out = t.shape[0], in = t.shape.rank > 1 ? t.shape[1] : c.dim;
    const auto is = [&](const char* part) { return t.name.find(part) != std::string::npos; };
    const auto normal = [&](double deviation) {
      for (float& v : values) v = float(deviation * double(normals.next()));
    };
    const auto uniform = [&](double most) {
      for (float& v : values) v = float(most * (2 * normals.uniform() - 1));
    };
    if (is("_item_emb")) {  // cut at two deviations
      for (float& v : values) do
          v = 0.02f * normals.next();
        while (std::fabs(v) > 0.04f);
    } else if (is("_uvqk") || is("_rel_attn_bias")) {
      normal(0.02);
    } else if (is("_o.weight")) {
      uniform(std::sqrt(6.0 / double(in + out)));
    } else if (is("_o.bias") || is("_conv1d.0.bias") || is("_conv1d.3.bias")) {
      uniform(1 / std::sqrt(double(is("_conv1d.3.bias") ? c.ffn : is("_o.bias") ? c.heads * c.v_dim : c.dim)));
    } else if (t.shape.rank > 1) {
      normal(std::sqrt(2.0 / double(in + out)));
    }  // SASRec's attention biases stay zero
    t.write(values);
  }
}

}  // namespace puna::recsys
