// adapter_gguf.cpp -- llama.cpp's adapters (convert_lora_to_gguf.py): general.type "adapter", adapter.type "lora",
// adapter.lora.alpha (0 = a scale of 1 instead of alpha / rank), and beside the base tensors' names NAME.lora_a [r,in]
// and NAME.lora_b [out,r]; of stacked experts [E,r,in] and [E,out,r]. Here they become PEFT's:
//   q and k of architecture llama   a head's rows interleaved in GGUF, half-split in PEFT
//   gate and up of the experts      two pairs in GGUF; one target in PEFT whose ranks are theirs side by side, with
//                                   zeros where a rank is the other's
#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/kernel_table.h"
#include "model/adapter_maker.h"
#include "model/family.h"
#include "ops/linear.h"
#include "puna/tensor/metadata.h"

namespace puna {
namespace {

struct Pair {
  const TensorEntry *a = nullptr, *b = nullptr;
  int64_t rank = 0;
  explicit operator bool() const noexcept { return a != nullptr; }
};

// What GGUF calls a tensor of Hugging Face's name; two names for gate and up of the experts, none for what takes no
// adapter.
std::vector<std::string> gguf_names(const std::string& name) {
  static constexpr struct {
    std::string_view here, there;
  } kNames[] = {{"q_proj", "attn_q"},
                {"k_proj", "attn_k"},
                {"v_proj", "attn_v"},
                {"o_proj", "attn_output"},
                {"up_proj", "ffn_up"},
                {"down_proj", "ffn_down"},
                {"gate_proj", "ffn_gate"},
                {"router", "ffn_gate_inp"},
                {"router.proj", "ffn_gate_inp"},
                {"laurel.linear_left", "laurel_l"},
                {"laurel.linear_right", "laurel_r"},
                {"per_layer_input_gate", "inp_gate"},
                {"per_layer_projection", "proj"}};
  const std::string layers = "model.layers.";
  if (name == "lm_head.weight") return {"output.weight"};
  if (!name.starts_with(layers)) return {};
  const std::string block = "blk." + name.substr(layers.size(), name.find('.', layers.size()) + 1 - layers.size());
  if (name.ends_with(".experts.gate_up_proj")) return {block + "ffn_gate_exps.weight", block + "ffn_up_exps.weight"};
  if (name.ends_with(".experts.down_proj")) return {block + "ffn_down_exps.weight"};
  const char* const suffix = name.find(".shared_expert.") != name.npos ? "_shexp.weight" : ".weight";
  for (const auto& n : kNames)
    if (name.ends_with("." + std::string(n.here) + ".weight")) return {block + std::string(n.there) + suffix};
  return {};
}

std::vector<float> values_of(const Context& context, const TensorEntry& t) {
  std::vector<float> values(size_t(t.shape.count()));
  dequantise_row(context.kernels(), values.data(), t.dtype, t.data, t.shape.count());
  return values;
}

class GgufAdapter {
 public:
  GgufAdapter(const Context& context, const Llama& model, const Metadata& metadata, const TensorMap& tensors)
      : context_(context), model_(model), tensors_(tensors) {
    const std::string type = metadata.string("general.type", "model");
    if (type != "adapter")
      fail(Status::bad_file, "metadata 'general.type' is '%.40s', expected 'adapter': this file is no adapter",
           type.c_str());
    const std::string kind = metadata.string("adapter.type");
    if (kind != "lora" || metadata.has("adapter.alora.invocation_tokens"))
      fail(Status::unsupported, "metadata 'adapter.type' is '%.40s'%s, expected 'lora'", kind.c_str(),
           kind == "lora" ? " with invocation tokens" : "");
    const std::string architecture = metadata.string("general.architecture");
    if (architecture != model.config.architecture)
      fail(Status::bad_file, "the adapter is for a model of architecture '%.40s', this one is '%s'",
           architecture.c_str(), model.config.architecture.c_str());
    alpha_ = metadata.number("adapter.lora.alpha", -1e9, 1e9, 0.0);
  }

  double scale(int64_t rank) const noexcept { return alpha_ != 0 ? alpha_ / double(rank) : 1; }

  // The matrices of a weight [out,in], or of a stack of experts; none: no pair.
  Pair find(const std::string& name, int64_t experts, int64_t out, int64_t in) {
    Pair p{tensors_.find(name + ".lora_a"), tensors_.find(name + ".lora_b")};
    if (!p.a && !p.b) return {};
    if (!p.a || !p.b) fail(Status::bad_file, "adapter: '%.200s' has only one of lora_a and lora_b", name.c_str());
    const int rank = experts > 0 ? 3 : 2;
    if (p.a->shape.rank == rank) p.rank = p.a->shape[-2];
    const bool shaped = p.a->shape.rank == rank && p.b->shape.rank == rank && p.rank >= 1 && p.rank <= kMostRank &&
                        p.a->shape[-1] == in && p.b->shape[-2] == out && p.b->shape[-1] == p.rank &&
                        (experts == 0 || (p.a->shape[0] == experts && p.b->shape[0] == experts));
    if (!shaped)
      fail(Status::bad_file, "adapter: '%.200s' has lora_a %s and lora_b %s, which do not fit a weight of [%s%jd, %jd]",
           name.c_str(), p.a->shape.text().c_str(), p.b->shape.text().c_str(),
           experts > 0 ? (std::to_string(experts) + ", ").c_str() : "", out, in);
    for (const TensorEntry* t : {p.a, p.b}) {
      if (t->dtype > DType::bf16 && t->dtype != DType::q8_0)
        fail(Status::unsupported, "adapter: '%.200s' has type %s, expected f32, f16, bf16 or q8_0", t->name.c_str(),
             name_of(t->dtype));
      used_.insert(t->name);
    }
    return p;
  }

