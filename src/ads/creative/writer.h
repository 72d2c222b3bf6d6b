// writer.h -- the texts of one field of one placement: asked of the model, checked, put into the variants that need
// them; no two of a field say the same.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "ads/creative/pieces.h"
#include "ads/creative/prompts.h"
#include "ads/creative/text_grammar.h"
#include "puna/ads/plan.h"
#include "puna/runtime/engine.h"

namespace puna::ads {

// A text that a variant needs in a field.
struct Slot {
  size_t variant = 0;
  int64_t limit = 0;
  bool filled = false;
  PlannedText text;
};

class FieldWriter {
 public:
  FieldWriter(const Brief& brief, const Pieces& pieces, const Placement& placement, const PlacementField& field,
              int64_t variants, const LintRules& rules, const Watch& watch);

  // Asks for what is missing, and some more; collect() once the requests have ended. `seed`: the request's own.
  void submit(Engine& engine, const Prompts& prompts, const PlanOptions& options, uint64_t seed);
  void collect(Plan& plan);
  // What the model could not write, without it: new texts, then those of other variants. False: a slot stays empty.
  bool complete(Plan& plan);

  int64_t missing() const;
  // Answers that submit() asked for, and those that are there: before collect().
  int64_t asked() const;
  int64_t answered() const;
  const std::vector<Slot>& slots() const { return slots_; }
  size_t facts() const;          // that fit the field
  std::string why_none() const;  // where facts() is 0: what became of them

 private:
  struct Limited {  // what there is for a limit
    FieldPieces pieces;
    TextShape shape;
    TextGrammar grammar;
  };
  struct Request {
    int64_t limit = 0;
    size_t segment = 0;
    uint64_t seed = 0, prompt_hash = 0;
    int64_t answers = 0;
    EngineRequestPtr running;
  };
  const Limited& at(int64_t limit) const;
  size_t segment_of(size_t variant) const { return variant % brief_.segments.size(); }
  // Neither the same nor nearly the same as one that stands in a slot.
  bool is_new(const std::string& text) const;
  PlannedText described(const std::string& text, int64_t limit, std::vector<Finding> findings) const;

  const Brief& brief_;
  const Placement& placement_;
  const PlacementField& field_;
  const LintRules& rules_;
  const Watch& watch_;
  std::vector<std::string> names_;
  LintContext context_;
  std::vector<std::pair<int64_t, Limited>> limited_;
  std::vector<Slot> slots_;
  std::vector<Request> requests_;
};

}  // namespace puna::ads
