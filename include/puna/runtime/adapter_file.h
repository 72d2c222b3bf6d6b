// adapter_file.h -- adapters on disk: as PEFT has them, a folder with adapter_config.json and
// adapter_model.safetensors; or as llama.cpp has them, one GGUF file. Written are PEFT's.
#pragma once
#include <string>

#include "puna/model/adapter.h"
#include "puna/runtime/model.h"

namespace puna {

// Error{bad_file} naming what is wrong or does not fit the model. Files are untrusted input.
AdapterPtr load_adapter(const Model& model, const std::string& path);
// Each file is replaced in one step; the folder is made if it is not there.
void save_adapter(const Adapter& adapter, const std::string& folder);
// The model with the adapter's products added to its weights (f32 where there are any).
ModelPtr merge_adapter(const Model& model, const Adapter& adapter);

}  // namespace puna
