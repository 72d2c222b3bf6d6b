#define PUNA_EIGEN_LEVEL avx2
#include "optional/eigen/product.inl.h"
