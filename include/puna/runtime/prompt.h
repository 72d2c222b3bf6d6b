// prompt.h -- a plain prompt's token ids, with the beginning-of-text token where the model's metadata asks for one.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "puna/text/tokenizer.h"

namespace puna {

// `at_start`: the text begins an empty session. Rendered chats usually begin with the token already; it is never put there twice.
inline std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view text, bool parse_special, bool at_start = true) {
  std::vector<int32_t> ids = tokenizer.encode(text, parse_special);
  const Tokenizer::Specials& s = tokenizer.specials();
  if (at_start && s.add_bos && s.bos >= 0 && (ids.empty() || ids.front() != s.bos)) ids.insert(ids.begin(), s.bos);
  return ids;
}

}  // namespace puna
