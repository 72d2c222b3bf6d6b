// train_bpe.h -- a byte-level BPE vocabulary made from a text: the most frequent pair of neighbours becomes a token,
// again and again (arXiv:1508.07909). Words are cut as Llama 3 cuts them, so the result is a tokenizer that every
// engine knows how to run.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "puna/tensor/metadata.h"

namespace puna {

struct BpeOptions {
  int64_t vocabulary = 4096;  // in all: 256 bytes, merges, specials
  int64_t min_count = 2;      // pairs seen less often are not merged: the vocabulary may stay smaller
  // Control tokens, at the end of the vocabulary. The first is BOS, the second EOS.
  std::vector<std::string> specials = {"<|begin_of_text|>", "<|end_of_text|>", "<|eot|>"};
  std::string chat_template;  // "" = none
};

// "tokenizer.*" keys of a GGUF file. The same on every machine: ties go to the lower pair of ids.
// Error{invalid_argument} when an option is out of range or the text is empty. Time is n log n in the text, whatever it
// is.
Metadata train_bpe(std::string_view text, const BpeOptions& options, const Watch& watch = Watch());

}  // namespace puna
