// stream_decoder.cpp -- StreamDecoder: malformed bytes become U+FFFD, one for each maximal subpart (Unicode 16.0,
// section 3.9). What is emitted when is CPython's incremental decoder's choice.
#include "puna/text/tokenizer.h"
#include "text/unicode/unicode.h"

namespace puna {
namespace {

// ED A0..BF starts a surrogate and is malformed already; CPython waits for the third byte all the same.
bool is_half_surrogate(const char* p, const char* end) noexcept {
  return end - p == 2 && p[0] == '\xED' && static_cast<unsigned char>(p[1]) >= 0xA0;
}

}  // namespace

std::string StreamDecoder::push(std::string_view bytes) {
  pending_.append(bytes);
  std::string out;
  const char* p = pending_.data();
  const char* const end = p + pending_.size();
  while (p < end) {
    const Utf8 c = decode_utf8(p, end);
    if (c.status == Utf8::incomplete || is_half_surrogate(p, end)) break;
    if (c.status == Utf8::valid)
      out.append(p, c.size);
    else
      append_utf8(out, 0xFFFD);
    p += c.size;
  }
  pending_.erase(0, size_t(p - pending_.data()));
  return out;
}

std::string StreamDecoder::flush() {
  std::string out;
  const char* const end = pending_.data() + pending_.size();
  for (const char* p = pending_.data(); p < end; p += decode_utf8(p, end).size) append_utf8(out, 0xFFFD);
  pending_.clear();
  return out;
}

}  // namespace puna
