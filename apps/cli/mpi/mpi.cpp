// mpi.cpp -- libpuna_mpi.so: the four things that training by several processes needs of MPI, for peers.cpp to load.
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#define PUNA_MPI extern "C" __attribute__((visibility("default")))

PUNA_MPI int puna_mpi_open(int* rank, int* count) {
  int got = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &got) != MPI_SUCCESS) return 1;
  return MPI_Comm_rank(MPI_COMM_WORLD, rank) != MPI_SUCCESS || MPI_Comm_size(MPI_COMM_WORLD, count) != MPI_SUCCESS;
}

// values[i] = their sum over all processes: the same bits everywhere, as MPI asks of its implementations.
PUNA_MPI int puna_mpi_sum(float* values, int64_t n) {
  constexpr int64_t kAtOnce = 1 << 28;
  for (int64_t i = 0; i < n; i += kAtOnce)
    if (MPI_Allreduce(MPI_IN_PLACE, values + i, int(std::min(kAtOnce, n - i)), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD) !=
        MPI_SUCCESS)
      return 1;
  return 0;
}

PUNA_MPI void puna_mpi_close() { MPI_Finalize(); }
PUNA_MPI void puna_mpi_abort() { MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE); }
