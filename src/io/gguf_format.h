// gguf_format.h -- the numbers of the GGUF format, shared by reader and writer.
// Layout (v2, v3): magic u32, version u32, tensor count u64, key count u64; keys: name, type u32, value; tensors: name,
// rank u32, dims u64 (innermost first), type u32, offset u64 from the data section, which starts at the next multiple
// of general.alignment. Strings are u64 length + bytes. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "puna/base/dtype.h"

namespace puna::io::gguf {

inline constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kVersion = 3;
inline constexpr uint64_t kDefaultAlignment = 32;

enum class ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

// The element type of a tensor type id, if this build reads it.
std::optional<DType> dtype_of(uint32_t type_id) noexcept;
// And back; nullopt for U8 and BOOL, which GGUF does not have.
std::optional<uint32_t> type_id_of(DType dtype) noexcept;
// "IQ2_XS" for ids that exist but are not read, "unknown" otherwise.
const char* name_of_type(uint32_t type_id) noexcept;

// Keys that say how a model is divided into files. They describe files, not the model, and are kept apart from its
// metadata.
inline constexpr const char* kSplitNo = "split.no";
inline constexpr const char* kSplitCount = "split.count";
inline constexpr const char* kSplitTensors = "split.tensors.count";
constexpr bool is_split_key(std::string_view key) noexcept {
  return key == kSplitNo || key == kSplitCount || key == kSplitTensors;
}

inline constexpr const char* kAlignment = "general.alignment";

constexpr bool is_alignment(uint64_t n) noexcept { return n >= 8 && n <= (1 << 20) && (n & (n - 1)) == 0; }

}  // namespace puna::io::gguf
