// Every kind of picture file against what Pillow makes of it; damaged, cut and monstrous files are errors.
#include "puna/image/decode.h"

#include <cstring>

#include "puna/base/error.h"
#include "support/catch.h"
#include "support/context.h"
#include "support/golden.h"
#include "support/left_out.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::string kFolder = PUNA_SOURCE_DIR "/tests/data/pictures/";

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

nlohmann::json cases() { return nlohmann::json::parse(read_text(kFolder + "cases.json")); }

// Decoded, or the status of the refusal.
Status decode(const std::string& file) {
  try {
    const PictureInfo info = picture_info(bytes(file));
    std::vector<uint8_t> rgb(size_t(info.width * info.height * 3));
    decode_picture(rgb.data(), bytes(file));
  } catch (const Error& e) {
    return e.status();
  }
  return Status::ok;
}

void put32(std::string& s, size_t at, uint32_t v, bool big) {
  for (size_t i = 0; i < 4; ++i) s[at + i] = char(v >> 8 * (big ? 3 - i : i));
}

}  // namespace

TEST_CASE("pictures of every kind decode as Pillow decodes them", "[image]") {
  for (const auto& c : cases()) {
    const std::string name = c["file"], file = read_text(kFolder + name), want = read_text(kFolder + name + ".rgb");
    CAPTURE(name);
    if (left_out(bytes(file))) continue;
    const PictureInfo info = picture_info(bytes(file));
    CHECK((info.width == c["width"] && info.height == c["height"]));
    const Picture got = decode_picture(*test_context_without_kernels(), bytes(file));
    REQUIRE(size_t(got.width * got.height * 3) == want.size());
    int worst = 0;
    for (size_t i = 0; i < want.size(); ++i)
      worst = std::max(worst, std::abs(int(uint8_t(want[i])) - got.view().data[i]));
    CHECK(worst <= c["tolerance"]);
  }
}

TEST_CASE("a picture file cut anywhere is an error or a picture, never a crash", "[image]") {
  for (const auto& c : cases()) {
    const std::string name = c["file"], file = read_text(kFolder + name);
    CAPTURE(name);
    for (size_t cut = 0; cut < file.size() / 2; cut += 1 + cut / 7) CHECK(decode(file.substr(0, cut)) != Status::ok);
    for (size_t cut = 1; cut < file.size(); cut += 1 + cut / 7) decode(file.substr(0, file.size() - cut));
  }
}

TEST_CASE("damaged picture files are errors or pictures, never crashes", "[image]") {
  for (const auto& c : cases()) {
    std::string file = read_text(kFolder + c["file"].get<std::string>());
    uint32_t random = 12345;
    for (int round = 0; round < 200; ++round) {
      random = random * 1664525u + 1013904223u;
      char& at = file[random % file.size()];
      const char before = at;
      at = char(at ^ char(1u << (random >> 29)));
      decode(file);
      at = before;
    }
  }
}

TEST_CASE("pictures with huge stated dimensions are refused before memory is allocated", "[image]") {
  std::string png = read_text(kFolder + "rgb.png"), bmp = read_text(kFolder + "rgb.bmp");
  put32(bmp, 18, 0x7fffffff, false);
  CHECK(decode(bmp) != Status::ok);
  put32(bmp, 18, 60000, false);
  put32(bmp, 22, 60000, false);
  CHECK(decode(bmp) == Status::unsupported);
  std::string jpeg = read_text(kFolder + "grey.jpg");
  const size_t frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != jpeg.npos);
  jpeg.replace(frame + 5, 4, std::string("\xff\0\xff\0", 4));
  CHECK(decode(jpeg) == Status::unsupported);
  put32(png, 16, 0x7fffffff, true);
  CHECK(decode(png) != Status::ok);
}

TEST_CASE("formats that nobody here decodes are refused by their names", "[image]") {
  const std::pair<const char*, std::string> files[] = {{"GIF", "GIF89a\1\0\1\0"},
                                                       {"TIFF", std::string("II*\0\10\0\0\0", 8)},
                                                       {"TIFF", std::string("MM\0*\0\0\0\10", 8)},
                                                       {"AVIF", std::string("\0\0\0\x1c"
                                                                            "ftypavif",
                                                                            12)},
                                                       {"HEIC", std::string("\0\0\0\x18"
                                                                            "ftypheic",
                                                                            12)},
                                                       {"PDF", "%PDF-1.7"}};
  for (const auto& [name, file] : files) {
    CHECK_THROWS_WITH(picture_info(bytes(file)), Catch::Contains(std::string(name) + " is not supported"));
    CHECK(decode(file) == Status::unsupported);
  }
}

TEST_CASE("a BMP whose rows run from the top is the picture whose rows run from the bottom", "[image]") {
  const std::string file = read_text(kFolder + "rgb.bmp");
  if (left_out(bytes(file))) return;
  const Picture want = decode_picture(*test_context_without_kernels(), bytes(file));
  const int64_t row = (want.width * 24 + 31) / 32 * 4, pixels = int64_t(file.size()) - row * want.height;
  std::string bottom_up = file.substr(0, size_t(pixels));
  for (int64_t y = want.height; y-- > 0;) bottom_up += file.substr(size_t(pixels + y * row), size_t(row));
  put32(bottom_up, 22, uint32_t(-want.height), false);
  const Picture got = decode_picture(*test_context_without_kernels(), bytes(bottom_up));
  REQUIRE((got.width == want.width && got.height == want.height));
  CHECK(memcmp(got.view().data, want.view().data, size_t(3 * want.width * want.height)) == 0);
  for (const uint32_t height :
       {0x80000000u, 0x80000001u, 0xffff0000u}) {  // as tall as no file is; the first has no opposite
    put32(bottom_up, 22, height, false);
    CHECK(decode(bottom_up) != Status::ok);
  }
  put32(bottom_up, 22, uint32_t(-want.height - 1), false);  // a row more than there is
  CHECK(decode(bottom_up) == Status::bad_file);
}

TEST_CASE("files of unknown format are Error{unsupported}", "[image]") {
  CHECK(decode("") == Status::unsupported);
  CHECK(decode("GIF89a......") == Status::unsupported);
  CHECK(decode(std::string(1000, '\0')) == Status::unsupported);
}
