/* puna_vision.h -- pictures for models that see (Llama 4). The rules of puna.h hold here too.
 *
 *   puna_image* image = NULL;                                            // pixels -> tiles
 *   puna_generate_options options = {.struct_size = sizeof options, .parse_special = 1};
 *   puna_image_create(model, rgb, width, height, 0, &image);
 *   const puna_image* images[] = {image};
 *   options.images = images;
 *   options.image_count = 1;
 *   puna_session_generate(session, "<|image|>What is this?", 22, &options, print_piece, stdout, NULL);
 *
 * A picture is cut into tiles as the model was trained with; each tile becomes image_tile_rows rows that take the
 * places of <|patch|> tokens. The first call that needs the rows computes them, pausing and cancelling as for tokens;
 * the model keeps them for later images of the same content. Files are decoded by the host, or by libpuna_decode
 * (puna_decode.h): libpuna itself depends on no picture library. With PUNA_VISION=OFF every function here reports
 * PUNA_UNSUPPORTED. */
#ifndef PUNA_VISION_H
#define PUNA_VISION_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 8-bit RGB, rows from the top, left to right; `stride`: bytes from row to row, 0 = 3 * width. At most 65535 pixels a
 * side and 2^26 in all. Copied. PUNA_UNSUPPORTED when the model has no vision encoder. Images belong to their model,
 * keep it alive, and may be used by any number of sessions and threads. */
PUNA_API puna_status puna_image_create(const puna_model* model, const uint8_t* rgb, int64_t width, int64_t height,
                                       int64_t stride, puna_image** image);
/* Pixels that were prepared elsewhere: [tiles, 3, tile, tile] floats of a grid of rows x columns tiles, row by row,
 * then, when there are several, the whole picture as one more. Copied. */
PUNA_API puna_status puna_image_create_from_pixels(const puna_model* model, const float* pixels, size_t count,
                                                   int32_t rows, int32_t columns, puna_image** image);
PUNA_API void puna_image_free(puna_image* image);

typedef struct puna_image_info {
  uint32_t struct_size;
  int32_t rows; /* of the grid, in tiles */
  int32_t columns;
  int32_t tiles;    /* with the whole picture as one more, when there are several */
  int32_t tile;     /* pixels a side */
  int32_t hidden;   /* width of a feature row */
  int64_t features; /* feature rows: as many <|patch|> tokens */
  int64_t tokens;   /* that <|image|> expands to; 0 when the model's tokenizer cannot write images */
  int32_t encoded;  /* 1 = the features are computed */
  int32_t reserved;
} puna_image_info;

PUNA_API puna_status puna_image_get_info(const puna_image* image, puna_image_info* info);
/* The prepared pixels [tiles, 3, tile, tile]; like the tokens and features below they live as long as the image.
 * `count` counts floats. */
PUNA_API puna_status puna_image_get_pixels(const puna_image* image, const float** pixels, size_t* count);
/* What <|image|> becomes in a prompt. */
PUNA_API puna_status puna_image_get_tokens(const puna_image* image, const int32_t** tokens, size_t* count);
/* The features [features, hidden], computed now unless they are there already. `features` and `count` are optional. */
PUNA_API puna_status puna_image_encode(const puna_image* image, const float** features, size_t* count);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_VISION_H */
