// fuzz_tokenize.cpp -- any bytes as text, through every splitter and through small tokenizers that have all bytes: the
// text must come back whole, and a stream cut anywhere must say what the whole says. The first byte chooses.
#include <cstdlib>
#include <string>
#include <string_view>

#include "byte_tokenizer.h"
#include "expect_error.h"
#include "target.h"

using namespace puna::test;

namespace {

using namespace puna;

// SentencePiece with all byte tokens.
Metadata sentencepiece() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<int64_t> types = {2, 3, 3};
  for (int b = 0; b < 256; ++b) {
    constexpr char kHex[] = "0123456789ABCDEF";
    tokens.push_back(std::string("<0x") + kHex[b / 16] + kHex[b % 16] + ">");
    types.push_back(6);
  }
  for (const char* piece : {"\xE2\x96\x81", "a", "b",
                            "\xE2\x96\x81"
                            "a",
                            "ab", "a\xE2\x96\x81", "aab"})
    tokens.emplace_back(piece), types.push_back(1);
  types.back() = 5;  // unused: taken apart again
  std::vector<double> scores;
  for (size_t i = 0; i < tokens.size(); ++i) scores.push_back(-double(i % 5));
  Metadata m;
  m.set("tokenizer.ggml.model", std::string("llama"));
  m.set("tokenizer.ggml.tokens", std::move(tokens));
  m.set("tokenizer.ggml.token_type", std::move(types));
  m.set("tokenizer.ggml.scores", std::move(scores));
  return m;
}

}  // namespace

FUZZ_TARGET(tokenize) {
  static constexpr const char* kPre[] = {"gpt-2", "llama-bpe", "llama4", "qwen2", "tekken", "smollm"};
  constexpr size_t kTokenizers = std::size(kPre) + 1;
  static const std::vector<TokenizerPtr> tokenizers = [] {
    std::vector<TokenizerPtr> all;
    for (const char* pre : kPre) all.push_back(tokenizer_from_gguf(test::byte_level(pre)));
    all.push_back(tokenizer_from_gguf(sentencepiece()));
    return all;
  }();
  if (size == 0) return 0;
  test::accepted = true;
  const Tokenizer& t = *tokenizers[data[0] % kTokenizers];
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool marks = &t == tokenizers.back().get();
  const bool composes = !marks && std::string_view(kPre[data[0] % kTokenizers]) == "qwen2";  // NFC comes back
  for (const bool special : {false, true}) {
    const std::vector<int32_t> ids = t.encode(text, special);
    std::string want = text;
    for (size_t at = 0; marks && (at = want.find("\xE2\x96\x81", at)) != std::string::npos;) want.replace(at, 3, " ");
    if (composes) {
      want = t.decode(ids, true);
      require(t.decode(t.encode(want, special), true) == want);
    } else if (!marks || !special)
      require(t.decode(ids, true) == want);  // control tokens are followed by a space of SentencePiece's own
    StreamDecoder whole, parts;
    std::string one = whole.push(text), many;
    for (const char c : text) many += parts.push({&c, 1});
    require(one + whole.flush() == many + parts.flush());
  }
  return 0;
}
