// safetensors_read.h -- a safetensors file as one part of a model that may have several.
#pragma once
#include "io/safetensors_header.h"

namespace puna::io {

struct SafetensorsPart {
  SourcePtr source;
  SafetensorsHeader header;
  uint64_t data_offset = 0;
};

// Reads and checks the header; touches no tensor data.
SafetensorsPart open_safetensors(SourcePtr source, const Watch& watch = Watch(),
                                 Unreadable unreadable = Unreadable::refused);

}  // namespace puna::io
