// byte_tokenizer.h -- a small tokenizer for fuzz targets: byte-level BPE that has all bytes, a few merges, control
// tokens and a token of its user.
#pragma once
#include <string>
#include <vector>

#include "puna/text/tokenizer.h"

namespace puna::test {

inline Metadata byte_level(const char* pre) {
  std::vector<std::string> tokens;
  int extra = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
    const int code = printable ? b : extra++;
    tokens.push_back(code < 0x80 ? std::string(1, char(code))
                                 : std::string{char(0xC0 | code >> 6), char(0x80 | (code & 0x3F))});
  }
  tokens.insert(tokens.end(),
                {"ab", "abc",
                 "\xC4\xA0"
                 "a",
                 "\xC4\xA0\xC4\xA0", "aa", "aaa", "<|eot|>", "<mark>", "<|bos|>", "<|im_start|>", "<|im_end|>"});
  std::vector<int64_t> types(tokens.size(), 1);
  for (size_t i = tokens.size() - 5; i < tokens.size(); ++i) types[i] = tokens[i] == "<mark>" ? 4 : 3;
  Metadata m;
  m.set("tokenizer.ggml.model", std::string("gpt2"));
  m.set("tokenizer.ggml.pre", std::string(pre));
  m.set("tokenizer.ggml.tokens", std::move(tokens));
  m.set("tokenizer.ggml.token_type", std::move(types));
  m.set("tokenizer.ggml.merges",
        std::vector<std::string>{"a b", "ab c", "\xC4\xA0 a", "\xC4\xA0 \xC4\xA0", "a a", "aa a"});
  return m;
}

inline TokenizerPtr byte_tokenizer() { return tokenizer_from_gguf(byte_level("llama-bpe")); }

}  // namespace puna::test
