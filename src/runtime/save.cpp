// save.cpp -- writes a model as GGUF: tensor names of llama.cpp, experts stacked, q and k rows of half-split
// checkpoints permuted to interleaved pairs (inside a head: new row 2i is old row i, new row 2i+1 is old row i +
// head_dim/2).
#include "puna/runtime/save.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "base/fp_env.h"
#include "io/gguf_format.h"
#include "kernels/encode_blocks.h"
#include "kernels/panel.h"
#include "model/config_common.h"
#include "model/extra_tensors.h"
#include "model/family.h"
#include "ops/linear.h"
#include "puna/base/error.h"
#include "puna/io/gguf.h"

namespace puna {
namespace {

// Blocks of 256 do not fit every row; those of 32 with as many bits or a few more take their place, as in llama.cpp's
// files.
DType fitting(DType type, int64_t cols) {
  if (cols % info(type).block == 0 || cols % 32 != 0) return type;
  switch (type) {
    case DType::q4_k: return DType::q5_0;
    case DType::q5_k: return DType::q5_1;
    case DType::q6_k: return DType::q8_0;
    default: return DType::iq4_nl;
  }
}

// llama.cpp's numbers for files (enum llama_ftype), which it derives from the type of most matrices.
int64_t file_type_of(DType type) {
  switch (type) {
    case DType::f16: return 1;
    case DType::q4_0: return 2;
    case DType::q4_1: return 3;
    case DType::q8_0: return 7;
    case DType::q5_0: return 8;
    case DType::q5_1: return 9;
    case DType::q2_k: return 10;
    case DType::q3_k: return 12;
    case DType::q4_k: return 15;
    case DType::q5_k: return 17;
    case DType::q6_k: return 18;
    case DType::iq2_xxs: return 19;
    case DType::iq2_xs: return 20;
    case DType::iq3_xxs: return 23;
    case DType::iq1_s: return 24;
    case DType::iq4_nl: return 25;
    case DType::iq3_s: return 26;
    case DType::iq2_s: return 28;
    case DType::iq4_xs: return 30;
    case DType::iq1_m: return 31;
    case DType::bf16: return 32;
    case DType::tq1_0: return 36;
    case DType::tq2_0: return 37;
    case DType::mxfp4: return 38;
    default: return 0;
  }
}

// How matrices become a tensor.
struct Layout {
  bool permute = false;
  const Shape* whole = nullptr;  // of all parts, and rows of zeros behind them; NULL: there is one part
  bool is_fine = false;          // not quantised: small, and much follows from it
};

class GgufTensors {
 public:
  GgufTensors(const Model& model, const SaveOptions& options)
      : c_(model.config()), kernels_(model.context().kernels()), options_(options) {
    if (options.matrices && *options.matrices != DType::f32 && !encoder(*options.matrices))
      fail(Status::unsupported, "%s cannot be written, only read", puna::name(*options.matrices));
    const LlamaWeights& w = model.llama().weights;
    matrix("token_embd.weight", {w.embedding});
    if (!c_.tied) matrix("output.weight", {w.lm_head});
    vector("output_norm.weight", w.final_norm, c_.hidden);
    rope_factors();
    LlamaWeights weights = w;  // the list of extras points into what may be changed
    extras(extra_tensors(c_, weights, ""));
    for (size_t l = 0; l < w.layers.size(); ++l) {
      LlamaLayer copy = w.layers[l];
      layer(gguf_names(c_, int64_t(l)), copy, int64_t(l));
      extras(extra_tensors(c_, copy, int64_t(l), ""));
    }
  }
  const std::vector<OutputTensor>& list() const noexcept { return list_; }
  int64_t file_type() const {
    const auto most = std::max_element(types_.begin(), types_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return file_type_of(most->first);
  }
  std::vector<ReplacedType> replaced() const {
    std::vector<ReplacedType> list = replaced_;
    for (ReplacedType& r : list)
      for (const auto& [type, n] : types_) r.all += n;
    return list;
  }

 private:
  void replace(DType wanted, DType got, int64_t row) {
    for (ReplacedType& r : replaced_)
      if (r.got == got) {
        ++r.matrices;
        return;
      }
    replaced_.push_back({wanted, got, row, 1, 0});
  }

  // What RoPE scaling divides the plain frequencies by, as llama.cpp reads it; we read the frequencies themselves, to
  // the last bit.
  void rope_factors() {
    const RopeScaling& scaling = c_.rope_scaling;
    const auto write = [&](const char* name, const std::vector<float>& factors) {
      list_.push_back({name, DType::f32, {int64_t(factors.size())}, factors.data(), {}});
    };
    if (!scaling.long_factor.empty() && !scaling.short_factor.empty()) {
      write("rope_factors_long.weight", scaling.long_factor);
      write("rope_factors_short.weight", scaling.short_factor);
    }
    const bool always = c_.architecture == "gemma4";  // which of a head's pairs are rotated
    if (family_of(c_).scaling && !always) return;     // there are keys for it
    const std::vector<float> plain = rope_inverse_frequency(c_.rotated(), c_.rope_theta, {});
    for (size_t i = 0; i < plain.size(); ++i)
      factors_.push_back(always && c_.inverse_frequency[i] == 0 ? kNotRotated : plain[i] / c_.inverse_frequency[i]);
    const bool scaled = always || std::any_of(factors_.begin(), factors_.end(), [](float f) { return f != 1; });
    const bool usable =
        std::all_of(factors_.begin(), factors_.end(), [](float f) { return std::isfinite(f) && f > 0; });
    if (scaled && usable) write("rope_freqs.weight", factors_);
  }

  void extras(const std::vector<ExtraTensor>& tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const ExtraTensor& t = tensors[i];
      if (t.vector) {
        vector(t.gguf, *t.vector, t.cols);
        continue;
      }
      std::vector<Weight> parts = {*t.matrix};
      Shape shape{std::max(t.rows, t.gguf_rows), t.cols};
      if (t.count > 0) {
        for (; i + 1 < tensors.size() && tensors[i + 1].gguf == t.gguf; ++i) parts.push_back(*tensors[i + 1].matrix);
        shape = {t.count, t.rows, t.cols};
      }
      matrix(t.gguf, std::move(parts), {.whole = &shape, .is_fine = t.is_fine});
    }
  }

