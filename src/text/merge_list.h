// merge_list.h -- a file's merges, best first, resolved to ids as they are read: "Ġt he" joins two tokens to a third.
// Byte-level spellings are resolved to their bytes first. Fills model.pairs, and model.byte_ids when the model is
// byte-level.
#pragma once
#include <string>
#include <string_view>

#include "text/bpe_tokenizer.h"

namespace puna::text {

class MergeList {
 public:
  // The vocabulary's index and the added tokens are finished; `field` is what errors call the list.
  MergeList(TokenizerParts& parts, const char* field, size_t count, const Watch& watch);
  void add(std::string_view pair);  // "left right"
  void add(std::string_view left, std::string_view right);

 private:
  TokenizerParts& parts_;
  const Watch& watch_;
  const char* field_;
  size_t count_, read_ = 0;
  std::string left_, right_, joined_;
};

}  // namespace puna::text
