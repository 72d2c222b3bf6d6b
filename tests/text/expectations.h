// expectations.h -- reads tests/text/expected/*.json, which the make_*_expectations.py scripts beside it wrote with
// other people's code.
#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

// The files whose names start with `prefix`, each as (name, content); REQUIREs at least one.
inline std::vector<std::pair<std::string, nlohmann::json>> expectations(const std::string& prefix) {
  std::vector<std::pair<std::string, nlohmann::json>> files;
  for (const auto& entry : std::filesystem::directory_iterator(PUNA_SOURCE_DIR "/tests/text/expected")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) files.emplace_back(name, nlohmann::json::parse(read_text(entry.path().string())));
  }
  REQUIRE(!files.empty());
  return files;
}

}  // namespace puna::test
