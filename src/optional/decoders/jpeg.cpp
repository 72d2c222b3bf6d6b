// jpeg.cpp -- libjpeg or libjpeg-turbo. It reports errors by longjmp: between setjmp and the end of a function here,
// nothing has a destructor.
#include "optional/decoders/codec.h"

#ifdef PUNA_HAVE_JPEG
#include <csetjmp>
#include <cstdlib>
#include <vector>

extern "C" {
#include <jerror.h>
#include <jpeglib.h>
}

namespace puna {
namespace {

// of a progressive file; published encoders write some ten. Each goes over the whole picture
constexpr int kMostScans = 100;

struct Reader {
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  jpeg_decompress_struct jpeg;
  Failure failure;
  std::jmp_buf escape;

  static Reader& of(j_common_ptr common) { return *static_cast<Reader*>(common->client_data); }
  [[noreturn]] static void leave(j_common_ptr common) { std::longjmp(of(common).escape, 1); }
  [[noreturn]] static void on_error(j_common_ptr common) {
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    of(common).failure.set(common->err->msg_code == JERR_OUT_OF_MEMORY ? Status::out_of_memory : Status::bad_file,
                           "JPEG: %.160s", text);
    leave(common);
  }
  static void on_message(j_common_ptr common, int level) {
    if (level >= 0) return;  // trace messages
    ++common->err->num_warnings;
    if (common->err->msg_code != JWRN_JPEG_EOF) return;
    of(common).failure.set(Status::bad_file, "JPEG: the file ends early");
    leave(common);
  }
  static void on_progress(j_common_ptr common) {
    if (of(common).jpeg.input_scan_number <= kMostScans) return;
    of(common).failure.set(Status::unsupported, "JPEG: more than %d scans", kMostScans);
    leave(common);
  }

  Reader() {
    jpeg.err = jpeg_std_error(&errors);
    jpeg.client_data = this;
    errors.error_exit = on_error;
    errors.emit_message = on_message;
    errors.output_message = [](j_common_ptr) {};
    progress.progress_monitor = on_progress;
  }
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // False: see failure.
  bool read_header(Bytes file, CodecHeader& header) noexcept {
    if (setjmp(escape)) return false;
    jpeg_CreateDecompress(&jpeg, JPEG_LIB_VERSION, sizeof jpeg);  // keeps err and client_data
    jpeg.progress = &progress;
    jpeg_mem_src(&jpeg, const_cast<unsigned char*>(file.data()), static_cast<unsigned long>(file.size()));
    jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg, TRUE);
    header.width = jpeg.image_width;
    header.height = jpeg.image_height;
    for (jpeg_saved_marker_ptr m = jpeg.marker_list; m; m = m->next) {
      const Bytes data{m->data, m->data_length};
      if (!begins_with(data, std::string_view("Exif\0\0", 6))) continue;
      header.orientation = exif_orientation(data.subspan(6));
      break;
    }
    return true;
  }

  // `cmyk` holds one row of four bytes a pixel.
  bool read_pixels(uint8_t* rgb, uint8_t* cmyk) noexcept {
    if (setjmp(escape)) return false;
    const bool four = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
    jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      uint8_t* const row = rgb + size_t(jpeg.output_scanline) * jpeg.output_width * 3;
      JSAMPROW to = four ? cmyk : row;
      jpeg_read_scanlines(&jpeg, &to, 1);
      if (four) multiply_out(row, cmyk, jpeg.output_width);
    }
    jpeg_finish_decompress(&jpeg);
    return true;
  }

  // Inks are stored inverted (every program follows Adobe there): 255 is no ink. red = white * (1 - cyan), white = 1 -
  // black.
  static void multiply_out(uint8_t* rgb, const uint8_t* cmyk, size_t pixels) noexcept {
    for (size_t x = 0; x < pixels; ++x, rgb += 3, cmyk += 4)
      for (int c = 0; c < 3; ++c) {
        const unsigned white = cmyk[3], product = (255u - cmyk[c]) * white + 128u;
        rgb[c] = uint8_t(white - ((product + (product >> 8)) >> 8));
      }
  }
};

CodecHeader header_of(Bytes file) {
  Reader reader;
  CodecHeader header;
  if (!reader.read_header(file, header)) fail(reader.failure.status, "%s", reader.failure.message);
  return header;
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& expected) {
  std::vector<uint8_t> cmyk(size_t(expected.width) * 4);
  Reader reader;
  CodecHeader header;
  if (!reader.read_header(file, header) || !reader.read_pixels(rgb, cmyk.data()))
    fail(reader.failure.status, "%s", reader.failure.message);
}

bool recognises(Bytes file) { return begins_with(file, "\xFF\xD8\xFF"); }

}  // namespace

const Codec kJpeg = {"JPEG", recognises, header_of, decode};

}  // namespace puna
#else
const puna::Codec puna::kJpeg = {"JPEG", [](Bytes file) { return begins_with(file, "\xFF\xD8\xFF"); }, nullptr,
                                 nullptr};
#endif
