#include "puna/runtime/new_model.h"

#include "base/fp_env.h"
#include "base/os.h"
#include "io/hf_config.h"
#include "puna/base/error.h"
#include "puna/model/new_llama.h"

namespace puna {

ModelPtr new_model(const ContextPtr& context, const std::string& config_path, const Metadata& tokenizer,
                   uint64_t seed) {
  const FpEnv fp;
  Metadata config;
  io::flatten_config(os::read_file(config_path, io::kMaxConfigBytes), config_path, "", config);
  const LlamaConfig wanted = config_from_huggingface(config);
  Checkpoint written;
  written.format = Checkpoint::Format::huggingface;
  written.metadata = config;
  for (const NotUsed::Item& key :
       not_used(written)
           .keys)  // somebody wrote the file for this model: a misspelt field would be a default in silence
    if (!key.note.empty())
      fail(Status::bad_file, "%s: '%.100s' is not known, %s", config_path.c_str(), key.name.c_str(), key.note.c_str());
  Llama llama = new_llama(*context, wanted, seed);
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
