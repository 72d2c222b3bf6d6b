#include "runtime/opening/load_vision.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

bool has_vision(const Checkpoint& c) {
  const auto& all = c.tensors.entries();
  return c.metadata.has("vision_config.num_hidden_layers") &&
         std::any_of(all.begin(), all.end(), [](const TensorEntry& t) { return t.name.starts_with("vision_model."); });
}

LoadedVision load_projector(const Context& context, const std::string& path, int64_t text_hidden, bool mapped,
                            LoadProgress progress) {
  Checkpoint c = load_checkpoint(context, path);
  try {
    return {std::make_unique<const VisionTower>(
                VisionTower::from_mmproj(context, c.metadata, c.tensors, text_hidden, mapped, progress)),
            std::move(c.metadata),
            c.file_bytes,
            {}};
  } catch (const Error& e) {
    if (e.status() == Status::cancelled || e.status() == Status::out_of_memory) throw;
    fail(e.status(), "%s: %s", path.c_str(), e.what());
  }
}

}  // namespace

LoadedVision load_vision(const Context& context, const Checkpoint& c, const std::string& projector_path,
                         int64_t text_hidden, bool mapped, LoadProgress progress) {
  const bool own = has_vision(c), separate = !projector_path.empty();
  LoadedVision loaded;
  if (!own && !separate) return loaded;
  if constexpr (!kWithVision) {
    if (separate)
      fail(Status::unsupported, "%s: this library was built without vision (CMake: PUNA_VISION)",
           projector_path.c_str());
    loaded.why_not = "this library was built without vision (CMake: PUNA_VISION)";
    return loaded;
  }
  if (separate) {
    PUNA_REQUIRE(!own, "%s: the model has a vision encoder of its own", projector_path.c_str());
    return load_projector(context, projector_path, text_hidden, mapped, progress);
  }
  try {
    loaded.tower = std::make_unique<const VisionTower>(
        VisionTower::from_huggingface(context, c.metadata, c.tensors, text_hidden, mapped, progress));
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    loaded.why_not = e.what();
  }
  return loaded;
}

}  // namespace puna
