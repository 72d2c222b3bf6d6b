#include "text/sentencepiece.h"

#include <string>

#include "puna/base/error.h"
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

void add_sentencepieces(const SentencePieces& pieces, TokenizerParts& parts, const Watch& watch) {
  BpeModel& model = parts.model;
  model.byte_level = false;
  model.fuse_unknown = true;
  const size_t count = pieces.kinds.size();
  parts.vocabulary.reserve(count, 8 * count);
  for (size_t id = 0; id < count; ++id) {
    watch.tick();
    const std::string_view piece = pieces.piece(id);
    const TokenKind kind = pieces.kinds[id];
    parts.vocabulary.add(piece, kind);
    std::string spoken = kind == TokenKind::control || kind == TokenKind::unknown ? std::string(piece)
                                                                                  : replace_all(piece, kSpaceMark, " ");
    if (kind == TokenKind::byte) {
      const int byte = byte_of_name(piece);
      if (byte < 0)
        fail(Status::bad_file, "%s[%zu] is of type byte, but '%.64s' is not like <0x0A>", pieces.field, id,
             std::string(piece.substr(0, 64)).c_str());
      model.byte_ids[size_t(byte)] = int32_t(id);
      spoken.assign(1, char(byte));
    }
    parts.vocabulary.spoken.add(spoken);
    add_if_found_in_text(parts, int32_t(id), std::move(spoken));
  }
  parts.added.finish();
  parts.vocabulary.build_index(pieces.field, watch);
}

void merge_by_scores(const std::vector<double>& scores, TokenizerParts& parts) {
  parts.model.ranking = BpeModel::by_score;
  parts.model.set_scores(scores);
}

void add_sentencepiece_spaces(bool prefix, bool collapse, TokenizerParts& parts) {
  if (collapse) parts.normalizer.add({NormalizerStep::collapse_spaces, {}, {}});
  if (prefix) parts.normalizer.add({NormalizerStep::prepend, {}, " ", NormalizerStep::first_or_after_special});
  parts.normalizer.add({NormalizerStep::replace, " ", std::string(kSpaceMark)});
  parts.first_space = prefix ? Tokenizer::FirstSpace::drop_one : Tokenizer::FirstSpace::keep;
  if (marks_only_lead(parts.vocabulary)) parts.splitters.push_back(split_mark_runs);
}

}  // namespace puna::text
