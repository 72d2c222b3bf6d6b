#include "puna/runtime/adapter_file.h"

#include "base/fp_env.h"
#include "base/os.h"
#include "model/named_tensors.h"
#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "puna/io/safetensors.h"

namespace puna {
AdapterPtr load_adapter(const Model& model, const std::string& folder) {
  const FpEnv fp;
  if (os::is_file(folder)) {
    const Checkpoint file = load_checkpoint(model.context(), folder);
    return Adapter::from_gguf(model.context(), model.llama(), file.metadata, file.tensors);
  }
  if (!os::is_file(folder + "/adapter_config.json"))
    fail(Status::io,
         "%s: expected a folder as PEFT writes it, with adapter_config.json and adapter_model.safetensors, or a GGUF "
         "file of llama.cpp's",
         folder.c_str());
  const std::string config = os::read_file(folder + "/adapter_config.json", 1 << 20);
  const SafetensorsFile file =
      read_safetensors(model.context(), open_path_source(folder + "/adapter_model.safetensors"));
  return Adapter::from_peft(model.context(), model.llama(), config, file.tensors);
}

void save_adapter(const Adapter& adapter, const std::string& folder) {
  os::make_folder(folder);
  std::vector<OutputTensor> out;
  for (const NamedTensor& t : adapter.tensors())
    out.push_back({t.name, DType::f32, t.shape, nullptr, [&t](auto write) {
                     std::vector<float> values(size_t(t.shape.count()));
                     copy_out(values.data(), t, [](const void* w) { return static_cast<const float*>(w); });
                     write(values.data(), values.size() * sizeof(float));
                   }});
  write_safetensors(folder + "/adapter_model.safetensors", {{"format", "pt"}}, out);
  const std::string config = adapter.peft_config();
  os::AtomicFile file(folder + "/adapter_config.json");
  file.write(config.data(), config.size());
  file.commit();
}

ModelPtr merge_adapter(const Model& model, const Adapter& adapter) {
  const FpEnv fp;
  return model.with_weights(adapter.merge(model.context(), model.llama()));
}

}  // namespace puna
