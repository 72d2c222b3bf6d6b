// sentencepiece.h -- how SentencePiece vocabularies spell things: U+2581 for a space, "<0x0A>" for a byte.
#pragma once
#include <string_view>

#include "text/vocabulary.h"

namespace puna::text {

int byte_of_name(std::string_view name) noexcept;  // "<0x0A>" -> 10; -1: not such a name

// True when the mark stands in no piece after another character, and alone is a piece. Then no merge reaches across the
// front of a run of marks, and a text may be cut there: word by word, instead of all of it at once.
bool marks_only_lead(const Vocabulary& vocabulary) noexcept;

}  // namespace puna::text
