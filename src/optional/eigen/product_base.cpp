#define PUNA_EIGEN_LEVEL base
#include "optional/eigen/product.inl.h"
