// sentencepiece.h -- how SentencePiece vocabularies spell things, U+2581 for a space and "<0x0A>" for a byte, and what
// is made of one, whichever file it comes from.
#pragma once
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"
#include "text/bpe_tokenizer.h"

namespace puna::text {

int byte_of_name(std::string_view name) noexcept;  // "<0x0A>" -> 10; -1: not such a name

// True when the mark stands in no piece after another character, and alone is a piece. Then no merge reaches across the
// front of a run of marks, and a text may be cut there: word by word, instead of all of it at once.
bool marks_only_lead(const Vocabulary& vocabulary) noexcept;

struct SentencePieces {
  const char* field;  // where the file has them, for errors
  FunctionRef<std::string_view(size_t id)> piece;
  const std::vector<TokenKind>& kinds;  // one an id, as many as there are pieces
};
// Vocabulary and added tokens. What has no piece falls back to bytes; what is merged first, scores or a list say.
void add_sentencepieces(const SentencePieces& pieces, TokenizerParts& parts, const Watch& watch);
// Pairs merge by score, one an id, finite.
void merge_by_scores(const std::vector<double>& scores, TokenizerParts& parts);
// What the normalizer does to spaces. prefix: one goes in front of a text; collapse: none at the ends, no two in a row.
// After add_sentencepieces().
void add_sentencepiece_spaces(bool prefix, bool collapse, TokenizerParts& parts);

}  // namespace puna::text
