#include "text/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "puna/base/error.h"
#include "text/unicode/unicode.h"

namespace puna::text {
namespace {

constexpr size_t kLongest = 1024;  // bounds the work at one position of the text

bool is_word_at(const char* p, const char* end) noexcept {
  const Utf8 c = decode_utf8(p, end);
  return c.status == Utf8::valid && is_word(c.code);
}

// The character that ends at p; begin < p.
const char* previous(const char* begin, const char* p) noexcept {
  const char* q = p - 1;
  while (q > begin && p - q < 4 && (static_cast<unsigned char>(*q) & 0xC0) == 0x80) --q;
  return q + decode_utf8(q, p).size == p ? q : p - 1;
}

bool stands_alone(const char* begin, const char* p, const char* q, const char* end) noexcept {
  return (p == begin || !is_word_at(previous(begin, p), p)) && (q == end || !is_word_at(q, end));
}

}  // namespace

void AddedTokens::add(AddedToken token) {
  if (token.text.empty()) return;
  if (token.text.size() > kLongest)
    fail(Status::unsupported, "tokenizer: added token %d is %zu bytes long, expected at most %zu", token.id,
         token.text.size(), kLongest);
  tokens_.push_back(std::move(token));
}

void AddedTokens::finish() {
  std::stable_sort(tokens_.begin(), tokens_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text < b.text; });
  by_name_.clear();
  for (const AddedToken& t : tokens_) by_name_.push_back(&t);
  std::sort(by_name_.begin(), by_name_.end(), [](const AddedToken* a, const AddedToken* b) {
    return name_of(*a) != name_of(*b) ? name_of(*a) < name_of(*b) : a->id < b->id;
  });
  for (size_t i = 1; i < by_name_.size(); ++i)
    if (const AddedToken &a = *by_name_[i - 1], &b = *by_name_[i]; name_of(a) == name_of(b) && a.id != b.id)
      fail(Status::bad_file, "tokenizer: added token '%.64s' has two ids, %d and %d", std::string(name_of(a)).c_str(),
           a.id, b.id);
  for (size_t m = 0; m < matchers_.size(); ++m) {
    Matcher& matcher = matchers_[m];
    matcher = {};
    for (const AddedToken& t : tokens_) {
      if (t.normalized != (m >= 2) || (t.special && m % 2 == 0)) continue;
      if (!matcher.sorted.empty() && matcher.sorted.back()->text == t.text)
        matcher.sorted.back() = &t;
      else
        matcher.sorted.push_back(&t);
      matcher.first.set(static_cast<unsigned char>(t.text[0]));
    }
    if (matcher.first.count() == 1) matcher.only_first = static_cast<unsigned char>(matcher.sorted[0]->text[0]);
  }
}

int32_t AddedTokens::find(std::string_view name) const noexcept {
  const auto it = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [](const AddedToken* t, std::string_view n) { return name_of(*t) < n; });
  return it != by_name_.end() && name_of(**it) == name ? (*it)->id : -1;
}

const char* AddedTokens::Matcher::next_start(const char* p, const char* end) const noexcept {
  if (sorted.empty() || p == end) return end;
  if (only_first >= 0) {
    const void* at = std::memchr(p, only_first, size_t(end - p));
    return at ? static_cast<const char*>(at) : end;
  }
  return std::find_if(p, end, [&](char c) { return first[static_cast<unsigned char>(c)]; });
}

// Narrows the sorted tokens to those that agree with the text, byte by byte; the last one that ends is the longest.
const AddedToken* AddedTokens::Matcher::longest_at(const char* p, const char* end, const char* special_end,
                                                   const Watch& watch) const {
  auto low = sorted.begin(), high = sorted.end();
  const AddedToken* found = nullptr;
  for (size_t depth = 0; low != high; ++depth) {
    watch.tick();
    if ((*low)->text.size() == depth) {
      if (!(*low)->special || p + depth <= special_end) found = *low;
      ++low;
    }
    if (p + depth == end) break;
    const auto byte = static_cast<unsigned char>(p[depth]);
    const auto at = [depth](const AddedToken* t) { return static_cast<unsigned char>(t->text[depth]); };
    low = std::partition_point(low, high, [&](const AddedToken* t) { return at(t) < byte; });
    high = std::partition_point(low, high, [&](const AddedToken* t) { return at(t) == byte; });
  }
  return found;
}

void AddedTokens::split(Fragment text, bool normalized, bool parse_special, FunctionRef<void(Fragment)> on_text,
                        FunctionRef<void(int32_t)> on_token, const Watch& watch) const {
  const Matcher& matcher = matchers_[size_t(normalized * 2 + parse_special)];
  const char *const begin = text.text.data(), *const end = begin + text.text.size();
  const char* done = begin;
  Fragment rest = text;
  const auto emit = [&](const char* to) {
    if (done < to)
      on_text(
          {{done, size_t(to - done)}, rest.first, rest.after_special, text.content, text.at + size_t(done - begin)});
  };
  auto content = first_content(text);
  for (const char* p = begin; (p = matcher.next_start(p, end)) < end;) {
    const size_t at = text.at + size_t(p - begin);
    while (content != text.content.end() && content->end <= at) ++content;
    const char* const special_end = content == text.content.end() ? end
                                    : content->begin <= at        ? p
                                                                  : p + std::min(content->begin - at, size_t(end - p));
    const AddedToken* const token = matcher.longest_at(p, end, special_end, watch);
    if (!token) {
      ++p;
      continue;
    }
    const char *from = p, *to = p + token->text.size();
    p = to;
    if (token->single_word && !stands_alone(begin, from, to, end)) continue;
    if (token->left_strip)
      while (from > done && char_at(previous(done, from), from).is(kSpace)) from = previous(done, from);
    if (token->right_strip)
      while (to < end && char_at(to, end).is(kSpace)) to += char_at(to, end).size;
    if (token->left_strip && from < done) {  // the one before has swallowed its start, or all of it
      if (to <= done) continue;
      from = done;
    }
    emit(from);
    on_token(token->id);
    done = to;
    rest = {{}, false, token->special};
  }
  emit(end);
}

}  // namespace puna::text
