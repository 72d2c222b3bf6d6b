// adapter_maker.h -- how an adapter comes to be: its matrices one target after the other, zero at first, then filled
// with values in PEFT's layout.
#pragma once
#include <cmath>
#include <cstring>

#include "kernels/kernel_table.h"
#include "model/named_tensors.h"
#include "ops/inference.h"
#include "puna/base/error.h"
#include "puna/model/adapter.h"

namespace puna {

inline constexpr int64_t kMostRank = 4096;

inline std::string adapter_module(const NamedTensor& t) {
  const std::string weight = ".weight";
  return t.name.ends_with(weight) ? t.name.substr(0, t.name.size() - weight.size()) : t.name;
}

inline bool is_stack(const NamedTensor& t) { return t.shape.rank == 3; }
inline bool is_transposed(const NamedTensor& stack) { return stack.pieces[0].col_stride != 1; }  // [E, in, out]

// Allocates the adapter's matrices, zero, and records the file tensor of each.
class Adapter::Maker {
 public:
  Maker(const Context& context, Adapter& adapter) : context_(context), a_(adapter) {}

  void add(const NamedTensor& base, int64_t rank, double alpha) {
    PUNA_REQUIRE(rank >= 1 && rank <= kMostRank, "adapter for '%s': rank is %jd, expected 1 to %jd", base.name.c_str(),
                 rank, kMostRank);
    PUNA_REQUIRE(std::isfinite(alpha), "adapter for '%s': alpha is not finite", base.name.c_str());
    a_.modules_.push_back({adapter_module(base), is_stack(base), rank, alpha});
    const float scale = float(alpha / double(rank));
    if (is_stack(base))
      stack(base, rank, scale);
    else
      matrix(base, rank, scale);
  }
  // Of one of the adapter's tensors.
  void fill(const NamedTensor& tensor, const float* values) {
    copy_in(tensor, values, [this](const void* panels) { return values_of_.at(panels); });
  }

 private:
  Weight* weight(const std::string& name, int64_t rows, int64_t cols) {
    const int64_t panel_floats = cols * kTileRows, count = (rows + kTileRows - 1) / kTileRows * panel_floats;
    a_.buffers_.push_back(context_.allocate(size_t(count) * sizeof(float), "an adapter"));
    auto* const values = reinterpret_cast<float*>(a_.buffers_.back().data());
    memset(values, 0, size_t(count) * sizeof(float));
    a_.weights_.push_back({a_.buffers_.back().data(), DType::f32, rows, cols, panel_floats * int64_t(sizeof(float))});
    a_.blocks_.push_back({name, values, count});
    values_of_[a_.weights_.back().panels] = values;
    return &a_.weights_.back();
  }
  void matrix(const NamedTensor& base, int64_t r, float scale) {
    const int64_t rows = base.shape[0], cols = base.shape[1];
    const std::string name = "base_model.model." + adapter_module(base);
    Weight* const a = weight(name + ".lora_A", r, cols);
    NamedTensor lora_b{name + ".lora_B.weight", {rows, r}, {}, {}};
    int64_t row = 0;
    for (const TensorPiece& piece : base.pieces) {  // of a fused tensor several
      const Weight& w = *piece.weight;
      const std::string part = base.pieces.size() == 1 ? "" : "." + std::to_string(lora_b.pieces.size());
      Weight* const b = weight(name + ".lora_B" + part, w.rows, r);
      a_.loras_->emplace(w.panels, Lora{*a, *b, scale});
      lora_b.pieces.push_back({b, row * r, r, 1, piece.head_dim});
      row += w.rows;
    }
    a_.tensors_.push_back({name + ".lora_A.weight", {r, cols}, {{a, 0, cols, 1}}, {}});
    a_.tensors_.push_back(std::move(lora_b));
  }
  // To PEFT a stack [E, m, n] is E matrices with m outputs: lora_A is [E r, n], its rows expert by expert, lora_B
  // [m, r E], its columns rank by rank. Where m is the inputs, our linear layers multiply by lora_B first.
  void stack(const NamedTensor& base, int64_t r, float scale) {
    const int64_t E = base.shape[0], m = base.shape[1], n = base.shape[2];
    const bool transposed = is_transposed(base);
    const size_t each = base.pieces.size() / size_t(E);  // gate and up, or down alone
    const std::string name = "base_model.model." + adapter_module(base), experts = name.substr(0, name.rfind('.'));
    for (NamedTensor& t : a_.tensors_)  // PEFT wraps the same module once more, and what it had moves inside
      if (t.name.starts_with(experts + ".lora_")) t.name.insert(experts.size(), ".base_layer");
    NamedTensor lora_a{experts + ".lora_A.weight", {E * r, n}, {}, {}},
        lora_b{experts + ".lora_B.weight", {m, r * E}, {}, {}};
    for (int64_t e = 0; e < E; ++e) {
      const std::string expert = name + "." + std::to_string(e);
      Weight* const first = weight(expert + (transposed ? ".lora_B" : ".lora_A"), r, transposed ? m : n);
      if (transposed)
        lora_b.pieces.push_back({first, e, E, r * E});
      else
        lora_a.pieces.push_back({first, e * r * n, n, 1});
      int64_t done = 0;
      for (size_t i = 0; i < each; ++i) {
        const Weight& w = *base.pieces[size_t(e) * each + i].weight;
        Weight* const second = weight(expert + (transposed ? ".lora_A." : ".lora_B.") + std::to_string(i), w.rows, r);
        if (transposed)
          lora_a.pieces.push_back({second, e * r * n + done, 1, n});
        else
          lora_b.pieces.push_back({second, done * r * E + e, r * E, E});
        done += w.rows;
        a_.loras_->emplace(w.panels, Lora{*first, *second, scale});
      }
    }
    a_.tensors_.push_back(std::move(lora_a));
    a_.tensors_.push_back(std::move(lora_b));
  }

  const Context& context_;
  Adapter& a_;
  std::unordered_map<const void*, float*> values_of_;  // what lies at a weight's panels
};

}  // namespace puna
