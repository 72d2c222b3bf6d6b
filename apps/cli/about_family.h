// about_family.h -- what a family of models is known for, and what of it a model has.
#pragma once
#include <string>
#include <vector>

#include "puna/model/config.h"

namespace puna::cli {

struct AboutFamily {
  std::string name;               // "Gemma 3"; the architecture where it is not in the table
  std::vector<std::string> used;  // what the family is known for, as features() says it of this model
  std::vector<std::string> unused;
  std::vector<std::string> other;  // the model's other features
};

AboutFamily about_family(const LlamaConfig& config);
bool knows_family(const std::string& architecture);

}  // namespace puna::cli
