// vocabulary.h -- every id's spelling and kind. `pieces` is the spelling that merges work on; `spoken`, kept only where
// it differs, the bytes an id stands for in text: "<0xE2>" is the byte E2, and SentencePiece's U+2581 is a space.
#pragma once
#include <string_view>
#include <vector>

#include "puna/text/tokenizer.h"
#include "text/piece_table.h"

namespace puna::text {

struct Vocabulary {
  PieceList pieces;
  PieceList spoken;  // empty: the same as pieces
  PieceIndex index;  // the pieces that ordinary text can become
  std::vector<TokenKind> kinds;

  void reserve(size_t ids, size_t bytes);
  // `ordinary`: by its spelling, text could become it; control, unknown and byte tokens never are.
  void add(std::string_view piece, TokenKind kind, bool ordinary = true);
  // After the last add. Error{bad_file} when two normal tokens are spelt alike; `field` names the list.
  void build_index(const char* field, const Watch& watch);

  int32_t size() const noexcept { return pieces.size(); }
  int32_t find(std::string_view piece) const noexcept { return index.find(pieces, piece); }
  std::string_view bytes(int32_t id) const noexcept { return spoken.size() ? spoken[id] : pieces[id]; }

 private:
  std::vector<bool> ordinary_;
};

}  // namespace puna::text
