// encode_searched.h -- the part of encoder() that searches: K-quants and IQ4.
#pragma once
#include "kernels/encode_blocks.h"

namespace puna {

EncodeFunction searched_encoder(DType dtype) noexcept;  // NULL for the types that need no search

}  // namespace puna
