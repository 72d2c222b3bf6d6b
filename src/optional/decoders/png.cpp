// png.cpp -- libpng. It reports errors by longjmp: between setjmp and the end of a function here, nothing has a
// destructor.
#include "optional/decoders/codec.h"

#ifdef PUNA_HAVE_PNG
#include <png.h>

#include <cstring>
#include <vector>

#include "puna/image/picture.h"

namespace puna {
namespace {

constexpr png_alloc_size_t kMostChunk = 8 << 20;  // bytes of an ancillary chunk

struct Input {
  Bytes file;
  size_t at = 0;
};

void read_input(png_structp png, png_bytep to, size_t bytes) {
  auto& in = *static_cast<Input*>(png_get_io_ptr(png));
  if (bytes > in.file.size() - in.at) png_error(png, "the file ends early");
  memcpy(to, in.file.data() + in.at, bytes);
  in.at += bytes;
}

struct Reader {
  Input input;
  Failure failure;
  png_structp png = nullptr;
  png_infop info = nullptr;

  explicit Reader(Bytes file) : input{file} {
    const auto on_error = [](png_structp p, png_const_charp text) {
      static_cast<Failure*>(png_get_error_ptr(p))->set(Status::bad_file, "PNG: %s", text);
      png_longjmp(p, 1);
    };
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, on_error, [](png_structp, png_const_charp) {});
    info = png ? png_create_info_struct(png) : nullptr;
    if (info) return;
    png_destroy_read_struct(&png, nullptr, nullptr);
    fail(Status::out_of_memory, "PNG: no memory for the decoder");
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // False: see failure.
  bool read_header(CodecHeader& header) noexcept {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, &input, read_input);
    png_set_user_limits(png, png_uint_32(kMaxPictureSide), png_uint_32(kMaxPictureSide));
    png_set_chunk_malloc_max(png, kMostChunk);
    png_set_chunk_cache_max(png, 64);
    png_read_info(png, info);
    header.width = png_get_image_width(png, info);
    header.height = png_get_image_height(png, info);
    png_uint_32 bytes = 0;
    png_bytep exif = nullptr;
    if (png_get_eXIf_1(png, info, &bytes, &exif)) header.orientation = exif_orientation({exif, bytes});
    return true;
  }

  bool read_pixels(png_bytep* rows) noexcept {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != size_t(png_get_image_width(png, info)) * 3)
      png_error(png, "an unexpected pixel format");
    png_read_image(png, rows);
    return true;
  }
};

CodecHeader header_of(Bytes file) {
  Reader reader(file);
  CodecHeader header;
  if (!reader.read_header(header)) fail(reader.failure.status, "%s", reader.failure.message);
  return header;
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& expected) {
  std::vector<png_bytep> rows(size_t(expected.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = rgb + y * 3 * size_t(expected.width);
  Reader reader(file);
  CodecHeader header;
  if (!reader.read_header(header) || !reader.read_pixels(rows.data()))
    fail(reader.failure.status, "%s", reader.failure.message);
}

bool recognises(Bytes file) { return begins_with(file, "\x89PNG\r\n\x1a\n"); }

}  // namespace

const Codec kPng = {"PNG", recognises, header_of, decode};

}  // namespace puna
#else
const puna::Codec puna::kPng = {"PNG", [](Bytes file) { return begins_with(file, "\x89PNG\r\n\x1a\n"); }, nullptr,
                                nullptr};
#endif
