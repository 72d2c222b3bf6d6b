// json_steps.h -- the three pipelines of a tokenizer.json, each a tree of typed steps: normalizer, pre_tokenizer, decoder.
// A step or an option that is not implemented is an error that names it; nothing is skipped.
#pragma once
#include <string>
#include <vector>

#include "text/bpe_tokenizer.h"
#include "text/json_field.h"

namespace puna::text {

void read_normalizer(const JsonField& normalizer, Normalizer& out);

// Fills splitters and pre_normalizer; true: ByteLevel is among them, and the vocabulary is spelt in its alphabet.
bool read_pre_tokenizer(const JsonField& pre_tokenizer, TokenizerParts& parts);

struct JsonDecoder {
  std::vector<std::pair<std::string, std::string>> replacements;
  bool byte_level = false, byte_fallback = false, fused = false;
  Tokenizer::FirstSpace first_space = Tokenizer::FirstSpace::keep;
  std::string spoken(std::string_view piece) const;  // after the replacements
};
JsonDecoder read_decoder(const JsonField& decoder);

}  // namespace puna::text
