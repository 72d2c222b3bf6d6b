#include "text/vocabulary.h"

#include "puna/base/error.h"

namespace puna::text {

void Vocabulary::reserve(size_t ids, size_t bytes) {
  pieces.reserve(ids, bytes);
  kinds.reserve(ids);
  index.reserve(ids);
}

void Vocabulary::add(std::string_view piece, TokenKind kind, bool ordinary) {
  pieces.add(piece);
  kinds.push_back(kind);
  ordinary_.push_back(ordinary && !piece.empty() && kind != TokenKind::control && kind != TokenKind::unknown &&
                      kind != TokenKind::byte);
}

// User-defined tokens are found by AddedTokens first; here they only lend their ids to merges that make the same bytes.
void Vocabulary::build_index(const char* field, const Watch& watch) {
  for (const bool user_defined : {false, true}) {
    for (int32_t id = 0; id < size(); ++id) {
      watch.tick();
      if (!ordinary_[size_t(id)] || (kinds[size_t(id)] == TokenKind::user_defined) != user_defined) continue;
      const int32_t other = index.insert(pieces, id);
      if (other >= 0 && !user_defined)
        fail(Status::bad_file, "%s: ids %d and %d are both '%.*s'", field, other, id,
             int(pieces[id].substr(0, 64).size()), pieces[id].data());
    }
  }
}

}  // namespace puna::text
