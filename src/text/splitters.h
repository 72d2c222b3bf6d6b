// splitters.h -- the first cut of a text: into pieces that byte-pair merges never cross. Published tokenizers define it
// by a regular expression; the families in use differ in a handful of choices (SplitRules), so one template serves them
// all, by hand: no back-tracking, hence linear time on any text. Checked against tiktoken's and Hugging Face's engines
// (tests/text).
#pragma once
#include <string_view>
#include <vector>

#include "puna/base/function_ref.h"

namespace puna::text {

inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581: how SentencePiece spells a space

// The end of the piece that starts at p; p < end, and the result is in (p, end].
using NextPiece = const char* (*)(const char* p, const char* end) noexcept;

// What `tokenizer.ggml.pre` names. Splitters apply one after the other, each inside the pieces of the one before.
struct PreTokenizer {
  const char* name;
  NextPiece first, second;  // second: nullptr = none
  bool whole_words;         // a piece that is a token is that token, merges or not (made from a tiktoken vocabulary)
  bool add_bos;             // when the file does not say
  bool nfc = false;         // the text is brought into NFC first
};
const PreTokenizer& pre_tokenizer(std::string_view gguf_name);  // Error{unsupported} lists the names there are

// The splitter that does what a published pattern does; recognised letter by letter. nullptr: not one we know.
NextPiece splitter_for_pattern(std::string_view regex) noexcept;

const char* split_gpt2(const char* p, const char* end) noexcept;
const char* split_llama3(const char* p, const char* end) noexcept;
const char* split_llama4(const char* p, const char* end) noexcept;
const char* split_digits(const char* p, const char* end) noexcept;      // every digit alone
const char* split_digit_runs(const char* p, const char* end) noexcept;  // runs of digits together
const char* split_marks(const char* p, const char* end) noexcept;       // before every kSpaceMark
const char* split_after_spaces(const char* p, const char* end) noexcept;
const char* split_mark_runs(const char* p, const char* end) noexcept;  // before every run of them

// Calls `piece` for every piece of `text`, in order. Joined, they are the text.
void split(std::string_view text, const std::vector<NextPiece>& splitters, FunctionRef<void(std::string_view)> piece);

}  // namespace puna::text
