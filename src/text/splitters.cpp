#include "text/splitters.h"

#include <cstring>
#include <string>

#include "puna/base/error.h"
#include "text/split_rules.inl.h"

namespace puna::text {
namespace {

//                            contractions                   words               digits lines  slashes
constexpr SplitRules kGpt2{Contractions::first, Words::after_space, 0, false, false};
constexpr SplitRules kLlama3{Contractions::first_any_case, Words::after_any, 3, true, false};
constexpr SplitRules kQwen2{Contractions::first_any_case, Words::after_any, 1, true, false};
constexpr SplitRules kO200k{Contractions::suffix_any_case, Words::cased, 3, true, true};
constexpr SplitRules kTekken{Contractions::none, Words::cased, 1, true, true};

constexpr NextPiece split_qwen2 = next_piece<kQwen2>, split_tekken = next_piece<kTekken>;

// A run of digits of at most `longest`, or of what is not a digit: a Split or Digits step that isolates them.
template <int longest>
const char* isolate_digits(const char* p, const char* end) noexcept {
  const bool digits = char_at(p, end).is(kNumber);
  int n = 0;
  do {
    p += char_at(p, end).size;
    ++n;
  } while (p < end && char_at(p, end).is(kNumber) == digits && !(digits && longest > 0 && n == longest));
  return p;
}

// Names as llama.cpp's converter writes them. Those with splits of their own kind (falcon, deepseek, bloom, ...) are
// not here.
constexpr PreTokenizer kPreTokenizers[] = {
    {"llama-bpe", split_llama3, nullptr, true, true},
    {"llama3", split_llama3, nullptr, true, true},
    {"llama-v3", split_llama3, nullptr, true, true},
    {"falcon3", split_llama3, nullptr, true, true},
    {"falcon-h1", split_llama3, nullptr, true, true},
    {"midm-2.0", split_llama3, nullptr, true, true},
    {"lfm2", split_llama3, nullptr, true, true},
    {"dbrx", split_llama3, nullptr, false, false},
    {"smaug-bpe", split_llama3, nullptr, false, false},
    {"llama4", split_llama4, nullptr, true, false},
    {"gpt-4o", split_llama4, nullptr, true, false},
    {"kanana2", split_llama4, nullptr, true, false},
    {"tekken", split_tekken, nullptr, true, true},
    {"qwen2", split_qwen2, nullptr, false, false, /*nfc=*/true},  // as Qwen's own code, where llama.cpp leaves it out
    {"deepseek-r1-qwen", split_qwen2, nullptr, false, false},
    {"stablelm2", split_qwen2, nullptr, false, false},
    {"megrez", split_qwen2, nullptr, false, false},
    {"smollm", split_digits, split_gpt2, false, false},
    {"starcoder", split_digits, split_gpt2, false, false},
    {"refact", split_digits, split_gpt2, false, false},
    {"command-r", split_digits, split_gpt2, false, false},
    {"codeshell", split_digits, split_gpt2, false, false},
    {"exaone", split_digits, split_gpt2, false, false},
    {"minerva-7b", split_digits, split_gpt2, false, false},
    {"gpt-2", split_gpt2, nullptr, false, false},
    {"phi-2", split_gpt2, nullptr, false, false},
    {"mpt", split_gpt2, nullptr, false, false},
    {"olmo", split_gpt2, nullptr, false, false},
    {"jais", split_gpt2, nullptr, false, false},
    {"trillion", split_gpt2, nullptr, false, false},
    {"mellum", split_gpt2, nullptr, false, false},
    {"exaone4", split_gpt2, nullptr, false, false},
};

#define PUNA_ENDINGS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define PUNA_CASED(SUFFIX)                                                                           \
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+" SUFFIX \
  "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*" SUFFIX
constexpr struct {
  NextPiece splitter;
  const char* regex;
} kPatterns[] = {
    {split_gpt2, "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {split_gpt2, "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"},
    {split_llama3,
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" PUNA_ENDINGS},
    {split_llama3,  // cl100k as OpenAI writes it: possessive where nothing could be given back
     "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"},
    {split_qwen2,
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" PUNA_ENDINGS},
    {split_llama4,
     PUNA_CASED("(?i:'s|'t|'re|'ve|'m|'ll|'d)?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" PUNA_ENDINGS},
    {split_tekken, PUNA_CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" PUNA_ENDINGS},
    {split_digits, "\\p{N}"},
    {split_digit_runs, "\\p{N}+"},
    {isolate_digits<3>, "\\p{N}{1,3}"},
};

void split_level(std::string_view text, const NextPiece* splitter, const NextPiece* last,
                 FunctionRef<void(std::string_view)>& piece) {
  if (splitter == last) return piece(text);
  const char *p = text.data(), *const end = p + text.size();
  while (p < end) {
    const char* const next = (*splitter)(p, end);
    split_level({p, size_t(next - p)}, splitter + 1, last, piece);
    p = next;
  }
}

}  // namespace

const char* split_gpt2(const char* p, const char* end) noexcept { return next_piece<kGpt2>(p, end); }
const char* split_llama3(const char* p, const char* end) noexcept { return next_piece<kLlama3>(p, end); }
const char* split_llama4(const char* p, const char* end) noexcept { return next_piece<kO200k>(p, end); }
const char* split_digits(const char* p, const char* end) noexcept { return isolate_digits<1>(p, end); }
const char* split_digit_runs(const char* p, const char* end) noexcept { return isolate_digits<0>(p, end); }

const char* split_marks(const char* p, const char* end) noexcept {
  const size_t at = std::string_view(p, size_t(end - p)).find(kSpaceMark, 1);
  return at == std::string_view::npos ? end : p + at;
}

const char* split_mark_runs(const char* p, const char* end) noexcept {
  while (std::string_view(p, size_t(end - p)).starts_with(kSpaceMark)) p += kSpaceMark.size();
  return p == end ? end : split_marks(p, end);
}

const char* split_after_spaces(const char* p, const char* end) noexcept {
  const void* const at = std::memchr(p, ' ', size_t(end - p));
  return at ? static_cast<const char*>(at) + 1 : end;
}

const PreTokenizer& pre_tokenizer(std::string_view gguf_name) {
  std::string known;
  for (const PreTokenizer& p : kPreTokenizers) {
    if (gguf_name == p.name) return p;
    known += known.empty() ? "" : " ";
    known += p.name;
  }
  fail(Status::unsupported, "tokenizer.ggml.pre: no pre-tokenizer '%.*s' here; there are: %s",
       int(gguf_name.substr(0, 64).size()), gguf_name.data(), known.c_str());
}

NextPiece splitter_for_pattern(std::string_view regex) noexcept {
  for (const auto& known : kPatterns)
    if (regex == known.regex) return known.splitter;
  return nullptr;
}

void split(std::string_view text, const std::vector<NextPiece>& splitters, FunctionRef<void(std::string_view)> piece) {
  split_level(text, splitters.data(), splitters.data() + splitters.size(), piece);
}

}  // namespace puna::text
