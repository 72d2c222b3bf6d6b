#include "chat/tools/gemma_scan.h"

#include "chat/tools/format.h"

namespace puna::tools {
namespace {

constexpr size_t kMostGemmaWord = 256;  // of a key, and of a number

bool is_scalar(const std::string& word) {  // as JSON writes it
  JsonScan scan;
  scan.step('[');
  for (const char c : word)
    if (scan.step(c) != JsonScan::Event::scalar) return false;
  return scan.step(']') == JsonScan::Event::close;
}

}  // namespace

GemmaScan::Step GemmaScan::step(char c) {
  // The quote, which begins a text or a key and ends it.
  const bool inside = wants_ == Wants::text || (wants_ == Wants::in_key && quoted_);
  const bool may_open = wants_ == Wants::value || wants_ == Wants::value_or_close || wants_ == Wants::key ||
                        wants_ == Wants::key_or_close;
  if (inside || may_open) {
    if (c == kGemmaQuote[mark_]) {
      if (++mark_ < kGemmaQuote.size()) return Step::more;
      mark_ = 0;
      if (inside) {
        if (!utf8_.between()) return Step::bad;
        if (key_) return key_ends() ? Step::more : Step::bad;
        out_ += '"';
        wants_ = Wants::comma;
      } else {
        key_ = wants_ == Wants::key || wants_ == Wants::key_or_close;
        quoted_ = true;
        if (!key_) out_ += '"';
        wants_ = key_ ? Wants::in_key : Wants::text;
      }
      return Step::more;
    }
    if (mark_ > 0) {  // it was none: those bytes are the text's, and this one may begin another
      if (!inside) return Step::bad;
      const size_t n = mark_;
      mark_ = 0;
      for (size_t i = 0; i < n; ++i)
        if (!text_byte(kGemmaQuote[i])) return Step::bad;
      return step(c);  // once: no quote has come so far
    }
    if (inside) return text_byte(c) ? Step::more : Step::bad;
  }
  return structure(c);
}

bool GemmaScan::text_byte(char c) {
  if (!utf8_.step(uint8_t(c))) return false;
  if (!key_) {
    append_json_char(out_, c);
    return true;
  }
  word_ += c;
  return word_.size() <= kMostGemmaWord;
}

// A key, at its colon or its second quote.
bool GemmaScan::key_ends() {
  if (word_.empty() && !quoted_) return false;
  if (out_.back() != '{') out_ += ", ";
  out_ += '"';
  for (const char c : word_) append_json_char(out_, c);
  out_ += "\": ";
  word_.clear();
  wants_ = quoted_ ? Wants::colon : Wants::value;
  key_ = quoted_ = false;
  return true;
}

GemmaScan::Step GemmaScan::structure(char c) {
  if (wants_ == Wants::in_key) {
    if (c == ':') return utf8_.between() && key_ends() ? Step::more : Step::bad;
    constexpr std::string_view kNot = "=(),[]{}'\"#\\";
    if (uint8_t(c) <= 0x20 || c == 0x7f || kNot.find(c) != kNot.npos) return Step::bad;
    return text_byte(c) ? Step::more : Step::bad;
  }
  if (wants_ == Wants::scalar) {
    if (c != ',' && c != '}' && c != ']' && !is_json_blank(c)) {
      word_ += c;
      return word_.size() <= kMostGemmaWord ? Step::more : Step::bad;
    }
    if (!scalar_ends()) return Step::bad;
  }
  if (is_json_blank(c)) return Step::more;
  switch (wants_) {
    case Wants::colon:
      if (c != ':') return Step::bad;
      wants_ = Wants::value;
      return Step::more;
    case Wants::key_or_close:
      if (c == '}') return close(c);
      [[fallthrough]];
    case Wants::key:
      key_ = true;
      quoted_ = false;
      wants_ = Wants::in_key;
      return structure(c);  // its first byte
    case Wants::value_or_close:
      if (c == ']') return close(c);
      [[fallthrough]];
    case Wants::value: return start_value(c) ? Step::more : Step::bad;
    default: break;
  }
  if (c != ',') return close(c);
  wants_ = stack_.back() == '{' ? Wants::key : Wants::value;
  if (stack_.back() == '[') out_ += ", ";
  return Step::more;
}

bool GemmaScan::start_value(char c) {
  if (c == '{' || c == '[') {
    if (stack_.size() >= kMostDepth) return false;
    stack_ += c;
    out_ += c;
    wants_ = c == '{' ? Wants::key_or_close : Wants::value_or_close;
    return true;
  }
  word_.assign(1, c);
  wants_ = Wants::scalar;
  return true;
}

bool GemmaScan::scalar_ends() {
  if (!is_scalar(word_)) return false;
  out_ += word_;
  word_.clear();
  wants_ = Wants::comma;
  return true;
}

GemmaScan::Step GemmaScan::close(char c) {
  if (c != (stack_.back() == '{' ? '}' : ']')) return Step::bad;
  stack_.pop_back();
  out_ += c;
  wants_ = Wants::comma;
  return stack_.empty() ? Step::done : Step::more;
}

}  // namespace puna::tools
