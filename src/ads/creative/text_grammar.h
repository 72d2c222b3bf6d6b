// text_grammar.h -- the language of the texts that a field may have: sentences made of a field's pieces, none longer
// than the limit. The room that is left is part of the automaton's state, in the placement's characters, so a text
// that is too long is not in the language, and every beginning that is in it has an end.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "ads/creative/pieces.h"
#include "puna/base/watch.h"
#include "puna/grammar/grammar.h"

namespace puna::ads {

struct TextShape {
  int64_t limit = 0;
  int sentences = 1;        // at most
  bool full_stops = false;  // behind each
};
TextShape shape_of(const PlacementField& field, int64_t limit);

struct TextGrammar {
  GrammarPtr grammar;
  uint64_t hash = 0;   // of the pieces and the shape
  size_t longest = 0;  // bytes that a text has at most
};
// Error{invalid_argument} where no text fits.
TextGrammar text_grammar(const FieldPieces& pieces, const Placement& placement, const TextShape& shape,
                         const Watch& watch);

// Texts of that language without a model, the best ones first: clauses alone, then one after the other, then with a
// call. At most `most`.
std::vector<std::string> plain_texts(const FieldPieces& pieces, const Placement& placement, const TextShape& shape,
                                     size_t most);

}  // namespace puna::ads
