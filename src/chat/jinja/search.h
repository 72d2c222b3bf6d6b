// search.h -- looking through texts: every comparison of two texts and every search for one in another goes
// through here, where it is paid for by the bytes that are looked at, piece by piece.
#pragma once
#include <string_view>

#include "chat/jinja/machine.h"

namespace puna::jinja {

int compare_bytes(Machine& m, std::string_view a, std::string_view b);  // -1, 0, 1; UTF-8 orders as code points do
bool equal_bytes(Machine& m, std::string_view a, std::string_view b);
inline bool starts_with(Machine& m, std::string_view s, std::string_view prefix) {
  return s.size() >= prefix.size() && equal_bytes(m, s.substr(0, prefix.size()), prefix);
}
inline bool ends_with(Machine& m, std::string_view s, std::string_view suffix) {
  return s.size() >= suffix.size() && equal_bytes(m, s.substr(s.size() - suffix.size()), suffix);
}

// A text to be found in others, once or often. Linear in the length of both, whatever they are, and without memory of
// its own: Crochemore and Perrin's two-way string matching (1991). From the right it sees both texts mirrored.
class Needle {
 public:
  Needle(Machine& m, std::string_view needle, bool from_right = false);
  size_t find(std::string_view s) const;  // where the first (from the right: the last) occurrence starts; npos

 private:
  template <bool Mirrored>
  void factorise();
  template <bool Mirrored>
  size_t maximal_suffix(bool greatest, size_t& period) const;
  template <bool Mirrored>
  size_t search(std::string_view s) const;

  Machine& m_;
  const std::string_view needle_;
  const bool from_right_;
  bool periodic_ = false;
  size_t right_ = 0;  // where its right half starts
  size_t period_ = 1;
};

size_t find_last_byte(Machine& m, std::string_view s, char c);
int64_t count_characters(Machine& m, std::string_view s);  // code points
size_t character_offset(Machine& m, std::string_view s,
                        int64_t n);  // the byte where code point `n` starts; the size if there are fewer

}  // namespace puna::jinja
