// isa_avx512vnni.cpp -- what avx512 with AVX512-VNNI does in another way (cmake/kernels.cmake has its flags).
// Nothing but kernel headers: no STL.
#define PUNA_ISA avx512vnni
#define PUNA_VNNI 1
#include "kernels/kernel_table.h"

#include "kernels/simd_avx512.h"

#include "kernels/dots.inl.h"
