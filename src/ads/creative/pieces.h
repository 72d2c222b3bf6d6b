// pieces.h -- what texts are made of, taken from a brief: clauses, which are sentences of the facts and stay as they
// are, so that a number, a price, a date or a name never leaves what is said of it; sentences of words that carry no
// claim, with the name and the things of which the facts say "our" or "we make"; calls to come.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/ads/brief.h"
#include "puna/ads/lint.h"

namespace puna::ads {

struct Clause {
  std::string text;   // without its full stop
  int64_t fact = -1;  // number of the fact; -1: the name, or a call
};

// A sentence to be filled in: a choice of words for each slot.
struct Frame {
  struct Slot {
    std::vector<std::string> words;  // of the first one in capitals
    bool optional = false;
  };
  std::vector<Slot> slots;
  bool question = false;
};

struct Pieces {
  std::vector<Clause> clauses, calls;
  std::vector<std::string> things, ours;  // "sourdough bread"; "oven", and things
  std::vector<Frame> frames;              // none: the language has none
  FactLock lock;
};

Pieces pieces_of(const Brief& brief);

// What remains of the pieces where a text may have at most `limit` characters: what fits, and passes lint. A clause
// that lint wants reviewed is left out where another one is left.
struct FieldPieces {
  std::vector<Clause> clauses;  // facts' first, then the name, then calls
  size_t facts = 0;             // of the clauses
  std::vector<Frame> frames;
  int64_t too_long = 0, refused = 0;  // clauses of facts that were left out
  std::string refused_by;             // the first such rule
};
FieldPieces pieces_for(const Pieces& pieces, const LintRules& rules, const LintContext& context, int64_t limit);

}  // namespace puna::ads
