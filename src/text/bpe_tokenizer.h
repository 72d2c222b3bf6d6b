// bpe_tokenizer.h -- the only implementation of Tokenizer: added tokens, normalizer, splitters and byte-pair model in a
// row. What differs between files is data; gguf_tokenizer.cpp, json_tokenizer.cpp, tekken_tokenizer.cpp,
// tiktoken_tokenizer.cpp and sentencepiece_tokenizer.cpp fill in TokenizerParts.
#pragma once
#include <string>
#include <vector>

#include "puna/text/tokenizer.h"
#include "text/added_tokens.h"
#include "text/bpe_model.h"
#include "text/normalizer.h"
#include "text/splitters.h"
#include "text/vocabulary.h"

namespace puna::text {

struct TokenizerParts {
  Vocabulary vocabulary;
  AddedTokens added;
  Normalizer normalizer;      // between the two passes of the added tokens
  Normalizer pre_normalizer;  // what pre-tokenizers do to a fragment before they split it
  std::vector<NextPiece> splitters;
  BpeModel model;
  bool cut_long_runs = false;  // as Meta's own tokenizers do, see long_runs.h
  int64_t rows = 0;            // of the model's embedding; 0: as many as there are tokens
  Tokenizer::Specials specials;
  std::vector<std::string> notes;
  Tokenizer::FirstSpace first_space = Tokenizer::FirstSpace::keep;
  std::vector<int32_t> literal_spaces;  // tokenizer.h
};

// Ids that text can name: the vocabulary's, and those of the embedding behind them.
int64_t known_ids(const TokenizerParts& parts) noexcept;
// `id`, which a file gives as `field`; -1 and a note when it is none of known_ids().
int32_t known_id(TokenizerParts& parts, const std::string& field, int64_t id);

// A token that is matched as a whole: control, unknown and user-defined ones. `text`: what it is in a text.
void add_if_found_in_text(TokenizerParts& parts, int32_t id, std::string text);

// The tokens of single bytes, all of which a byte-level vocabulary has. Error{bad_file} names `file` and the byte.
void find_bytes(TokenizerParts& parts, const char* file);

// Puts the parts together; the vocabulary's index and the added tokens are finished by then.
TokenizerPtr make_tokenizer(TokenizerParts&& parts, const Watch& watch);

// Adds to `stop` every id once: `eos`, then what the file lists, then tokens known by name to end an answer.
void collect_stops(Tokenizer::Specials& specials, const TokenizerParts& parts, const std::vector<int32_t>& listed);
bool is_known_stop(std::string_view name) noexcept;

}  // namespace puna::text
