// altup.h -- what Gemma 3n and 4 have beside attention and feed-forward blocks, as stages: residual streams that layers
// predict and correct (AltUp), a low-rank path beside attention (LAuReL), and inputs that every token has for every
// layer. R rows, S streams, L layers, P numbers of a per-layer input.
// Source: Hugging Face modeling_gemma3n.py, modeling_gemma4.py.
#pragma once
#include <cmath>

#include "model/forward.h"
#include "model/look_up.h"
#include "ops/streams.h"

namespace puna {

// tanh(router(norm(x) / D)): what the weights of all streams follow from, row by row. [R,S]
template <class Rec>
Activations stream_modes(Rec& rec, View x, const LlamaConfig& c, const AltUpWeights& w) {
  Activations modes;
  modes.x = rec.make(x.dims[0], c.streams);
  const auto frame = rec.frame();
  const Activations xn = make_activations(rec, x.dims[0], c.hidden, {});
  norm_rows(rec, xn, x, w.norm, c.norm_eps);
  scale_rows(rec, xn.x, 1.0f / float(c.hidden));
  linear(rec, xn, {{modes.x, &w.router}}, /*force_f32=*/true);
  softcap_rows(rec, modes.x, 1);
  return modes;
}

// The streams as the layer is predicted to leave them; its blocks go on with the first one.
template <class Rec>
View predict(Rec& rec, View x, const LlamaConfig& c, const AltUpWeights& w) {
  const int64_t R = x.dims[0] / c.streams;
  const View predicted = rec.make(x.dims[0], c.hidden), weights = rec.make(R, c.streams * c.streams);
  const Activations modes = stream_modes(rec, stream_of(x, 0, c.streams), c, w);
  linear(rec, modes, {{weights, &w.predict}}, /*force_f32=*/true);
  predict_streams(rec, predicted, x, weights);
  return predicted;
}

// The streams by what the layer has made of the first, y.
template <class Rec>
void correct(Rec& rec, View x, View predicted, View y, const LlamaConfig& c, const AltUpWeights& w) {
  const auto frame = rec.frame();
  const View weights = rec.make(y.dims[0], c.streams);
  linear(rec, stream_modes(rec, y, c, w), {{weights, &w.correct}}, /*force_f32=*/true);
  correct_streams(rec, x, predicted, y, weights);
}

// From one row to S streams, and back: a product for each but the first, made as long as the first one is.
template <class Rec>
void widen(Rec& rec, View x, const LlamaConfig& c, const std::vector<Weight>& projections) {
  const View first = stream_of(x, 0, c.streams);
  for (int64_t i = 1; i < c.streams; ++i) {
    const View stream = stream_of(x, i, c.streams);
    norm_linear(rec, first, nullptr, c.norm_eps, {{stream, &projections[size_t(i - 1)]}});
    rescale_rows(rec, stream, first);
  }
}
template <class Rec>
View narrow(Rec& rec, View x, const LlamaConfig& c, const std::vector<Weight>& projections) {
  const View first = stream_of(x, 0, c.streams), mean = rec.make(first.dims[0], c.hidden);
  copy_rows(rec, mean, first);
  for (int64_t i = 1; i < c.streams; ++i) {
    const View back = rec.make(first.dims[0], c.hidden);
    norm_linear(rec, stream_of(x, i, c.streams), nullptr, c.norm_eps, {{back, &projections[size_t(i - 1)]}});
    rescale_rows(rec, back, first);
    add_block(rec, mean, back, {nullptr, 0, 1});
  }
  scale_rows(rec, mean, 1.0f / float(c.streams));
  return mean;
}

// xn + norm(right(left(xn))), xn the input of attention: it joins the stream behind attention.
template <class Rec>
View laurel(Rec& rec, View x, const LlamaConfig& c, const LlamaLayer& L) {
  const int64_t R = x.dims[0];
  const View y = rec.make(R, c.hidden);
  Activations xn;
  xn.x = y;
  norm_rows(rec, xn, x, L.attn_norm, c.norm_eps);
  const Activations low = make_activations(rec, R, c.laurel_rank, {&L.laurel.right});
  const View high = rec.make(R, c.hidden);
  norm_linear(rec, x, L.attn_norm, c.norm_eps, {{low.x, &L.laurel.left}});
  quantise_rows(rec, low);
  linear(rec, low, {{high, &L.laurel.right}});
  add_block(rec, y, high, {L.laurel.norm, c.norm_eps, 1});
  return y;
}
template <class Rec>
void add_laurel(Rec& rec, View x, View y) {
  add_block(rec, x, y, {nullptr, 0, 1});
  scale_rows(rec, x, float(std::sqrt(0.5)));
}

// What each token and its embedding say to each layer, (norm(x W) / sqrt(2) + table[token] sqrt(P / 2)). [R, L*P]
template <class Rec>
void per_layer_inputs(Rec& rec, View inputs, const Batch& b, View x, const LlamaConfig& c, const LlamaWeights& w) {
  const int64_t R = x.dims[0], P = c.per_layer;
  const auto frame = rec.frame();
  const auto by_layer = [&](View v) { return View(v.data, DType::f32, {R * c.layers, P}); };
  const View projected = rec.make(R, c.layers * P), looked_up = rec.make(R, c.layers * P);
  norm_linear(rec, x, nullptr, c.norm_eps, {{projected, &w.per_layer_project}});
  scale_rows(rec, projected, float(1 / std::sqrt(double(c.hidden))));
  Activations normed;
  normed.x = by_layer(inputs);
  norm_rows(rec, normed, by_layer(projected), w.per_layer_norm, c.norm_eps);
  const auto row_of = [&c](const BatchRow& row) -> int64_t { return row.token < c.per_layer_vocab ? row.token : 0; };
  look_up(rec, looked_up, w.per_layer_table, float(std::sqrt(double(P))), b, row_of);
  add_block(rec, inputs, looked_up, {nullptr, 0, 1});
  scale_rows(rec, inputs, float(std::sqrt(0.5)));
}

// y = project(gelu(gate(x)) * input of layer l)
template <class Rec>
void per_layer_block(Rec& rec, View y, View x, View inputs, const LlamaConfig& c, const PerLayerWeights& w, int64_t l) {
  const auto frame = rec.frame();
  const View gate = rec.make(x.dims[0], c.per_layer), input = rec.make(x.dims[0], c.per_layer);
  norm_linear(rec, x, nullptr, c.norm_eps, {{gate, &w.gate}});
  copy_rows(rec, input, inputs, l * c.per_layer);
  glu_linear(rec, {y, gate, input, c.glu, false}, w.project);
}

// x += norm(per_layer_block(x)); with several streams it reads the first, scaled, and all others get it.
template <class Rec>
void add_per_layer(Rec& rec, View x, View inputs, const LlamaConfig& c, const LlamaLayer& L, int64_t l) {
  const auto frame = rec.frame();
  const View first = stream_of(x, 0, c.streams), y = rec.make(first.dims[0], c.hidden);
  const BlockOutput how{L.per_layer.norm, c.norm_eps, 1};
  if (c.streams == 1) {
    per_layer_block(rec, y, x, inputs, c, L.per_layer, l);
    return add_block(rec, x, y, how);
  }
  const View scaled = rec.make(first.dims[0], c.hidden);
  scale_columns(rec, scaled, first, L.altup.scale);
  per_layer_block(rec, y, scaled, inputs, c, L.per_layer, l);
  for (int64_t i = 1; i < c.streams; ++i) add_block(rec, stream_of(x, i, c.streams), y, how);
}

}  // namespace puna
