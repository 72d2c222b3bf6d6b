// graphemes.h -- characters as people count them: extended grapheme clusters (Unicode 16.0, UAX 29), and how much room
// they take. A family emoji, a letter with its accents and a Hangul syllable are one each.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace puna {

// Where the cluster that begins at byte `at` ends; at < text.size(). A malformed byte is a cluster of its own. What
// begins at a boundary depends on nothing in front of it, so a text can be walked from any.
size_t grapheme_end(std::string_view text, size_t at) noexcept;

struct TextLength {
  int64_t graphemes = 0;
  int64_t columns = 0;  // the same, wide ones (East Asian Width W and F, emoji) counted twice
  int64_t utf16 = 0;    // units, malformed bytes counted as one each
};
TextLength text_length(std::string_view text) noexcept;
bool is_wide_grapheme(std::string_view cluster) noexcept;
bool is_emoji_grapheme(std::string_view cluster) noexcept;  // shown as a picture: flags and keycaps too

}  // namespace puna
