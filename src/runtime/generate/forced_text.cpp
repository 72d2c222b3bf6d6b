#include "runtime/generate/forced_text.h"

#include <algorithm>

#include "puna/base/error.h"

namespace puna {
namespace {

constexpr size_t kMostBytes = 256;  // that are looked for

}  // namespace

void ForcedText::read_answer() {
  const std::span<const int32_t> answer = matcher_.history();
  if (answer.size() < read_) forget();
  for (; read_ < answer.size(); ++read_) {
    const int32_t token = answer[read_];
    const char byte = char(-1 - token);
    habit_.read(token < 0 ? std::string_view(&byte, 1) : tokenizer_.bytes(token));
  }
}

// A limit of the grammar's that this look ahead runs into is no error of the answer: then there is no draft.
Matcher::LikelyText ForcedText::likely_text() {
  try {
    return matcher_.forced_but_space([&](std::string_view more) { return habit_.guess(more); }, kMostBytes);
  } catch (const Error&) {
    return {};
  }
}

bool ForcedText::propose(const DraftRequest& request, Draft& draft, FunctionRef<bool()>) {
  read_answer();
  const Matcher::LikelyText text = likely_text();
  if (text.bytes.empty()) return true;
  const std::vector<int32_t> ids = tokenizer_.encode(text.bytes, false);
  // The last token may be the beginning of a longer one, which what follows decides.
  const auto all = int64_t(ids.size()) - (ids.size() > 1 ? 1 : 0);
  certain_ = 0;
  for (size_t bytes = 0; certain_ < all; ++certain_) {
    bytes += tokenizer_.bytes(ids[size_t(certain_)]).size();
    if (bytes > text.certain) break;
  }
  // Forced text need not earn its rows first.
  int64_t length = forced_.best(std::min(request.most, certain_), double(certain_));
  if (length == certain_) length += guessed_.best(std::min(request.most, all) - length, request.credit, length);
  if (length == 0) (certain_ > 0 ? forced_ : guessed_).passed_over();
  draft.tokens.assign(ids.begin(), ids.begin() + length);
  return true;
}

void ForcedText::learn(int64_t drafted, int64_t accepted) noexcept {
  forced_.learn(std::min(drafted, certain_), std::min(accepted, certain_));
  if (accepted >= certain_) guessed_.learn(drafted - certain_, accepted - certain_);
}

}  // namespace puna
