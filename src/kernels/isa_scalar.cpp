// isa_scalar.cpp -- the kernels for one instruction set (cmake/kernels.cmake has its flags). Nothing but kernel
// headers: no STL.
#define PUNA_ISA scalar
#include "kernels/kernel_table.h"

#include "kernels/simd_scalar.h"

#include "kernels/families.inl.h"
