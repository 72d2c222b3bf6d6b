// peers.h -- `mpirun -n N puna train ...`: the processes that train one model together. MPI is in a module of its own
// (mpi/mpi.cpp) that is loaded when a launcher started this process, so that the command runs where there is no MPI.
#pragma once
#include "puna/train/trainer.h"

namespace puna::cli {

class MpiPeers {
 public:
  MpiPeers();  // alone unless started by mpirun. Error{unsupported} when this build has no MPI
  // while an exception is on its way: ends the other processes too, which would wait for this one for ever
  ~MpiPeers();
  MpiPeers(const MpiPeers&) = delete;
  MpiPeers& operator=(const MpiPeers&) = delete;

  train::Peers peers() const;
  int count() const noexcept { return count_; }
  bool first() const noexcept { return rank_ == 0; }  // the one that writes files and prints
  bool any(bool mine);  // whether any process says yes; all ask together, and end together when one did

 private:
  struct Module;
  const Module* module_ = nullptr;
  int rank_ = 0, count_ = 1, exceptions_ = 0;
  bool together_ = false;
};

}  // namespace puna::cli
