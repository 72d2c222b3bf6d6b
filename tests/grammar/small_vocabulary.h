// small_vocabulary.h -- a tokenizer that is a list of texts, for tests: names in <> are special tokens.
#pragma once
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/text/tokenizer.h"

namespace puna::test {

class SmallVocabulary : public Tokenizer {
 public:
  explicit SmallVocabulary(std::vector<std::string> texts) : texts_(std::move(texts)) {
    specials_.eos = find("<end>");
    if (specials_.eos >= 0) specials_.stop = {specials_.eos};
  }
  int32_t size() const noexcept override { return int32_t(texts_.size()); }
  std::vector<int32_t> encode(std::string_view, bool, const Watch&) const override { return {}; }
  std::string_view bytes(int32_t id) const override { return texts_.at(size_t(id)); }
  TokenKind kind(int32_t id) const override {
    const std::string& text = texts_.at(size_t(id));
    return text.size() > 2 && text.front() == '<' && text.back() == '>' ? TokenKind::control : TokenKind::normal;
  }
  int32_t find(std::string_view name) const noexcept override {
    for (size_t i = 0; i < texts_.size(); ++i)
      if (texts_[i] == name) return int32_t(i);
    return -1;
  }

 private:
  std::vector<std::string> texts_;
};

inline TokenizerPtr small_vocabulary(std::vector<std::string> texts) {
  return std::make_shared<SmallVocabulary>(std::move(texts));
}

}  // namespace puna::test
