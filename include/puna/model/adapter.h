// adapter.h -- LoRA: small trained matrices beside a model's frozen ones, y = x W^T + (alpha/r) (x A^T) B^T
// (arXiv:2106.09685), for any linear layer: attention, feed-forward, routers, heads, and experts. In PEFT's names and
// shapes outside, in panels inside. An adapter belongs to the model that it was made for; it may be shared by sessions
// and threads while it is not trained.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "puna/base/context.h"
#include "puna/base/watch.h"
#include "puna/model/llama.h"

namespace puna {

struct Lora;         // src/ops/inference.h
struct NamedTensor;  // src/model/named_tensors.h

struct AdapterOptions {
  int64_t rank = 8;
  double alpha = 16;
  // Ends of Hugging Face module names: "q_proj", "self_attn.v_proj", "router", "experts.gate_up_proj", "lm_head"; "all"
  // = every matrix but embedding and head.
  std::vector<std::string> targets = {"q_proj", "v_proj"};
  uint64_t seed = 0;
};

class Adapter {
 public:
  // A uniform as PEFT's, B zero: the model is as without. Error{invalid_argument} when a target fits no weight.
  static std::shared_ptr<Adapter> create(const Context& context, const Llama& model, const AdapterOptions& options,
                                         const Watch& watch = Watch());
  // PEFT's adapter_config.json and the tensors of adapter_model.safetensors. Error{bad_file} naming what does not fit
  // the model, {unsupported} for what changes the formula (DoRA, biases, other methods).
  static std::shared_ptr<Adapter> from_peft(const Context& context, const Llama& model, std::string_view config_json,
                                            const TensorMap& tensors);
  // llama.cpp's: the metadata and tensors of a GGUF file of general.type "adapter". Error{bad_file} naming what does
  // not fit the model, {unsupported} for other kinds of adapters.
  static std::shared_ptr<Adapter> from_gguf(const Context& context, const Llama& model, const Metadata& metadata,
                                            const TensorMap& tensors);
  ~Adapter();
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  // What a recorder uses: by the address of the base weight's panels.
  const std::unordered_map<const std::byte*, Lora>& loras() const noexcept;
  // Under PEFT's names; the pieces point to this adapter's matrices.
  const std::vector<NamedTensor>& tensors() const noexcept { return tensors_; }
  // The blocks of values that training changes: name, f32 panels, how many values with the filling of the last panel.
  struct Block {
    std::string name;
    float* values;
    int64_t count;
  };
  const std::vector<Block>& blocks() noexcept { return blocks_; }
  size_t matrices() const noexcept { return blocks_.size(); }
  uint64_t fingerprint() const noexcept;  // of all values and their names
  std::string peft_config() const;        // adapter_config.json
  // Fields of the adapter_config.json it was read from that change nothing.
  const std::vector<std::string>& not_used() const noexcept { return not_used_; }
  // The model with the adapter's products added to its weights, which become f32 where there are any; the rest is
  // shared with `base`.
  Llama merge(const Context& context, const Llama& base) const;

 private:
  class Maker;
  Adapter();
  std::unique_ptr<std::unordered_map<const std::byte*, Lora>> loras_;
  std::vector<NamedTensor> tensors_;
  std::vector<Block> blocks_;
  std::deque<Weight> weights_;
  std::vector<Buffer> buffers_;
  struct Module {
    std::string name;
    bool stacked;
    int64_t rank;
    double alpha;
  };
  std::vector<Module> modules_;
  std::vector<std::string> not_used_;
};

using AdapterPtr = std::shared_ptr<const Adapter>;

}  // namespace puna
