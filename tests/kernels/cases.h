// cases.h -- what every kernel test goes through: all ISA levels of this CPU, sizes around every vector width.
#pragma once
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/isa.h"

namespace puna::test {

inline const std::vector<int64_t> kAwkwardSizes = {1, 7, 8, 15, 16, 17, 24, 31, 32, 33, 256, 1031};

// fn(kernels) for every level; the level's name is in the message of a failure.
template <class Fn>
void on_every_isa(Fn&& fn) {
  for (const std::string& isa : supported_isas()) {
    const KernelTable* kernels = select_kernels(isa.c_str());
    REQUIRE(kernels != nullptr);
    CAPTURE(isa);
    fn(*kernels);
  }
}

}  // namespace puna::test
