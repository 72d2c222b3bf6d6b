// bfcl.h -- the questions of the Berkeley Function-Calling Leaderboard, fetched by `./dev test`.
#pragma once
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

// One object a line of the file.
inline std::vector<nlohmann::ordered_json> bfcl_lines(const std::string& name) {
  std::ifstream in(model_file("bfcl/" + name));
  std::vector<nlohmann::ordered_json> out;
  for (std::string line; std::getline(in, line);)
    if (!line.empty()) out.push_back(nlohmann::ordered_json::parse(line));
  REQUIRE_FALSE(out.empty());
  return out;
}

}  // namespace puna::test