  void layer(const LayerNames& n, const LlamaLayer& L, int64_t l) {
    const std::string& block = n.block;
    const bool is_moe = c_.is_moe[size_t(l)] != 0;
    const Layout heads{.permute = c_.rope_style == RopeStyle::half_split && family_of(c_).permuted};
    const int64_t D = c_.hidden, Q = L.wq.rows, KV = L.wk.rows, K = c_.head_dim_of(l);
    vector(n.attn_norm + ".weight", L.attn_norm, D);
    if (n.qkv.empty()) {
      matrix(n.q + ".weight", {L.wq}, heads);
      if (L.wk) matrix(n.k + ".weight", {L.wk}, heads);
      if (L.wv) matrix(n.v + ".weight", {L.wv});
    } else {
      fused(n.qkv + ".weight", {L.wq, L.wk, L.wv});
    }
    matrix(n.o + ".weight", {L.wo});
    vector(n.q + ".bias", L.bq, Q);
    vector(n.k + ".bias", L.bk, KV);
    vector(n.v + ".bias", L.bv, KV);
    vector(n.o + ".bias", L.bo, D);
    const bool whole = c_.qk_norm == QkNorm::whole;
    vector(n.q_norm + ".weight", L.q_norm, whole ? Q : K);
    vector(n.k_norm + ".weight", L.k_norm, whole ? KV : K);
    vector(n.sinks, L.sinks, c_.heads);
    vector(n.post_attn_norm + ".weight", L.post_attn_norm, D);
    vector(n.ffn_norm + ".weight", L.ffn_norm, D);
    vector(n.post_ffn_norm + ".weight", L.post_ffn_norm, D);
    if (!is_moe || c_.dense_beside_experts) dense(n, L.ffn);
    if (is_moe) experts(block, L);
  }

  void dense(const LayerNames& n, const ExpertWeights& e) {
    if (n.gate_up.empty()) return ffn(n.block, "", e);
    fused(n.gate_up + ".weight", {e.gate, e.up});
    matrix(n.down + ".weight", {e.down});
  }

