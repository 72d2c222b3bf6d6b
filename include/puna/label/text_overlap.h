// text_overlap.h -- test items that stand in training text, by words: letters A to Z in lower case, ASCII punctuation
// deleted, split at white space. Texts that say the same: puna/text/duplicates.h.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna::label {

// Contamination: an item of which 13 words in a row stand in the training text; one of 8 to 12 words when all of it
// does. Shorter ones are not looked for: their words stand everywhere.
struct ContaminationOptions {
  int64_t words = 13, fewest = 8;
};
class ContaminationIndex {
 public:
  explicit ContaminationIndex(std::span<const std::string_view> items, const ContaminationOptions& options = {},
                              const Watch& watch = Watch());
  ~ContaminationIndex();
  ContaminationIndex(const ContaminationIndex&) = delete;
  ContaminationIndex& operator=(const ContaminationIndex&) = delete;

  // One document of the training text; n-grams do not cross documents. `name`: for the report.
  void search(std::string_view document, std::string_view name, const Watch& watch = Watch());

  struct Hit {
    int64_t item;
    std::string words;     // that were found
    std::string document;  // where first
  };
  std::vector<Hit> hits() const;  // one an item, by item
  int64_t too_short() const;      // items that were not looked for

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace puna::label
