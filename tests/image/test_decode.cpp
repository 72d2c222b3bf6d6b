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
    for (size_t i = 0; i < want.size(); ++i) worst = std::max(worst, std::abs(int(uint8_t(want[i])) - got.view().data[i]));
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

TEST_CASE("pictures that say they are monstrous are refused before memory is taken", "[image]") {
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

TEST_CASE("files of no known format are unsupported, and say so", "[image]") {
  CHECK(decode("") == Status::unsupported);
  CHECK(decode("GIF89a......") == Status::unsupported);
  CHECK(decode(std::string(1000, '\0')) == Status::unsupported);
}
