// grammar_handle.h -- what is behind a puna_grammar.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "puna.h"
#include "puna/base/error.h"
#include "puna/grammar/grammar.h"

struct puna_grammar {
  puna::GrammarPtr impl;
  std::vector<std::string> notes;
  std::vector<const char*> note_texts;
};

namespace puna::capi {

inline const puna_grammar& use(const puna_grammar* grammar) {
  PUNA_REQUIRE(grammar != nullptr, "grammar is NULL");
  return *grammar;
}

}  // namespace puna::capi
