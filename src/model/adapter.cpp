// adapter.cpp -- PEFT's layout in and out. A matrix W [N,K] has lora_A [r,K] and lora_B [N,r]. A stack of experts
// stored [E,in,out] is to PEFT E matrices with `in` outputs: lora_A is [E r, out], its rows expert by expert; lora_B
// [in, r E], its columns rank by rank. So what our linear layers multiply by first comes from lora_B, and gate and up
// share it.
#include "puna/model/adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include "base/hash.h"
#include "base/json.h"
#include "kernels/kernel_table.h"
#include "model/adapter_maker.h"
#include "model/named_tensors.h"
#include "model/peft_config.h"
#include "ops/linear.h"
#include "puna/base/error.h"
#include "puna/base/philox.h"

namespace puna {
namespace {

bool ends_with_module(const std::string& name, const std::string& target) {
  return name == target ||
         (name.size() > target.size() && name.ends_with(target) && name[name.size() - target.size() - 1] == '.');
}

}  // namespace

Adapter::Adapter() : loras_(std::make_unique<std::unordered_map<const std::byte*, Lora>>()) {}
Adapter::~Adapter() = default;
const LoraMap& Adapter::loras() const noexcept { return *loras_; }

std::shared_ptr<Adapter> Adapter::create(const Context& context, const Llama& model, const AdapterOptions& options,
                                         const Watch& watch) {
  std::shared_ptr<Adapter> adapter(new Adapter());
  Maker maker(context, *adapter);
  Llama names = model;
  const std::vector<NamedTensor> all = named_tensors(names);
  std::vector<bool> wanted(all.size());
  for (const std::string& target : options.targets) {
    bool found = false;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!all[i].multiplies()) continue;
      const bool fits =
          target == "all" ? all[i].name != "lm_head.weight" : ends_with_module(adapter_module(all[i]), target);
      if (fits) wanted[i] = found = true;
    }
    PUNA_REQUIRE(found, "adapter target '%.100s' is the end of no weight's name (q_proj, v_proj, ... or all)",
                 target.c_str());
  }
  PUNA_REQUIRE(!adapter->modules_.empty() || !options.targets.empty(), "an adapter needs targets");
  for (size_t i = 0; i < all.size(); ++i)
    if (wanted[i]) maker.add(all[i], options.rank, options.alpha);

  // PEFT's: Kaiming uniform with a = sqrt(5), that is within 1/sqrt(inputs).
  uint64_t drawn = 0;
  for (const NamedTensor& t : adapter->tensors_) {
    if (!t.name.ends_with(".lora_A.weight")) continue;
    std::vector<float> values(size_t(t.shape.count()));
    const double limit = 1 / std::sqrt(double(t.shape[-1]));
    for (float& v : values) {
      watch.tick();
      v = float((2 * double(philox(options.seed, drawn++).word[0]) / 4294967296.0 - 1) * limit);
    }
    maker.fill(t, values.data());
  }
  return adapter;
}

namespace {

// Where a module's lora_A is in the file. PEFT nests the adapters of a module's parameters: "experts.base_layer" holds
// the first target, "experts" the last; the shapes say which is which.
struct Found {
  const TensorEntry *a = nullptr, *b = nullptr;
  int64_t rank = 0;
};
Found find_lora(const TensorMap& tensors, const NamedTensor& base) {
  const std::string module = adapter_module(base);
  std::vector<std::string> names{module};
  if (is_stack(base)) {
    const std::string experts = module.substr(0, module.rfind('.'));
    names = {experts, experts + ".base_layer"};
  }
  for (const std::string& name : names) {
    Found f{tensors.find("base_model.model." + name + ".lora_A.weight"),
            tensors.find("base_model.model." + name + ".lora_B.weight")};
    if (!f.a && !f.b) continue;
    if (!f.a || !f.b) fail(Status::bad_file, "adapter: '%.200s' has only one of lora_A and lora_B", name.c_str());
    const int64_t experts = is_stack(base) ? base.shape[0] : 1, in = is_stack(base) ? base.shape[1] : base.shape[0];
    const bool shaped = f.a->shape.rank == 2 && f.b->shape.rank == 2 && f.a->shape[0] >= 1 &&
                        f.a->shape[0] % experts == 0 && f.a->shape[1] == base.shape[-1] && f.b->shape[0] == in &&
                        f.b->shape[1] == f.a->shape[0];
    f.rank = f.a->shape[0] / experts;
    if (shaped) return f;
    if (!is_stack(base))
      fail(Status::bad_file, "adapter: '%.200s' has lora_A %s and lora_B %s, which do not fit %s", name.c_str(),
           f.a->shape.text().c_str(), f.b->shape.text().c_str(), base.shape.text().c_str());
  }
  return {};
}

}  // namespace

