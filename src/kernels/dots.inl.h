// dots.inl.h -- the families that an integer dot instruction changes, for a level that is another one (avx2, avx512)
// with such an instruction. Its table is that level's but for these three functions; families.inl.h writes it.
#pragma GCC diagnostic ignored "-Wunused-function"  // the other level has them
// clang-format off
#include "kernels/groups.inl.h"
#include "kernels/formats_grid.inl.h"
#include "kernels/formats.inl.h"
#include "kernels/gemm.inl.h"
#include "kernels/search.inl.h"
// clang-format on
