// tokenizer_files.h -- the real tokenizers, loaded once a test program: from the cache of downloaded models.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "io/gguf_header.h"
#include "puna/io/checkpoint.h"
#include "puna/text/tokenizer.h"
#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

inline TokenizerPtr load_smollm2() {
  return tokenizer_from_gguf(io::read_gguf_header(*open_path_source(smollm2())).metadata);
}

inline bool is_tokenizer_set(const Golden& g) { return g.fixture() == "tokenizer"; }

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += char(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// The tokens as text, for messages: "|Hel|lo|".
inline std::string pieces(const Tokenizer& t, const std::vector<int32_t>& ids) {
  std::string out = "|";
  for (const int32_t id : ids) out.append(t.bytes(id)).append("|");
  return out;
}

}  // namespace puna::test
