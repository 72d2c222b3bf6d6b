// byte_tokenizer.h -- a tokenizer whose texts can be read off its tokens.
#pragma once
#include <string>
#include <vector>

#include "puna/text/tokenizer.h"

namespace puna::test {

// A token a byte, one for the end ("$") and two special ones.
class Bytes : public Tokenizer {
 public:
  static constexpr int32_t kEnd = 256, kTurn = 257, kStop = 258;
  Bytes() { specials_.eos = kEnd; }
  int32_t size() const noexcept override { return 259; }
  std::vector<int32_t> encode(std::string_view text, bool special, const Watch& watch) const override {
    std::vector<int32_t> ids;
    for (size_t i = 0; i < text.size(); ++i) {
      watch.tick();
      const int32_t id = special ? special_at(text.substr(i)) : -1;
      ids.push_back(id >= 0 ? id : int32_t(uint8_t(text[i])));
      if (id >= 0) i += bytes(id).size() - 1;
    }
    return ids;
  }
  std::string_view bytes(int32_t id) const override {
    static const std::string all = [] {
      std::string s;
      for (int c = 0; c < 256; ++c) s += char(c);
      return s;
    }();
    if (id >= kEnd) return id == kEnd ? "$" : id == kTurn ? "<|turn|>" : "<|stop|>";
    return {&all[size_t(id)], 1};
  }
  TokenKind kind(int32_t id) const override { return id >= kEnd ? TokenKind::control : TokenKind::normal; }
  int32_t find(std::string_view name) const noexcept override {
    return name == "<|turn|>" ? kTurn : name == "<|stop|>" ? kStop : -1;
  }

 private:
  static int32_t special_at(std::string_view rest) {
    return rest.starts_with("<|turn|>") ? kTurn : rest.starts_with("<|stop|>") ? kStop : -1;
  }
};

inline const Bytes kBytes;

}  // namespace puna::test
