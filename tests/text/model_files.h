// model_files.h -- small files of tokenizers, made for tests: SentencePiece's protobuf and tekken.json.
#pragma once
#include <cstring>
#include <string>
#include <string_view>

namespace puna::test {

// Protobuf: a field with a number, a float or bytes.
inline std::string varint(uint64_t v) {
  std::string out;
  do {
    out += char((v & 0x7F) | (v > 0x7F ? 0x80 : 0));
    v >>= 7;
  } while (v);
  return out;
}
inline std::string field(int number, uint64_t value) { return varint(uint64_t(number) << 3) + varint(value); }
inline std::string field(int number, std::string_view bytes) {
  return varint(uint64_t(number) << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}
inline std::string field_float(int number, float value) {
  char bytes[4];
  std::memcpy(bytes, &value, 4);
  return varint(uint64_t(number) << 3 | 5) + std::string(bytes, 4);
}
inline std::string piece(std::string_view text, float score, uint64_t type = 1) {
  return field(1, field(1, text) + field_float(2, score) + field(3, type));
}

// "<unk>", "<s>", "</s>", the 256 bytes and a few pieces; more fields behind them.
inline std::string sentencepiece_model(const std::string& trainer = field(3, uint64_t(2)),
                                       const std::string& normalizer = field(4, uint64_t(0))) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string file = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3);
  for (int b = 0; b < 256; ++b) file += piece(std::string("<0x") + kHex[b >> 4] + kHex[b & 15] + ">", 0, 6);
  file += piece("\u2581", -5) + piece("a", -4) + piece("b", -6) + piece("\u2581a", -1) + piece("ab", -2);
  return file + field(2, trainer) + field(3, normalizer);
}

inline std::string base64(std::string_view bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) bits = bits << 8 | (i + k < bytes.size() ? uint8_t(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : kLetters[bits >> (18 - 6 * k) & 63];
  }
  return out;
}

inline const std::string kTekkenPattern =
    R"([^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|)"
    R"([^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|)"
    R"(\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";

inline std::string tekken_entry(int rank, std::string_view bytes) {
  return "{\"rank\":" + std::to_string(rank) + ",\"token_bytes\":\"" + base64(bytes) + "\"}";
}
// The 256 bytes, "ab" and " ab", behind 20 special tokens; one more rank than the model uses.
inline std::string tekken_json(const std::string& more = "", int specials = 20, int size = 278) {
  std::string vocab;
  for (int b = 0; b < 256; ++b) vocab += tekken_entry(b, std::string(1, char(b))) + ",";
  vocab += tekken_entry(256, "ab") + "," + tekken_entry(257, " ab") + "," + tekken_entry(258, "unused");
  return R"({"config":{"pattern":")" + kTekkenPattern + R"(","default_vocab_size":)" + std::to_string(size) +
         R"(,"default_num_special_tokens":)" + std::to_string(specials) + R"(,"version":"v3"},"vocab":[)" + vocab +
         "]" + more + "}";
}

}  // namespace puna::test
