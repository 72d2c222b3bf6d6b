// json_steps.h -- the three pipelines of a tokenizer.json, each a tree of typed steps: normalizer, pre_tokenizer,
// decoder. A step or an option that is not implemented is an error that names it; nothing is skipped.
#pragma once
#include <string>
#include <vector>

#include "base/json_field.h"
#include "text/bpe_tokenizer.h"

namespace puna::text {

void read_normalizer(const JsonField& normalizer, Normalizer& out);

// Fills splitters and pre_normalizer; true: ByteLevel is among them, and the vocabulary is spelt in its alphabet.
bool read_pre_tokenizer(const JsonField& pre_tokenizer, TokenizerParts& parts);

struct JsonDecoder {
  struct Replacement {
    std::string from, to, name;
  };
  std::vector<Replacement> replacements;
  bool byte_level = false, byte_fallback = false, fused = false;
  Tokenizer::FirstSpace first_space = Tokenizer::FirstSpace::keep;
  // After the replacements: at most 16 times as long, but for what `growth_budget` holds (4 KiB for all tokens).
  // Error{bad_file} names the step.
  std::string spoken(std::string_view piece, size_t& growth_budget, const Watch& watch) const;
};
JsonDecoder read_decoder(const JsonField& decoder);

}  // namespace puna::text
