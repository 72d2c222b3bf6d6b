// prompts.h -- what the model is told: of the business, its facts, the readers, and which text is wanted. All prompts
// of a brief begin alike, so that their beginning is read once.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "puna/ads/brief.h"
#include "puna/runtime/model.h"

namespace puna::ads {

class Prompts {
 public:
  // `most`: positions that a prompt and its answer may take together.
  Prompts(const Brief& brief, const Model& model, int64_t most);
  // Facts are left out at the end, as many as have to be for `answer` more positions to fit. Error{context_full}.
  std::vector<int32_t> tokens(size_t segment, const PlacementField& field, int64_t limit, int64_t answer) const;

 private:
  std::vector<int32_t> tokens_with(size_t facts, size_t segment, const std::string& task) const;
  const Brief& brief_;
  const Model& model_;
  int64_t most_;
  size_t facts_;  // that are told
};

}  // namespace puna::ads
