// image_tokens.h -- how Llama 4 writes an image among a prompt's tokens, as text and as ids.
//   one tile:   start, image, patches, end
//   several:    start, each row's tiles with a separator between them and another behind the row, then the whole image
//               at one tile's size: image, patches, end
#pragma once
#include <cstddef>
#include <cstdint>

namespace puna {

enum class ImageToken : uint8_t { start, end, image, patch, column_separator, row_separator };

inline constexpr const char* kImageTokenNames[] = {"<|image_start|>", "<|image_end|>",        "<|image|>",
                                                   "<|patch|>",       "<|tile_x_separator|>", "<|tile_y_separator|>"};
inline constexpr size_t kImageTokens = sizeof kImageTokenNames / sizeof *kImageTokenNames;

// put(token, how often) for each of an image of rows x columns tiles, each of so many patches, in order.
template <class Put>
void write_image(int64_t rows, int64_t columns, int64_t patches, Put&& put) {
  put(ImageToken::start, 1);
  for (int64_t row = 0; row < rows && rows * columns > 1; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      put(ImageToken::patch, patches);
      put(column + 1 < columns ? ImageToken::column_separator : ImageToken::row_separator, 1);
    }
  put(ImageToken::image, 1);
  put(ImageToken::patch, patches);
  put(ImageToken::end, 1);
}

}  // namespace puna
