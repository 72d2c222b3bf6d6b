// isa_avx512.cpp -- the kernels for one instruction set (cmake/kernels.cmake has its flags). Nothing but kernel
// headers: no STL.
#define PUNA_ISA avx512
#define PUNA_VNNI 0
#define PUNA_ISA_WITH_DOTS avx512vnni
#include "kernels/kernel_table.h"

#include "kernels/simd_avx512.h"

#include "kernels/families.inl.h"
