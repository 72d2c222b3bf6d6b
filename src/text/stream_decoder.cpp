// stream_decoder.cpp -- StreamDecoder: malformed bytes become U+FFFD, one for each maximal subpart (Unicode 16.0, section 3.9).
#include "puna/text/tokenizer.h"
#include "text/unicode.h"

namespace puna {

std::string StreamDecoder::push(std::string_view bytes) {
  pending_.append(bytes);
  std::string out;
  const char* p = pending_.data();
  const char* const end = p + pending_.size();
  while (p < end) {
    const text::Utf8 c = text::decode_utf8(p, end);
    if (c.status == text::Utf8::incomplete) break;
    if (c.status == text::Utf8::valid) out.append(p, c.size);
    else text::append_utf8(out, 0xFFFD);
    p += c.size;
  }
  pending_.erase(0, size_t(p - pending_.data()));
  return out;
}

std::string StreamDecoder::flush() {
  std::string out;
  if (!pending_.empty()) text::append_utf8(out, 0xFFFD);  // at most one character is ever held back
  pending_.clear();
  return out;
}

}  // namespace puna
