// safetensors_header.h -- the JSON header of a safetensors file, checked event by event: nothing is built that does not
// fit the format, so a malicious header costs no more memory than its own size.
// https://github.com/huggingface/safetensors
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/file_tensors.h"

namespace puna::io {

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;  // __metadata__
  std::vector<FileTensor> tensors;
};

// Tensors of types, ranks or sizes that this library does not have: an error, or kept by name and place for the case
// that nobody needs them.
enum class Unreadable { refused, kept };

// Names, types, shapes and offsets agree with each other; check_layout() is still to be called.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file, const Watch& watch = Watch(),
                                           Unreadable unreadable = Unreadable::refused);

// "BF16" <-> DType::bf16; NULL when the format has no such type.
const char* safetensors_type_name(DType dtype) noexcept;

}  // namespace puna::io
