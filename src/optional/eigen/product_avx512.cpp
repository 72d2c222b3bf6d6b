#define PUNA_EIGEN_LEVEL avx512
#include "optional/eigen/product.inl.h"
