// gguf_load.h -- a GGUF model into a Checkpoint: one file, or a set split as name-00001-of-0000N.gguf.
#pragma once
#include "puna/io/checkpoint.h"

namespace puna::io {

// finds the other files of a set
Checkpoint load_gguf(const Context& context, const std::string& path, LoadProgress progress, const Watch& watch);
// one complete file
Checkpoint load_gguf(const Context& context, const SourcePtr& source, LoadProgress progress, const Watch& watch);

// "dir/name-00002-of-00003.gguf" for the stem "dir/name".
std::string gguf_split_path(const std::string& stem, int64_t number /* from 1 */, int64_t count);

}  // namespace puna::io
