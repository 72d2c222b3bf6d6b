#include "text/sentencepiece.h"

#include "text/splitters.h"

namespace puna::text {

int byte_of_name(std::string_view name) noexcept {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (name.size() != 6 || !name.starts_with("<0x") || name[5] != '>' || digit(name[3]) < 0 || digit(name[4]) < 0)
    return -1;
  return digit(name[3]) * 16 + digit(name[4]);
}

bool marks_only_lead(const Vocabulary& v) noexcept {
  if (v.find(kSpaceMark) < 0) return false;
  for (int32_t id = 0; id < v.size(); ++id) {
    const std::string_view piece = v.pieces[id];
    if (v.kinds[size_t(id)] == TokenKind::unused)
      return false;  // taken apart at the pair seen last: anywhere in the text
    if (piece.empty() || v.find(piece) != id) continue;
    if (split_mark_runs(piece.data(), piece.data() + piece.size()) != piece.data() + piece.size()) return false;
  }
  return true;
}

}  // namespace puna::text
