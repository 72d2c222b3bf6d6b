// isa_avxvnni.cpp -- what avx2 with AVX-VNNI does in another way (cmake/kernels.cmake has its flags).
// Nothing but kernel headers: no STL.
#define PUNA_ISA avxvnni
#define PUNA_VNNI 1
#include "kernels/kernel_table.h"

#include "kernels/simd_avx2.h"

#include "kernels/dots.inl.h"
