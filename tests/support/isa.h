// isa.h -- the ISA levels this CPU can run, for tests that go through all of them.
#pragma once
#include <string>
#include <vector>

#include "kernels/kernel_table.h"

namespace puna::test {

inline std::vector<std::string> supported_isas() {
  IsaLevel levels[16];
  const int n = isa_levels(levels, 16);
  std::vector<std::string> names;
  for (int i = 0; i < n; ++i)
    if (levels[i].supported) names.emplace_back(levels[i].name);
  return names;
}

}  // namespace puna::test
