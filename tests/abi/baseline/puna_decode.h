/* puna_decode.h -- picture files to the RGB bytes that puna_image_create takes: a library of its own, libpuna_decode,
 * because it needs libpng, libjpeg and libwebp at run time (and stb_image inside), while libpuna needs nothing. It
 * knows no handles and allocates nothing that outlives a call. PNG, JPEG, WebP and BMP, as far as the libraries were
 * there when it was built.
 *
 * What comes out is what Pillow's open(), ImageOps.exif_transpose() and convert("RGB") give: EXIF orientation is
 * applied, alpha is dropped, of 16 bits the upper 8 are kept. Files are hostile until proven otherwise: at most 65535
 * pixels a side and 2^26 in all, and at most 16 bytes a pixel and 8 MB of memory while decoding. Any thread; nothing is
 * kept between calls but the last error's text. */
#ifndef PUNA_DECODE_H
#define PUNA_DECODE_H

#include "puna.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct puna_picture_info {
  uint32_t struct_size;
  int32_t orientation; /* EXIF's 1 to 8; width and height are as it is to be shown */
  int64_t width;
  int64_t height;
  const char* format; /* "PNG", "JPEG", "WebP", "BMP". Static */
} puna_picture_info;

/* Reads the header. PUNA_BAD_FILE when it is damaged; PUNA_UNSUPPORTED when the format is unknown or not in this build,
 * for animations, and for pictures that are too large. */
PUNA_API puna_status puna_decode_get_info(const void* data, size_t bytes, puna_picture_info* info);
/* Fills rgb [height][width][3] (puna_picture_info says how large); capacity counts bytes. PUNA_BAD_FILE when the file
 * is damaged or ends early; rgb is then undefined. */
PUNA_API puna_status puna_decode_rgb(const void* data, size_t bytes, uint8_t* rgb, size_t capacity);
/* As puna_last_error, for the calls of this library. */
PUNA_API const char* puna_decode_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* PUNA_DECODE_H */
