#include "puna/train/parameters.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernel_table.h"
#include "model/named_tensors.h"

namespace puna::train {
namespace {

constexpr int64_t kParameterPiece = 1 << 16;  // values a tile

template <class Visit>
void for_pieces(const Context& context, int64_t count, Visit&& visit) {
  context.executor().run((count + kParameterPiece - 1) / kParameterPiece,
                         [&](int64_t i) { visit(i * kParameterPiece, std::min(count, (i + 1) * kParameterPiece)); });
}

}  // namespace

Parameter& Parameters::add(std::string name, int64_t count, std::shared_ptr<const void>* owner) {
  const size_t bytes = size_t(count) * sizeof(float);
  const auto values = std::make_shared<Buffer>(context_->allocate(bytes, "trained parameters"));
  memset(values->data(), 0, bytes);
  buffers_.push_back(values);
  if (owner) *owner = values;
  return track(std::move(name), reinterpret_cast<float*>(values->data()), count);
}

Parameter& Parameters::track(std::string name, float* values, int64_t count) {
  const auto gradient =
      std::make_shared<Buffer>(context_->allocate(size_t(count) * sizeof(float), "gradients of parameters"));
  memset(gradient->data(), 0, gradient->size());
  buffers_.push_back(gradient);
  list_.push_back({std::move(name), values, reinterpret_cast<float*>(gradient->data()), count});
  gradients_.emplace(values, list_.back().gradient);
  return list_.back();
}

void Parameters::track(Adapter& adapter) {
  for (const Adapter::Block& b : adapter.blocks()) track(b.name, b.values, b.count);
}

void Parameters::zero_gradients() noexcept {
  for (const Parameter& p : list_)
    for_pieces(*context_, p.count,
               [&](int64_t begin, int64_t end) { memset(p.gradient + begin, 0, size_t(end - begin) * sizeof(float)); });
}

double Parameters::gradient_square_sum() const {
  double all = 0;
  for (const Parameter& p : list_) {
    std::vector<double> sums(size_t((p.count + kParameterPiece - 1) / kParameterPiece));
    for_pieces(*context_, p.count, [&](int64_t begin, int64_t end) {
      double lanes[16] = {};
      for (int64_t i = begin; i < end; ++i) lanes[i % 16] += double(p.gradient[i]) * double(p.gradient[i]);
      for (const double lane : lanes) sums[size_t(begin / kParameterPiece)] += lane;
    });
    for (const double s : sums) all += s;
  }
  return all;
}

Llama make_trainable(const Llama& base, Parameters& parameters) {
  Llama model = base;
  model.weights.owned.clear();
  const KernelTable& k = parameters.context().kernels();
  const auto new_block = [&](const std::string& name, int64_t count) {
    std::shared_ptr<const void> owner;
    float* const values = parameters.add(name, count, &owner).values;
    model.weights.owned.push_back(std::move(owner));
    return values;
  };
  for (NamedTensor& t : named_tensors(model)) {
    if (t.is_buffer) {  // a copy, since the base may go first
      for (const VectorPiece& v : t.vectors) {
        auto copy =
            std::make_shared<Buffer>(parameters.context().allocate(size_t(v.count) * sizeof(float), "a buffer"));
        memcpy(copy->data(), *v.values, copy->size());
        *v.values = reinterpret_cast<const float*>(copy->data());
        model.weights.owned.push_back(std::move(copy));
      }
      continue;
    }
    for (size_t i = 0; i < t.vectors.size(); ++i) {
      const VectorPiece& v = t.vectors[i];
      float* const values = new_block(t.vectors.size() == 1 ? t.name : t.name + "." + std::to_string(i), v.count);
      std::copy_n(*v.values, v.count, values);
      *v.values = values;
    }
    for (size_t i = 0; i < t.pieces.size(); ++i) {
      Weight& w = *t.pieces[i].weight;
      const int64_t panels = (w.rows + kTileRows - 1) / kTileRows, panel_floats = w.cols * kTileRows;
      float* const values =
          new_block(t.pieces.size() == 1 ? t.name : t.name + "." + std::to_string(i), panels * panel_floats);
      parameters.context().executor().run(panels, [&](int64_t p) {
        k.tile_f(values + p * panel_floats, w.dtype, reinterpret_cast<const uint8_t*>(w.panels) + p * w.panel_bytes, 0,
                 w.cols);
      });
      w.panels = reinterpret_cast<const std::byte*>(values);
      w.dtype = DType::f32;
      w.panel_bytes = panel_floats * int64_t(sizeof(float));
    }
  }
  if (model.config.tied) model.weights.lm_head = model.weights.embedding;
  return model;
}

}  // namespace puna::train
