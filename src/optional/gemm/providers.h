// providers.h -- the providers of this build (puna/base/gemm_provider.h). They bring thread pools, allocations and
// reading of the environment of their own (Eigen allocations alone), so they are a library beside libpuna, never part
// of it.
#pragma once
#include "puna/base/gemm_provider.h"

namespace puna {

#ifdef PUNA_HAVE_ONEDNN
const GemmProvider* onednn_provider();  // NULL when the library does not work here. Lives until the program ends
#endif
#ifdef PUNA_HAVE_OPENBLAS
const GemmProvider* openblas_provider();  // sets OpenBLAS to one thread, for the whole process: it knows nothing finer
#endif
#ifdef PUNA_HAVE_EIGEN
const GemmProvider* eigen_provider();  // keeps no state but the cache sizes it found
#endif

}  // namespace puna