  void experts(const std::string& block, const LlamaLayer& L) {
    list_.push_back(
        tensor(block + "ffn_gate_inp.weight", {L.router}, DType::f32, false, {L.router.rows, L.router.cols}));
    vector(block + "ffn_gate_inp.bias", L.router_bias, c_.experts);
    const auto stack = [&](const char* name, std::initializer_list<Weight ExpertWeights::*> below_each_other) {
      std::vector<Weight> all;
      Shape shape{c_.experts, 0, 0};
      for (const ExpertWeights& e : L.experts)
        for (const auto part : below_each_other) all.push_back(e.*part);
      for (const auto part : below_each_other) shape.dim[1] += (L.experts[0].*part).rows;
      shape.dim[2] = all[0].cols;
      require_one_type(block + name, all);
      matrix(block + name, std::move(all), {.whole = &shape});
    };
    const auto biases = [&](const char* name, const float* ExpertWeights::*part, int64_t count) {
      if (!(L.experts[0].*part)) return;
      std::vector<float>& all = biases_.emplace_back();
      for (const ExpertWeights& e : L.experts) all.insert(all.end(), e.*part, e.*part + count);
      list_.push_back({block + name, DType::f32, {c_.experts, count}, all.data(), {}});
    };
    if (family_of(c_).experts == ExpertLayout::stacked_rows) {
      stack("ffn_gate_up_exps.weight", {&ExpertWeights::gate, &ExpertWeights::up});
    } else {
      stack("ffn_gate_exps.weight", {&ExpertWeights::gate});
      stack("ffn_up_exps.weight", {&ExpertWeights::up});
    }
    stack("ffn_down_exps.weight", {&ExpertWeights::down});
    biases("ffn_gate_exps.bias", &ExpertWeights::gate_bias, c_.expert_ffn);
    biases("ffn_up_exps.bias", &ExpertWeights::up_bias, c_.expert_ffn);
    biases("ffn_down_exps.bias", &ExpertWeights::down_bias, c_.hidden);
    if (L.ffn.gate && !c_.dense_beside_experts) ffn(block, "_shexp", L.ffn);
  }

  void ffn(const std::string& block, const char* suffix, const ExpertWeights& e) {
    matrix(block + "ffn_gate" + suffix + ".weight", {e.gate});
    matrix(block + "ffn_up" + suffix + ".weight", {e.up});
    matrix(block + "ffn_down" + suffix + ".weight", {e.down});
  }

  void vector(const std::string& name, const float* values, int64_t count) {
    if (values) list_.push_back({name, DType::f32, {count}, values, {}});
  }

  static void require_one_type(const std::string& name, const std::vector<Weight>& parts) {
    for (const Weight& w : parts)
      if (w.dtype != parts[0].dtype)
        fail(Status::unsupported, "tensor '%s' would be of two types, %s and %s", name.c_str(),
             puna::name(parts[0].dtype), puna::name(w.dtype));
  }

  // Matrices below each other under one name, of one type.
  void fused(const std::string& name, std::vector<Weight> parts) {
    int64_t rows = 0;
    for (const Weight& w : parts) rows += w.rows;
    require_one_type(name, parts);
    const Shape shape{rows, parts[0].cols};
    matrix(name, std::move(parts), {.whole = &shape});
  }

  void matrix(const std::string& name, std::vector<Weight> parts, const Layout& layout = {}) {
    const Weight first = parts.front();
    DType type = options_.matrices ? fitting(*options_.matrices, first.cols) : first.dtype;
    if (layout.is_fine && is_quantised(type)) type = first.dtype;
    if (first.cols % info(type).block != 0)
      fail(Status::unsupported, "tensor '%s': rows of %jd values do not fit %s blocks of %d", name.c_str(), first.cols,
           puna::name(type), info(type).block);
    if (options_.matrices && type != *options_.matrices && !layout.is_fine)
      replace(*options_.matrices, type, first.cols);
    if (!layout.is_fine) ++types_[type];
    if (!io::gguf::type_id_of(type))
      fail(Status::unsupported, "tensor '%s' is kept as %s, which GGUF files do not have: choose a type to write",
           name.c_str(), puna::name(type));
    const Shape shape = layout.whole ? *layout.whole : Shape{first.rows, first.cols};
    list_.push_back(tensor(name, std::move(parts), type, layout.permute, shape));
  }

