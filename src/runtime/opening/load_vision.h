// load_vision.h -- the vision encoder of a model: its own, or that of an mmproj file beside a text model.
#pragma once
#include <memory>

#include "puna/io/checkpoint.h"
#include "puna/model/vision.h"

namespace puna {

#ifndef PUNA_WITH_VISION
#define PUNA_WITH_VISION 1
#endif
inline constexpr bool kWithVision = PUNA_WITH_VISION;  // CMake: PUNA_VISION

struct LoadedVision {
  std::unique_ptr<const VisionTower> tower;  // NULL: there is none
  Metadata projector;                        // of the mmproj file, if it came from one
  uint64_t projector_bytes = 0;              // of that file, mapped while it is read
  std::string why_not;                       // there is one, but it is not supported
};

// An encoder that this library cannot run does not keep the text model from opening; a damaged one, or one that was
// asked for by name, does.
LoadedVision load_vision(const Context& context, const Checkpoint& checkpoint, const std::string& projector_path,
                         int64_t text_hidden, bool mapped, LoadProgress progress);

}  // namespace puna
