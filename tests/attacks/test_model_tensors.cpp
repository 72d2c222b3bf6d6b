// Hostile tensors: for each tensor that a model reads, it is missing, of another shape, of another type, or of other
// bytes.
#include "attacks/model_attack.h"
#include "model/made_model.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

bool is_checkpoint(const Golden& g) {
  return g.has_file("config.json") && g.has_file("model.safetensors") && (g.has("logits") || g.fixture() == "scaled");
}

using Load = std::function<void(const Context&, const TensorMap&)>;

// The tensors without which `load` fails, that is those it reads.
std::vector<TensorEntry> read_tensors(const ContextPtr& context, const TensorMap& tensors, const Load& load) {
  std::vector<TensorEntry> read;
  for (const TensorEntry& t : tensors.entries()) {
    try {
      load(*context, with(tensors, t.name));
    } catch (const Error&) {
      read.push_back(t);
    }
  }
  return read;
}

void attack_tensors(const TensorMap& tensors, size_t at_least, const Load& load) {
  const ContextPtr context = context_with();
  const std::vector<TensorEntry> read = read_tensors(context, tensors, load);
  CHECK(read.size() >= at_least);
  for (const TensorEntry& t : read) {
    CAPTURE(t.name);
    expect_model_refused(context, "'" + t.name + "'", [&](const Context& c) { load(c, with(tensors, t.name)); });
    if (t.shape.count() == 1) continue;  // a scale of a whole tensor, of any number of dimensions
    for (const auto& [what, changed] : tensor_lies(t)) {
      CAPTURE(what);
      expect_model_refused(context, "'" + t.name + "'",
                           [&](const Context& c) { load(c, with(tensors, "", &changed)); });
    }
  }
}

}  // namespace

TEST_CASE("every tensor of a Hugging Face checkpoint is checked before it is used", "[attacks][golden]") {
  for (const Golden& g : goldens(is_checkpoint)) {
    INFO("golden set " << g.folder());
    const Checkpoint checkpoint = load_checkpoint(*context_with(), g.folder());
    const LlamaConfig c = config_from_huggingface(checkpoint.metadata);
    const int64_t each = c.architecture == "phi3" ? 6 : 9;  // fused projections
    attack_tensors(checkpoint.tensors, size_t(2 + each * c.layers),
                   [&](const Context& context, const TensorMap& tensors) {
                     Llama::from_huggingface(context, checkpoint.metadata, tensors);
                   });
  }
}

TEST_CASE("every tensor of a GGUF checkpoint is checked before it is used", "[attacks]") {
  for (const bool llama4 : {false, true})
    for (const bool tied : {false, true}) {
      LlamaConfig c = make_config(llama4, 3, 64, 4, 2, 32, 40, 96);
      c.tied = tied;
      const Made made = make_gguf(c);
      CAPTURE(llama4, tied);
      // Without token_embd the vocabulary is unknown; without output.weight the model is tied: both by design.
      attack_tensors(made.map(), size_t(2 + 9 * c.layers), [&](const Context& context, const TensorMap& tensors) {
        Llama::from_gguf(context, made.metadata, tensors);
      });
    }
}

TEST_CASE("fused experts stored [in,out] cannot be quantised: Error{unsupported}", "[attacks][golden]") {
  int attacked = 0;
  for (const Golden& g : goldens(is_checkpoint)) {
    const ContextPtr context = context_with();
    const Checkpoint checkpoint = load_checkpoint(*context, g.folder());
    const int64_t hidden = config_from_huggingface(checkpoint.metadata).hidden;
    for (const TensorEntry& t : checkpoint.tensors.entries()) {
      const bool stacked = t.name.find(".experts.") != t.name.npos && t.shape.rank == 3;
      const bool is_down = t.name.find("down_proj") != t.name.npos;
      if (!stacked || t.shape[-1] % 32 != 0) continue;
      if (t.shape[is_down ? -1 : -2] != hidden) continue;  // stored [out,in], as linear layers are
      std::vector<std::byte> blocks(size_t(bytes_of(info(DType::q8_0), uint64_t(t.shape.count()))));
      TensorEntry quantised = t;
      quantised.dtype = DType::q8_0;
      quantised.data = blocks.data();
      quantised.bytes = blocks.size();
      CAPTURE(t.name);
      expect_model_refused(context, "'" + t.name + "'", [&](const Context& c) {
        Llama::from_huggingface(c, checkpoint.metadata, with(checkpoint.tensors, "", &quantised));
      });
      ++attacked;
    }
  }
  CHECK(attacked > 0);
}

TEST_CASE("experts of different types are refused by layer", "[attacks]") {
  LlamaConfig c = make_config(true, 2, 64, 4, 2, 32, 40, 96);
  Made made = make_gguf(c);
  for (const char* part : {"gate", "up", "down"}) {  // older files: a tensor an expert
    const std::string stacked = "blk.1.ffn_" + std::string(part) + "_exps.weight";
    const Shape s = made.tensor(stacked).shape;
    made.remove(stacked);
    for (int e = 0; e < 3; ++e)
      made.add("blk.1.ffn_" + std::string(part) + "." + std::to_string(e) + ".weight", DType::f32, {s[1], s[2]}, 0,
               0.1f);
  }
  CHECK_NOTHROW(load_made(made));
  const std::string odd = "blk.1.ffn_up.2.weight";
  const Shape shape = made.tensor(odd).shape;
  made.remove(odd);
  made.add(odd, DType::f16, shape, 0, 0.1f);
  const ContextPtr context = context_with();
  expect_model_refused(context, "layer 1", [&](const Context& k) { Llama::from_gguf(k, made.metadata, made.map()); });
}

TEST_CASE("a vocabulary of nothing is no vocabulary", "[attacks]") {
  LlamaConfig c = make_config(false, 1, 64, 4, 2, 32, 40, 96);
  c.tied = true;
  Made made = make_gguf(c);
  TensorEntry& embedding = made.tensor("token_embd.weight");
  embedding.shape = {0, 64};
  embedding.bytes = 0;
  expect_model_refused(context_with(), "token_embd.weight",
                       [&](const Context& k) { Llama::from_gguf(k, made.metadata, made.map()); });
}
