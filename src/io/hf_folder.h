// hf_folder.h -- a Hugging Face folder into a Checkpoint: config.json, generation_config.json, one or several
// safetensors files.
#pragma once
#include "puna/io/checkpoint.h"

namespace puna::io {

Checkpoint load_folder(const Context& context, const std::string& folder, LoadProgress progress, const Watch& watch);

}  // namespace puna::io
