// normalizer.h -- what a tokenizer does to a text before it looks at it: Unicode normal forms, SentencePiece's treatment of
// spaces, literal replacements. A list of steps in the file's order; without steps the text is not even copied.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "text/added_tokens.h"

namespace puna::text {

struct NormalizerStep {
  enum Kind : uint8_t {
    replace,          // every `from` becomes `to`
    prepend,          // `to` in front of a text that is not empty
    collapse_spaces,  // SentencePiece's remove_extra_whitespaces: no spaces at the ends, no two in a row
    nfc, nfd, nfkc, nfkd
  };
  enum When : uint8_t { always, first, first_or_after_special };  // for prepend: which fragments
  Kind kind;
  std::string from, to;
  When when = always;
  bool unless_there = false;  // prepend only when the text does not start with `to`
};

class Normalizer {
 public:
  void add(NormalizerStep step) { steps_.push_back(std::move(step)); }
  bool empty() const noexcept { return steps_.empty(); }
  // The text after all steps: either `fragment.text` or a view into `storage`.
  std::string_view apply(Fragment fragment, std::string& storage) const;

 private:
  std::vector<NormalizerStep> steps_;
};

std::string replace_all(std::string_view text, std::string_view from, std::string_view to);  // `from` is not empty

// Unicode 16.0, section 3.11. Malformed UTF-8 stays as it is.
std::string normal_form(std::string_view utf8, bool compatible, bool compose);

}  // namespace puna::text
