// prompt.h -- what a session takes in: token ids, and the positions that images fill instead of the ids' own
// embeddings. Also a plain text's ids, with the beginning-of-text token where the model's metadata asks for one.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "puna/text/tokenizer.h"

namespace puna {

class Image;
class Model;
using ImagePtr = std::shared_ptr<const Image>;

// Positions [position, position + count) take the feature rows [row, row + count) of an image.
struct Patches {
  int64_t position = 0, count = 0, row = 0;
  ImagePtr image;
};

struct Prompt;

// What a call takes in: a Prompt, or ids alone (a vector, a span, a pointer and a count), borrowed while it runs.
struct PromptView {
  std::span<const int32_t> tokens;
  std::span<const Patches> patches;  // ascending, apart, inside the tokens

  PromptView() noexcept = default;
  PromptView(const Prompt& prompt) noexcept;
  PromptView(std::span<const int32_t> ids, std::span<const Patches> runs) noexcept : tokens(ids), patches(runs) {}
  PromptView(const int32_t* ids, size_t count) noexcept : tokens(ids, count) {}
  template <class Ids>
    requires std::is_convertible_v<const Ids&, std::span<const int32_t>>
  PromptView(const Ids& ids) noexcept : tokens(ids) {}
};

struct Prompt {
  std::vector<int32_t> tokens;
  std::vector<Patches> patches;
  void append(const PromptView& more);
  void truncate(int64_t length) noexcept;
};

inline PromptView::PromptView(const Prompt& prompt) noexcept : tokens(prompt.tokens), patches(prompt.patches) {}

// Each <|image|> becomes that image's tokens, in order; as many images as there are places. Error{invalid_argument}
// otherwise, {unsupported} when the model has no vision or no such tokens.
Prompt expand_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images);
// The tokens are taken literally; their <|patch|> ids take the images' features in order, as many as the images have
// together.
Prompt place_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images);

// Whichever of the two the tokens ask for: places to fill, or places to expand. Without images the tokens as they are.
Prompt prompt_with_images(const Model& model, std::span<const int32_t> tokens, std::span<const ImagePtr> images);

Prompt slice(const PromptView& prompt, int64_t begin, int64_t end);
// How many leading positions are the same: same ids, filled by the same content.
int64_t shared_prefix(const PromptView& a, const PromptView& b) noexcept;

// How much of `held` an append keeps that makes it `whole`: what they share, but for the last token, which gives the
// logits.
inline int64_t kept_of(const PromptView& whole, const PromptView& held) noexcept {
  return std::min(shared_prefix(whole, held), int64_t(whole.tokens.size()) - 1);
}

// The longest prefix of `length` or less that no image reaches across.
int64_t whole_images(const PromptView& prompt, int64_t length) noexcept;

// Rendered chats usually begin with the token already; it is never put there twice.
inline void put_bos_first(const Tokenizer& tokenizer, std::vector<int32_t>& ids) {
  const Tokenizer::Specials& s = tokenizer.specials();
  if (s.add_bos && s.bos >= 0 && (ids.empty() || ids.front() != s.bos)) ids.insert(ids.begin(), s.bos);
}

// `at_start`: the text begins an empty session.
inline std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, std::string_view text, bool parse_special,
                                          bool at_start = true, const Watch& watch = Watch()) {
  std::vector<int32_t> ids = tokenizer.encode(text, parse_special, watch);
  if (at_start) put_bos_first(tokenizer, ids);
  return ids;
}

}  // namespace puna
