// test_unicode.cpp -- character classes and normal forms, every code point, and UTF-8 at its edges.
#include "text/unicode/unicode.h"

#include "text/expectations.h"
#include "text/normalizer.h"

using namespace puna;
using namespace puna::test;

namespace {

struct Digest {
  uint64_t count = 0;
  uint32_t hash = 0;
  void add(uint32_t code) { ++count, hash = hash * 31 + code; }
};

template <class Visit>
void each_scalar(const Visit& visit) {
  for (uint32_t code = 0; code < 0x110000; ++code)
    if (code < 0xD800 || code > 0xDFFF) visit(code);
}

void check_digest(const std::string& what, const Digest& got, const nlohmann::json& want) {
  CAPTURE(what);
  CHECK(got.count == want[0].get<uint64_t>());
  CHECK(got.hash == want[1].get<uint32_t>());
}

std::string utf8(uint32_t code) {
  std::string s;
  append_utf8(s, code);
  return s;
}

}  // namespace

TEST_CASE("Character classes are those of the regular expression engine that Llama's splits are defined by", "[text]") {
  const auto files = expectations("unicode");
  const auto& classes = files[0].second["classes"];
  const std::vector<std::pair<std::string, uint8_t>> bits = {
      {"upper", text::kUpper},   {"lower", text::kLower},   {"other_letter", text::kOtherLetter},
      {"mark", text::kMark},     {"number", text::kNumber}, {"punctuation", text::kPunctuation},
      {"symbol", text::kSymbol}, {"space", text::kSpace}};
  for (const auto& [name, bit] : bits) {
    Digest d;
    each_scalar([&, bit = bit](uint32_t code) {
      if (text::char_class(code) & bit) d.add(code);
    });
    check_digest(name, d, classes[name]);
  }
  Digest words;
  each_scalar([&](uint32_t code) {
    if (text::is_word(code)) words.add(code);
  });
  check_digest("word", words, classes["word"]);
  CHECK(text::char_class(0x110000) == 0);
  CHECK(text::char_class(UINT32_MAX) == 0);
}

TEST_CASE("Normal forms agree with Unicode 16.0: each character, and characters together", "[text]") {
  const auto files = expectations("unicode");
  const auto& forms = files[0].second["normal_forms"];
  struct Form {
    const char* name;
    bool compatible, compose;
  };
  const std::vector<Form> all = {
      {"NFC", false, true}, {"NFD", false, false}, {"NFKC", true, true}, {"NFKD", true, false}};
  for (size_t f = 0; f < all.size(); ++f) {
    Digest d;
    each_scalar([&](uint32_t code) {
      const std::string s = text::normal_form(utf8(code), all[f].compatible, all[f].compose);
      for (const char *p = s.data(), *end = p + s.size(); p < end;) {
        const Utf8 c = decode_utf8(p, end);
        d.add(c.code);
        p += c.size;
      }
    });
    check_digest(all[f].name, d, forms["each_character"][all[f].name]);
    for (const auto& c : forms["cases"]) {
      CAPTURE(all[f].name, c.dump());
      CHECK(text::normal_form(c[0].get<std::string>(), all[f].compatible, all[f].compose) ==
            c[1 + f].get<std::string>());
    }
  }
  CHECK(text::normal_form("\xFF"
                          "e\xCC\x81\xE2\x82",
                          false, true) == "\xFF\xC3\xA9\xE2\x82");  // malformed bytes stay
}

TEST_CASE("UTF-8 decodes what is well formed, and sizes what is not by its maximal subpart", "[text]") {
  const auto decode = [](const std::string& s) { return decode_utf8(s.data(), s.data() + s.size()); };
  each_scalar([&](uint32_t code) {
    const std::string s = utf8(code);
    const Utf8 c = decode(s);
    if (c.status != Utf8::valid || c.code != code || c.size != s.size()) FAIL("U+" << std::hex << code);
  });
  struct Case {
    std::string bytes;
    Utf8::Status status;
    int size;
  };
  for (const Case& c : std::vector<Case>{{"\x80", Utf8::invalid, 1},
                                         {"\xC0\x80", Utf8::invalid, 1},
                                         {"\xC1\xBF", Utf8::invalid, 1},
                                         {"\xF5\x80\x80\x80", Utf8::invalid, 1},
                                         {"\xE0\x9F\x80", Utf8::invalid, 1},
                                         {"\xED\xA0\x80", Utf8::invalid, 1},
                                         {"\xF0\x8F\x80\x80", Utf8::invalid, 1},
                                         {"\xF4\x90\x80\x80", Utf8::invalid, 1},
                                         {"\xE2\x82"
                                          "a",
                                          Utf8::invalid, 2},
                                         {"\xF0\x9F\x98"
                                          "a",
                                          Utf8::invalid, 3},
                                         {"\xC3"
                                          "a",
                                          Utf8::invalid, 1},
                                         {"\xC3", Utf8::incomplete, 1},
                                         {"\xE2\x82", Utf8::incomplete, 2},
                                         {"\xF0\x9F\x98", Utf8::incomplete, 3}}) {
    CAPTURE(c.bytes);
    CHECK(decode(c.bytes).status == c.status);
    CHECK(decode(c.bytes).size == c.size);
  }
}
