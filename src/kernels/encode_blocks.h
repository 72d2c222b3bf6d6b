// encode_blocks.h -- f32 rows into the file formats that are simple enough to write well: F16, BF16 and the plain blocks of 32.
// The bytes are those of the gguf Python package, the format's reference. Blocks with NaN or infinity are encoded, not repaired.
// (K-quants are read, not written: a good encoder for them searches, and is a program of its own.)
#pragma once
#include <cstdint>

#include "puna/base/dtype.h"

namespace puna {

// Encodes n values, a multiple of the type's block, to bytes_of(info(dtype), n) bytes; no alignment is asked of dst.
using EncodeFunction = void (*)(void* dst, const float* x, int64_t n) noexcept;

// F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0; NULL for all others.
EncodeFunction encoder(DType dtype) noexcept;

}  // namespace puna
