// written_hash.h -- hashes of results that are the same on every machine, written down in tests/data/determinism.
#pragma once
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

inline uint64_t fnv1a(const void* data, size_t bytes) {
  uint64_t h = 1469598103934665603u;
  for (size_t i = 0; i < bytes; ++i) h = (h ^ static_cast<const unsigned char*>(data)[i]) * 1099511628211u;
  return h;
}

inline std::string hex(uint64_t h) {
  char text[17];
  snprintf(text, sizeof text, "%016jx", h);
  return text;
}

// The fixture, and a hash of its weights: another golden set has another name.
inline std::string name_with_weights(const Golden& g) {
  const std::string weights =
      read_text(g.folder() + (g.has_file("model.safetensors") ? "/model.safetensors" : "/config.json"));
  return g.fixture() + "-" + hex(fnv1a(weights.data(), weights.size()));
}

// Compares with the written hash when this very model is listed; otherwise says what it found.
inline void check_written(const std::string& key, const std::string& hash) {
  static const nlohmann::json written =
      nlohmann::json::parse(read_text(PUNA_SOURCE_DIR "/tests/data/determinism/hashes.json"));
  INFO("\"" << key << "\": \"" << hash << "\"");
  if (written.contains(key))
    CHECK(written[key] == hash);
  else
    WARN("no hash written for \"" << key << "\": \"" << hash << "\"");
}

}  // namespace puna::test
