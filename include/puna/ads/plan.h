// plan.h -- from a brief to the texts of its advertisements. A model writes them, held to a grammar that is compiled
// from the brief: sentences of the facts word for word, and sentences of words that carry no claim, none longer than
// the placement takes. What lint refuses, and what says the same as another one, is written again; what still misses is
// put together from the facts without the model. Nothing is published, and there are no pictures.
//
// A plan is a function of the brief, the model, the adapter and the options, whatever the number of threads: written
// once more it has the same bytes.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "puna/ads/brief.h"
#include "puna/ads/lint.h"
#include "puna/base/watch.h"
#include "puna/runtime/model.h"
#include "puna/runtime/session.h"

namespace puna::ads {

struct PlanOptions {
  AdapterPtr adapter;                             // of the brand's voice; NULL = the model alone
  std::string model_path, adapter_path, made_at;  // for the record
  float temperature = 0.9f, top_p = 0.95f;
  int32_t parallel = 16;                   // texts that are computed at once; changes no bit
  bool exact = false;                      // as of a session
  const Placements* placements = nullptr;  // NULL = ours
  std::shared_ptr<const LintRules> rules;  // NULL = ours
  // Texts written, of those that are asked for: many times a second while the model writes, never falling.
  std::function<void(int64_t done, int64_t total)> progress;
};

struct PlannedText {
  std::string field, text;
  int64_t length = 0, limit = 0, utf16 = 0;  // the first two in the placement's characters
  std::vector<std::string> facts;            // ids of those it says word for word, or takes words from
  std::vector<Finding> findings;             // reviews and notes; errors are not let through
  bool by_model = false;
  uint64_t seed = 0, prompt_hash = 0, grammar_hash = 0;  // by_model
};

struct PlannedVariant {
  std::string id;      // google.search/1
  size_t segment = 0;  // whom it was written for
  std::vector<PlannedText> texts;
};

struct PlannedPlacement {
  std::string placement;
  int64_t asked = 0;
  std::vector<PlannedVariant> variants;
};

struct Plan {
  std::vector<PlannedPlacement> placements;
  std::vector<std::string> notes;
  // Of the model's texts: how many it wrote, and what became of them.
  int64_t written = 0, passed_lint = 0, refused = 0, duplicates = 0, incomplete = 0;
  std::map<std::string, int64_t> refused_by;  // rules
  int64_t without_model = 0;                  // texts of the plan that are put together from the facts
  std::string json;                           // all of it, as it is kept
};

// `brief`: JSON. Error{invalid_argument} that names the field of a brief that cannot be met, {cancelled} by the watch.
Plan write_plan(std::string_view brief, const std::string& name, const ModelPtr& model, const PlanOptions& options,
                const Watch& watch = Watch());

// What a plan was written from: for writing it again. Error{invalid_argument} for what is no plan.
struct PlanOrigin {
  std::string brief;
  PlanOptions options;                                         // without adapter, placements and rules
  uint64_t model = 0, adapter = 0, rules = 0, placements = 0;  // hashes; adapter 0: none
};
PlanOrigin plan_origin(std::string_view plan, const std::string& name);

}  // namespace puna::ads
