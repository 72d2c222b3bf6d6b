// normalizer.h -- what a tokenizer does to a text before it looks at it: Unicode normal forms, SentencePiece's
// treatment of spaces, literal replacements. A list of steps in the file's order; without steps the text is not copied.
// A text may grow 16 times (NFKC of U+FDFA and a space that becomes three bytes: 13 times) and, in all fragments
// together, by 64 KiB more.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"
#include "text/added_tokens.h"

namespace puna::text {

struct NormalizerStep {
  enum Kind : uint8_t {
    replace,          // every `from` becomes `to`
    prepend,          // `to` in front of a text that is not empty
    collapse_spaces,  // SentencePiece's remove_extra_whitespaces: no spaces at the ends, no two in a row
    nfc,
    nfd,
    nfkc,
    nfkd
  };
  enum When : uint8_t { always, first, first_or_after_special };  // for prepend: which fragments
  Kind kind;
  std::string from, to;
  When when = always;
  bool unless_there = false;  // prepend only when the text does not start with `to`
  std::string name = {};      // for errors: where the file has it
};

// What one text's fragments need while they are normalised.
struct NormalizerScratch {
  std::string text, marks;
  std::vector<TextSpan> content;
  size_t growth_budget = 64 << 10;  // bytes that the fragments may become longer than 16 times their size
};

class Normalizer {
 public:
  void add(NormalizerStep step) { steps_.push_back(std::move(step)); }
  size_t size() const noexcept { return steps_.size(); }
  // The fragment after all steps: itself, or a view into `scratch` until the next call. `trace`: its `content` follows
  // the bytes; otherwise it is lost. Error{bad_file} names the step that makes too much of the text.
  Fragment apply(Fragment fragment, bool trace, NormalizerScratch& scratch, const Watch& watch) const;

 private:
  std::vector<NormalizerStep> steps_;
};

// `from` is not empty. Stops when the result is longer than `most`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to, size_t most = SIZE_MAX);

// Where the bytes of a text on its way through the steps come from: one mark a byte.
enum Mark : char {
  kMarkContent = 1,  // made from content, at least in part
  kMarkGap = 2,      // content has gone in front of this byte
};
// The mark of what is made from all bytes with these marks.
char joined_mark(std::string_view marks) noexcept;

// Unicode 16.0, section 3.11. Malformed UTF-8 stays as it is. `marks`, when given, are those of `utf8` and become those
// of the result.
std::string normal_form(std::string_view utf8, bool compatible, bool compose, std::string* marks = nullptr,
                        const Watch& watch = Watch());

}  // namespace puna::text