  // lora_B of PEFT from lora_b: the rows of q and k change places.
  std::vector<float> rows_out(const NamedTensor& base, const Pair& p) const {
    std::vector<float> b = values_of(context_, *p.b);
    const std::string& name = base.name;
    const bool heads =
        family_of(model_.config).permuted && (name.ends_with(".q_proj.weight") || name.ends_with(".k_proj.weight"));
    if (!heads) return b;
    std::vector<float> out(b.size());
    for (int64_t r = 0; r < p.b->shape[0]; ++r)
      std::copy_n(b.data() + r * p.rank, p.rank, out.data() + half_split_row(r, model_.config.head_dim) * p.rank);
    return out;
  }

  // Every tensor has found its weight.
  void require_all_used() const {
    for (const UnreadableTensor& t : tensors_.unreadable())
      fail(Status::unsupported, "adapter: tensor '%.200s' %.200s", t.name.c_str(), t.why.c_str());
    for (const TensorEntry& t : tensors_.entries()) {
      if (used_.count(t.name)) continue;
      const bool lora = t.name.ends_with(".lora_a") || t.name.ends_with(".lora_b");
      fail(lora ? Status::bad_file : Status::unsupported, "adapter: tensor '%.200s' %s", t.name.c_str(),
           lora ? "fits no weight of the model that takes an adapter; is it another model's?" : "is no LoRA matrix");
    }
    if (used_.empty()) fail(Status::bad_file, "adapter: there are no tensors");
  }

 private:
  static const char* name_of(DType t) { return puna::name(t); }
  const Context& context_;
  const Llama& model_;
  const TensorMap& tensors_;
  double alpha_ = 0;
  std::set<std::string_view> used_;
};

}  // namespace

std::shared_ptr<Adapter> Adapter::from_gguf(const Context& context, const Llama& model, const Metadata& metadata,
                                            const TensorMap& tensors) {
  GgufAdapter file(context, model, metadata, tensors);
  std::shared_ptr<Adapter> adapter(new Adapter());
  Maker maker(context, *adapter);
  Llama names = model;
  const auto matrix = [&](const NamedTensor& base, const std::string& name) {
    const Pair p = file.find(name, 0, base.shape[0], base.shape[1]);
    if (!p) return;
    maker.add(base, p.rank, file.scale(p.rank) * double(p.rank));
    maker.fill(adapter->tensors_[adapter->tensors_.size() - 2], values_of(context, *p.a).data());
    maker.fill(adapter->tensors_.back(), file.rows_out(base, p).data());
  };
  // PEFT's lora_A [E R, outs] has rank j of expert e in row e R + j, its lora_B [in, R E] in column j E + e.
  const auto stack = [&](const NamedTensor& base, const std::vector<std::string>& parts) {
    const int64_t E = base.shape[0], in = base.shape[1], outs = base.shape[2], out = outs / int64_t(parts.size());
    std::vector<Pair> pairs;
    int64_t R = 0, first_rank = 0;
    for (const std::string& name : parts) {
      pairs.push_back(file.find(name, E, out, in));
      R += pairs.back().rank;
      if (first_rank == 0) first_rank = pairs.back().rank;
    }
    if (R == 0) return;
    if (R > kMostRank)
      fail(Status::bad_file, "adapter: '%.200s' and '%.200s' have %jd ranks, expected at most %jd",
           parts.front().c_str(), parts.back().c_str(), R, kMostRank);
    const double scale = file.scale(first_rank);
    std::vector<float> lora_a(size_t(E * R * outs)), lora_b(size_t(in * R * E));
    int64_t rank0 = 0;
    for (size_t i = 0; i < pairs.size(); ++i) {
      if (!pairs[i]) continue;
      const std::vector<float> a = values_of(context, *pairs[i].a), b = values_of(context, *pairs[i].b);
      const int64_t r = pairs[i].rank;
      const auto factor = float(file.scale(r) / scale);  // 1 where the ranks are the same
      for (int64_t e = 0; e < E; ++e)
        for (int64_t j = 0; j < r; ++j) {
          for (int64_t d = 0; d < in; ++d)
            lora_b[size_t(d * R * E + (rank0 + j) * E + e)] = a[size_t((e * r + j) * in + d)];
          for (int64_t o = 0; o < out; ++o)
            lora_a[size_t((e * R + rank0 + j) * outs + int64_t(i) * out + o)] =
                factor * b[size_t((e * out + o) * r + j)];
        }
      rank0 += r;
    }
    maker.add(base, R, scale * double(R));
    maker.fill(adapter->tensors_[adapter->tensors_.size() - 2], lora_a.data());
    maker.fill(adapter->tensors_.back(), lora_b.data());
  };
  for (const NamedTensor& base : named_tensors(names)) {
    if (!base.multiplies()) continue;
    const std::vector<std::string> parts = gguf_names(base.name);
    if (is_stack(base) && is_transposed(base))
      stack(base, parts);
    else if (is_stack(base))
      continue;  // gate and up are one tensor in those GGUF files: none is known that has an adapter for it
    else if (!parts.empty())
      matrix(base, parts[0]);
  }
  file.require_all_used();
  return adapter;
}

}  // namespace puna
