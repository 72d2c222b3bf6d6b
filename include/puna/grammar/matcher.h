// matcher.h -- which tokens may come next. A GrammarVocabulary (a trie over the bytes of a tokenizer's tokens) is made
// once a tokenizer; a Matcher follows one answer through a Grammar.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"
#include "puna/grammar/grammar.h"
#include "puna/grammar/token_mask.h"
#include "puna/text/tokenizer.h"

namespace puna {

class GrammarVocabulary;
using GrammarVocabularyPtr = std::shared_ptr<const GrammarVocabulary>;
// Thread-safe. Its cache of masks (shared by all matchers on it) holds at most `cache_bytes`; results never depend on
// the cache.
GrammarVocabularyPtr grammar_vocabulary(TokenizerPtr tokenizer, size_t cache_bytes = size_t(64) << 20,
                                        const Watch& watch = Watch());

// One thread at a time. A call that fails leaves the matcher as it was.
class Matcher {
 public:
  // stop_tokens: allowed where the grammar accepts; empty = the tokenizer's.
  Matcher(GrammarPtr grammar, GrammarVocabularyPtr vocabulary, std::span<const int32_t> stop_tokens = {});
  Matcher(const Matcher&);  // a fork: an independent copy
  Matcher(Matcher&&) noexcept;
  Matcher& operator=(Matcher) noexcept;
  ~Matcher();

  // The tokens that may come next; the spans live until the next call. Never empty unless ended(): a vocabulary that
  // lacks the bytes to go on is Error{invalid_argument}.
  TokenMask mask();
  bool allows(int32_t id);  // without computing the mask
  // Error{invalid_argument} when the token may not come; the matcher is as before.
  void accept(int32_t id);
  void accept_bytes(std::string_view bytes);  // the same for text; returns nothing, throws likewise
  // How many of these tokens may come one after the other, from here: for drafts. Nothing changes.
  size_t accepted_prefix(std::span<const int32_t> ids);

  bool accepting() const noexcept;  // what was accepted so far is a whole answer
  bool ended() const noexcept;      // nothing further is possible, or a stop token came
  // Bytes that come next whatever is drawn (the longest common prefix of all continuations), at most `limit`.
  std::string forced(size_t limit = 256);
  // The same, going on where white space may come or not: space(bytes) guesses it, behind `bytes` of the result. For
  // drafts: other white space may be drawn. At most `limit` bytes and one guess.
  struct LikelyText {
    std::string bytes;
    size_t certain = 0;  // bytes before the first guess
  };
  LikelyText forced_but_space(FunctionRef<std::string_view(std::string_view)> space, size_t limit = 256);
  // The fewest bytes that complete the answer from here (ties: the least bytes first); empty when accepting().
  std::string shortest_completion(size_t limit = 1 << 20);
  // The fewest bytes that complete the answer once token `id` has come, a special token counted as one; UINT64_MAX: the
  // token may not come, or no answer ends.
  uint64_t bytes_to_close(int32_t id);
  // The shortest end (special tokens counted as one byte) as tokens, each the longest that begins what is left: what
  // follows the first of them is what is told behind it. None where it takes more than `most`.
  std::optional<std::vector<int32_t>> closing_tokens(size_t most);
  void reset();  // to the start
  // What was accepted since the start, for a snapshot: tokens, and -1 - byte for each byte that came as text.
  std::span<const int32_t> history() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace puna