std::shared_ptr<Adapter> Adapter::from_peft(const Context& context, const Llama& model, std::string_view config_json,
                                            const TensorMap& tensors) {
  const PeftConfig config(config_json);
  std::shared_ptr<Adapter> adapter(new Adapter());
  Maker maker(context, *adapter);
  Llama names = model;
  std::set<std::string_view> used;
  for (const NamedTensor& base : named_tensors(names)) {
    if (!base.multiplies()) continue;
    const Found found = find_lora(tensors, base);
    if (!found.a) continue;
    const std::string module = adapter_module(base);
    config.require_target(module, is_stack(base));
    if (const std::optional<int64_t> rank = config.rank_of(module); rank && *rank != found.rank)
      fail(Status::bad_file, "adapter: '%.200s' has rank %jd, but adapter_config.json says %jd", module.c_str(),
           found.rank, *rank);
    const double alpha = config.alpha_of(module) * (config.rank_stabilised() ? std::sqrt(double(found.rank)) : 1.0);
    if (found.rank > kMostRank || !std::isfinite(alpha))
      fail(Status::bad_file, "adapter: '%.200s' has a rank or alpha out of range", base.name.c_str());
    maker.add(base, found.rank, alpha);
    for (const TensorEntry* t : {found.a, found.b}) {
      if (t->dtype > DType::bf16)
        fail(Status::unsupported, "adapter: '%.200s' has type %s", t->name.c_str(), name(t->dtype));
      std::vector<float> values(size_t(t->shape.count()));
      dequantise_row(context.kernels(), values.data(), t->dtype, t->data, t->shape.count());
      maker.fill(adapter->tensors_[adapter->tensors_.size() - (t == found.a ? 2 : 1)], values.data());
      used.insert(t->name);
    }
  }
  for (const TensorEntry& t : tensors.entries()) {
    if (used.count(t.name)) continue;
    const bool lora = t.name.find(".lora_A.") != t.name.npos || t.name.find(".lora_B.") != t.name.npos;
    fail(lora ? Status::bad_file : Status::unsupported, "adapter: tensor '%.200s' %s", t.name.c_str(),
         lora ? "fits no weight of the model; is it another model's?" : "is no LoRA matrix");
  }
  if (used.empty()) fail(Status::bad_file, "adapter: there are no tensors");
  adapter->not_used_ = config.not_used();
  return adapter;
}

uint64_t Adapter::fingerprint() const noexcept {
  Hash hash;
  for (const Block& b : blocks_) {
    hash.add(b.name.data(), b.name.size());
    hash.add(b.values, size_t(b.count) * sizeof(float));
  }
  return hash.value();
}

std::string Adapter::peft_config() const {
  std::string modules, parameters, ranks, alphas;
  const auto add = [](std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; };
  for (const Module& m : modules_) {
    const std::string name = quoted(m.name);
    add(m.stacked ? parameters : modules, name);
    if (m.rank != modules_[0].rank) add(ranks, name + ": " + std::to_string(m.rank));
    if (m.alpha != modules_[0].alpha) add(alphas, name + ": " + Json(m.alpha).dump());
  }
  // As text: a tree of JSON values could not be destroyed without memory (base/json.h).
  return "{\n  \"peft_type\": \"LORA\",\n  \"task_type\": \"CAUSAL_LM\",\n  \"r\": " +
         std::to_string(modules_[0].rank) + ",\n  \"lora_alpha\": " + Json(modules_[0].alpha).dump() +
         ",\n  \"lora_dropout\": 0.0,\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": "
         "true,\n  \"use_rslora\": false,\n"
         "  \"use_dora\": false,\n  \"target_modules\": [" +
         modules + "],\n  \"target_parameters\": " + (parameters.empty() ? "null" : "[" + parameters + "]") +
         ",\n  \"rank_pattern\": {" + ranks + "},\n  \"alpha_pattern\": {" + alphas + "}\n}";
}

Llama Adapter::merge(const Context& context, const Llama& base) const {
  const KernelTable& k = context.kernels();
  Llama merged = base;
  for (const NamedTensor& t : named_tensors(merged))
    for (const TensorPiece& piece : t.pieces) {
      const auto found = loras_->find(piece.weight->panels);
      if (found == loras_->end()) continue;
      const Lora& lora = found->second;
      Weight& w = *piece.weight;
      const int64_t panels = panels_of(w), panel_floats = w.cols * kTileRows, r = lora.a.rows;
      auto buffer =
          std::make_shared<Buffer>(context.allocate(size_t(panels * panel_floats) * sizeof(float), "merged weights"));
      auto* const values = reinterpret_cast<float*>(buffer->data());
      // W += scale sum_j b[n,j] a[j,k]: a product over the rank, rows of a against columns of b.
      std::vector<float> rows(size_t(r * w.cols)), columns(size_t(r * w.rows)), b_row(static_cast<size_t>(r));
      for (int64_t j = 0; j < r; ++j) weight_row(k, rows.data() + j * w.cols, lora.a, j);
      for (int64_t n = 0; n < w.rows; ++n) {
        weight_row(k, b_row.data(), lora.b, n);
        for (int64_t j = 0; j < r; ++j) columns[size_t(j * w.rows + n)] = lora.scale * b_row[size_t(j)];
      }
      context.executor().run(panels, [&](int64_t p) {
        float* const to = values + p * panel_floats;
        k.tile_f(to, w.dtype, reinterpret_cast<const uint8_t*>(w.panels) + p * w.panel_bytes, 0, w.cols);
        k.gemm_outer({.dw = to,
                      .panel_floats = panel_floats,
                      .dy = columns.data() + p * kTileRows,
                      .dy_row = w.rows,
                      .x = rows.data(),
                      .x_row = w.cols,
                      .outputs = std::min<int64_t>(kTileRows, w.rows - p * kTileRows),
                      .k0 = 0,
                      .k_count = w.cols,
                      .rows = r});
      });
      w = {buffer->data(), DType::f32, w.rows, w.cols, panel_floats * int64_t(sizeof(float))};
      merged.weights.owned.push_back(std::move(buffer));
    }
  if (merged.config.tied && merged.weights.lm_head.panels == base.weights.embedding.panels &&
      merged.weights.embedding.panels != base.weights.embedding.panels)
    merged.weights.lm_head = merged.weights.embedding;
  return merged;
}

}  // namespace puna
