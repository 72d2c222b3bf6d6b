#include "peers.h"

#include <cstdlib>
#include <exception>

#include "puna/base/error.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace puna::cli {

struct MpiPeers::Module {
  int (*open)(int* rank, int* count);
  int (*sum)(float* values, int64_t n);
  void (*close)();
  void (*abort)();
};

namespace {

// Environment variables that the launchers of OpenMPI, MPICH and Slurm set.
bool launched() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"})
    if (getenv(name)) return true;
  return false;
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
#ifdef _WIN32
  return false;
#else
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
#endif
}

}  // namespace

MpiPeers::MpiPeers() : exceptions_(std::uncaught_exceptions()) {
  if (!launched()) return;
#ifndef _WIN32
  static Module module;
  void* const library = dlopen("libpuna_mpi.so", RTLD_NOW | RTLD_GLOBAL);  // OpenMPI's own plugins look for its names
  const bool found = library && find(library, "puna_mpi_open", module.open) &&
                     find(library, "puna_mpi_sum", module.sum) && find(library, "puna_mpi_close", module.close) &&
                     find(library, "puna_mpi_abort", module.abort);
  if (!found)
    fail(Status::unsupported,
         "started by mpirun, but libpuna_mpi.so is not beside the command: it was built without MPI (libopenmpi-dev)");
  if (module.open(&rank_, &count_) != 0) fail(Status::internal, "MPI could not start");
  module_ = &module;
#else
  fail(Status::unsupported, "training by several processes is not built for Windows");
#endif
}

MpiPeers::~MpiPeers() {
  if (!module_) return;
  if (count_ > 1 && !together_ && std::uncaught_exceptions() > exceptions_) module_->abort();
  module_->close();
}

train::Peers MpiPeers::peers() const {
  return {rank_, count_, [m = module_](float* values, int64_t n) {
            if (m && m->sum(values, n) != 0) fail(Status::io, "MPI could not add up %jd values over the processes", n);
          }};
}

bool MpiPeers::any(bool mine) {
  if (count_ == 1) return mine;
  float votes = mine ? 1.0f : 0.0f;
  peers().all_reduce(&votes, 1);
  together_ = votes > 0;
  return together_;
}

}  // namespace puna::cli
