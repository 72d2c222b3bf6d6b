// isa_avx2.cpp -- the kernels for one instruction set (cmake/kernels.cmake has its flags). Nothing but kernel headers:
// no STL.
#define PUNA_ISA avx2
#define PUNA_VNNI 0
#define PUNA_ISA_WITH_DOTS avxvnni
#include "kernels/kernel_table.h"

#include "kernels/simd_avx2.h"

#include "kernels/families.inl.h"