  OutputTensor tensor(const std::string& name, std::vector<Weight> parts, DType type, bool permute,
                      const Shape& shape) const {
    int64_t given = 0;
    for (const Weight& w : parts) given += w.rows;
    rows_ += uint64_t(given);
    const int64_t zeros = shape.count() / parts[0].cols - given;
    return {name, type, shape, nullptr, [this, parts = std::move(parts), type, permute, zeros](auto write) {
              for (const Weight& w : parts) rows(w, type, permute, write);
              zero_rows(zeros, parts[0].cols, type, write);
            }};
  }

  static void zero_rows(int64_t count, int64_t cols, DType type, FunctionRef<void(const void*, uint64_t)> write) {
    const std::vector<float> row(size_t(cols), 0.0f);
    std::vector<std::byte> bytes(size_t(bytes_of(info(type), uint64_t(cols))), std::byte{0});
    if (count > 0 && type != DType::f32 && encoder(type)) encoder(type)(bytes.data(), row.data(), cols, nullptr);
    for (int64_t i = 0; i < count; ++i) write(bytes.data(), bytes.size());
  }

  void rows(const Weight& w, DType type, bool permute, FunctionRef<void(const void*, uint64_t)> write) const {
    const size_t n = size_t(w.cols);
    std::vector<float> row(n);
    std::vector<std::byte> bytes(size_t(bytes_of(info(type), n)));
    const float* importance = nullptr;
    if (options_.importance)
      if (const auto found = options_.importance->find(w.panels);
          found != options_.importance->end() && found->second.size() == n)
        importance = found->second.data();
    for (int64_t r = 0; r < w.rows; ++r) {
      if (options_.progress && !options_.progress(++rows_written_, rows_))
        fail(Status::cancelled, "writing was cancelled");
      const int64_t head = r / c_.head_dim * c_.head_dim, i = r % c_.head_dim;
      const int64_t source = permute ? head + i / 2 + i % 2 * (c_.head_dim / 2) : r;
      if (type == w.dtype) {
        const auto* panel = reinterpret_cast<const uint8_t*>(w.panels) + source / kTileRows * w.panel_bytes;
        unpack_row(reinterpret_cast<uint8_t*>(bytes.data()), type, panel, int(source % kTileRows), w.cols);
      } else {
        weight_row(kernels_, row.data(), w, source);
        if (type == DType::f32)
          std::copy(row.begin(), row.end(), reinterpret_cast<float*>(bytes.data()));
        else
          encoder(type)(bytes.data(), row.data(), w.cols, importance);
      }
      write(bytes.data(), bytes.size());
    }
  }

  const LlamaConfig& c_;
  const KernelTable& kernels_;
  const SaveOptions& options_;
  std::vector<float> factors_;
  std::deque<std::vector<float>> biases_;
  std::vector<OutputTensor> list_;
  std::map<DType, int64_t> types_;  // matrices of each; routers, which are always f32, do not count
  std::vector<ReplacedType> replaced_;
  mutable uint64_t rows_ = 0, rows_written_ = 0;  // of all matrices
};

}  // namespace

std::vector<std::string> save_gguf(const Model& model, const std::string& path, const SaveOptions& options) {
  const FpEnv fp;
  Metadata metadata = gguf_metadata(model.config());
  if (model.checkpoint().format == Checkpoint::Format::gguf)
    for (const auto& [key, value] : model.checkpoint().metadata.values())
      if ((key.starts_with("tokenizer.") || key.starts_with("general.")) && !metadata.find(key))
        metadata.set(key, value);
  const GgufTensors tensors(model, options);
  constexpr int64_t kQuantizationVersion = 2;  // of the blocks' layouts, as this library writes them
  metadata.replace("general.file_type", tensors.file_type());
  metadata.replace("general.quantization_version", kQuantizationVersion);
  if (options.replaced) *options.replaced = tensors.replaced();
  return write_gguf(path, metadata, tensors.list(), {options.tensors_per_file});
}

}  // namespace puna
