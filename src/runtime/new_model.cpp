#include "puna/runtime/new_model.h"

#include "base/fp_env.h"
#include "base/os.h"
#include "io/hf_config.h"
#include "puna/model/new_llama.h"

namespace puna {

ModelPtr new_model(const ContextPtr& context, const std::string& config_path, const Metadata& tokenizer, uint64_t seed) {
  const FpEnv fp;
  Metadata config;
  io::flatten_config(os::read_file(config_path, io::kMaxConfigBytes), config_path, "", config);
  Llama llama = new_llama(*context, config_from_huggingface(config), seed);
  // In GGUF files of dense Llama the heads are interleaved: random weights are as good either way.
  llama.config.rope_style = RopeStyle::interleaved;
  Checkpoint checkpoint;
  checkpoint.format = Checkpoint::Format::gguf;
  checkpoint.metadata = gguf_metadata(llama.config);
  for (const auto& [key, value] : tokenizer.values())
    if (key.starts_with("tokenizer.")) checkpoint.metadata.set(key, value);
  return Model::from_weights(context, std::move(checkpoint), std::move(llama));
}

}  // namespace puna
