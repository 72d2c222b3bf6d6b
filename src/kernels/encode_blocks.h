// encode_blocks.h -- f32 rows into the types that files hold. F16, BF16, the plain blocks of 32 and TQ give the bytes
// of the gguf Python package, the formats' reference; K-quants and IQ4 search for their scales (encode_searched.cpp),
// as any good writer of them does in its own way. Blocks with NaN or infinity are encoded, not repaired.
#pragma once
#include <cstdint>

#include "puna/base/dtype.h"

namespace puna {

// Encodes n values, a multiple of the type's block, to bytes_of(info(dtype), n) bytes; no alignment is asked of dst.
// importance: [n] >= 0, how much each column's error matters (NULL: all the same); types that do not search have no use
// for it.
using EncodeFunction = void (*)(void* dst, const float* x, int64_t n, const float* importance) noexcept;

// F16, BF16 and the block formats; NULL for all others (F32 needs none), and for IQ2, IQ3, IQ1 and the scaled ones,
// which are read only.
EncodeFunction encoder(DType dtype) noexcept;

}  // namespace puna
