// grammar_handle.h -- what is behind a puna_grammar.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "puna.h"
#include "puna/base/error.h"
#include "puna/grammar/grammar.h"
#include "puna_grammar.h"
#include "translate.h"

struct puna_grammar {
  puna::GrammarPtr impl;
  std::vector<std::string> notes;
  std::vector<const char*> note_texts;

  void show_notes() {  // once they are all there
    for (const std::string& note : notes) note_texts.push_back(note.c_str());
  }
};

namespace puna::capi {

inline const puna_grammar& use(const puna_grammar* grammar) {
  PUNA_REQUIRE(grammar != nullptr, "grammar is NULL");
  return *grammar;
}

inline JsonSchemaOptions json_options_from_c(const puna_grammar_options& o) {
  JsonSchemaOptions json;
  if (o.max_nodes) json.limits.nodes = o.max_nodes;
  if (o.max_states) json.limits.states = o.max_states;
  if (o.max_bytes) json.limits.bytes = o.max_bytes;
  in_range(o.max_whitespace, -1, 1000, "max_whitespace");
  if (o.max_whitespace != 0) json.max_whitespace = std::max(o.max_whitespace, 0);
  return json;
}

}  // namespace puna::capi
