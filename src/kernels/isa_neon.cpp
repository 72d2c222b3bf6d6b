// isa_neon.cpp -- the kernels for one instruction set (cmake/kernels.cmake has its flags). Nothing but kernel headers:
// no STL.
#define PUNA_ISA neon
#include "kernels/kernel_table.h"

#include "kernels/simd_neon.h"

#include "kernels/families.inl.h"
