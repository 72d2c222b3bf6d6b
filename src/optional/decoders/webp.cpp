// webp.cpp -- libwebp, still pictures; libwebpdemux finds the EXIF block.
#include "optional/decoders/codec.h"

namespace {
bool recognises(puna::Bytes file) { return puna::begins_with(file, "RIFF") && puna::begins_with(file, "WEBP", 8); }
}  // namespace

#ifdef PUNA_HAVE_WEBP
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

namespace puna {
namespace {

int orientation_of(Bytes file) {
  const WebPData data{file.data(), file.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer(WebPDemux(&data), WebPDemuxDelete);
  WebPChunkIterator chunk;
  if (!demuxer || !WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk)) return 1;
  Bytes exif{chunk.chunk.bytes, chunk.chunk.size};
  if (begins_with(exif, std::string_view("Exif\0\0", 6))) exif = exif.subspan(6);
  const int orientation = exif_orientation(exif);
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

CodecHeader header_of(Bytes file) {
  WebPBitstreamFeatures features;
  const VP8StatusCode status = WebPGetFeatures(file.data(), file.size(), &features);
  if (status == VP8_STATUS_NOT_ENOUGH_DATA) fail(Status::bad_file, "WebP: the file ends early");
  if (status != VP8_STATUS_OK) fail(Status::bad_file, "WebP: the header is damaged (status %d)", int(status));
  if (features.has_animation) fail(Status::unsupported, "WebP: animations are not supported");
  return {features.width, features.height, orientation_of(file)};
}

void decode(uint8_t* rgb, Bytes file, const CodecHeader& header) {
  const size_t row = size_t(header.width) * 3, bytes = row * size_t(header.height);
  if (!WebPDecodeRGBInto(file.data(), file.size(), rgb, bytes, int(row)))
    fail(Status::bad_file, "WebP: the file is damaged or ends early");
}

}  // namespace

const Codec kWebp = {"WebP", recognises, header_of, decode};

}  // namespace puna
#else
const puna::Codec puna::kWebp = {"WebP", recognises, nullptr, nullptr};
#endif
