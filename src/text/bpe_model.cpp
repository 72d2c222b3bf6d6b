#include "text/bpe_model.h"

#include <algorithm>
#include <cstring>

#include "puna/base/error.h"
#include "text/unicode/unicode.h"

namespace puna::text {
namespace {

constexpr size_t kLongestMergeProbe = 1024;  // as in PieceIndex: colliding tables are refused when they are built

size_t hash_pair(int32_t left, int32_t right) noexcept {
  uint64_t h = (uint64_t(uint32_t(left)) << 32 | uint32_t(right)) * 0x9E3779B97F4A7C15u;
  h ^= h >> 32;
  return size_t(h * 0xD1B54A32D192ED03u >> 20);
}

struct PairRanks {
  const PairTable& pairs;
  Merge operator()(const Symbol& left, const Symbol& right) const { return pairs.find(left.id, right.id); }
};

struct IdRanks {
  std::string_view piece;
  const Vocabulary& vocabulary;
  Merge operator()(const Symbol& left, const Symbol& right) const {
    const int32_t id = vocabulary.find({piece.data() + left.begin, right.end - left.begin});
    return {id < 0 ? kNoRank : uint32_t(id), id};
  }
};

// SentencePiece merges into "unused" pieces as well, and takes them apart at the end, at the pair it saw last.
struct ScoreRanks {
  std::string_view piece;
  const Vocabulary& vocabulary;
  const std::vector<uint32_t>& ranks;
  std::unordered_map<int32_t, std::pair<Symbol, Symbol>>* halves;  // NULL: the vocabulary has no unused pieces
  Merge operator()(const Symbol& left, const Symbol& right) const {
    const int32_t id = vocabulary.find({piece.data() + left.begin, right.end - left.begin});
    if (id < 0) return {};
    if (halves && vocabulary.kinds[size_t(id)] == TokenKind::unused) (*halves)[id] = {left, right};
    return {ranks[size_t(id)], id};
  }
};

}  // namespace

void PairTable::reserve(size_t pairs) {
  size_t slots = 64;
  while (slots < 2 * pairs) slots *= 2;
  slots_.assign(slots, {-1, -1, {}});
  used_ = 0;
}

bool PairTable::insert(int32_t left, int32_t right, Merge merge) {
  if (slots_.size() < 2 * (used_ + 1)) {
    std::vector<Slot> old(2 * slots_.size(), Slot{-1, -1, {}});
    old.swap(slots_);
    for (const Slot& s : old)
      if (s.left >= 0) put(s.left, s.right, s.merge);
  }
  const bool is_new = put(left, right, merge);
  used_ += is_new;
  return is_new;
}

bool PairTable::put(int32_t left, int32_t right, Merge merge) {
  const size_t mask = slots_.size() - 1, start = hash_pair(left, right);
  for (size_t i = 0; i <= kLongestMergeProbe; ++i) {
    Slot& s = slots_[(start + i) & mask];
    if (s.left == left && s.right == right) return false;
    if (s.left < 0) {
      s = {left, right, merge};
      return true;
    }
  }
  fail(Status::bad_file, "tokenizer: more than %zu merges share one hash value; no trained vocabulary does",
       kLongestMergeProbe);
}

Merge PairTable::find(int32_t left, int32_t right) const noexcept {
  const size_t mask = slots_.size() - 1, start = hash_pair(left, right);
  for (size_t i = 0; i <= kLongestMergeProbe; ++i) {
    const Slot& s = slots_[(start + i) & mask];
    if (s.left == left && s.right == right) return s.merge;
    if (s.left < 0) break;
  }
  return {};
}

void BpeModel::set_scores(const std::vector<double>& scores) {
  std::vector<double> order(scores);
  std::sort(order.begin(), order.end(), std::greater<>());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  score_ranks.clear();
  for (const double s : scores)
    score_ranks.push_back(uint32_t(std::lower_bound(order.begin(), order.end(), s, std::greater<>()) - order.begin()));
}

void BpeModel::finish(const Vocabulary& v, const Watch& watch) {
  has_unused_ = std::find(v.kinds.begin(), v.kinds.end(), TokenKind::unused) != v.kinds.end();
  if (whole_words) return;
  std::vector<bool> own(size_t(v.size()), false);
  Scratch scratch;
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < v.size(); ++id) {
    watch.tick();
    if (v.pieces[id].size() < 2 || v.pieces[id].size() > 64 || v.find(v.pieces[id]) != id) continue;
    ids.clear();
    encode(v.pieces[id], v, ids, scratch);
    own[size_t(id)] = ids.size() == 1 && ids[0] == id;
  }
  is_own_merge_.swap(own);
}

size_t BpeModel::kept_bytes(std::string_view piece) const noexcept {
  const auto is_known = [](int32_t id) { return id >= 0; };
  if (!byte_level) return std::all_of(byte_ids.begin(), byte_ids.end(), is_known) ? piece.size() : 0;
  return size_t(std::count_if(piece.begin(), piece.end(),
                              [&](char c) { return is_known(byte_ids[static_cast<unsigned char>(c)]); }));
}

void BpeModel::encode(std::string_view piece, const Vocabulary& v, std::vector<int32_t>& ids, Scratch& scratch) const {
  if (whole_words || !is_own_merge_.empty())
    if (const int32_t id = v.find(piece); id >= 0 && (whole_words || is_own_merge_[size_t(id)]))
      return ids.push_back(id);
  start(piece, v, scratch.symbols);
  merge(piece, v, scratch);
  emit(piece, v, ids, scratch);
}

// Under scores a character without a token stays in the game: its neighbours may still join it. Under merge lists it
// falls back to bytes, or to the unknown token, at once.
void BpeModel::start(std::string_view piece, const Vocabulary& v, std::vector<Symbol>& symbols) const {
  symbols.clear();
  const char* const text = piece.data();
  for (uint32_t at = 0, next; at < piece.size(); at = next) {
    next = at + (byte_level ? 1 : char_at(text + at, text + piece.size()).size);
    const int32_t id =
        byte_level ? byte_ids[static_cast<unsigned char>(text[at])] : v.find(piece.substr(at, next - at));
    if (id >= 0 || ranking == by_score) {
      symbols.push_back({id, at, next});
      continue;
    }
    const auto token = [&](uint32_t i) { return byte_ids[static_cast<unsigned char>(text[i])]; };
    bool bytes = !byte_level;
    for (uint32_t i = at; i < next; ++i) bytes = bytes && token(i) >= 0;
    if (bytes) {
      for (uint32_t i = at; i < next; ++i) symbols.push_back({token(i), i, i + 1});
    } else if (unknown >= 0) {
      if (fuse_unknown && !symbols.empty() && symbols.back().id == unknown)
        symbols.back().end = next;
      else
        symbols.push_back({unknown, at, next});
    }
  }
}

void BpeModel::merge(std::string_view piece, const Vocabulary& v, Scratch& scratch) const {
  switch (ranking) {
    case by_pair: return merge_all(scratch.symbols, PairRanks{pairs}, scratch.merge);
    case by_id: return merge_all(scratch.symbols, IdRanks{piece, v}, scratch.merge);
    case by_score:
      scratch.halves.clear();
      return merge_all(scratch.symbols, ScoreRanks{piece, v, score_ranks, has_unused_ ? &scratch.halves : nullptr},
                       scratch.merge);
  }
}

void BpeModel::emit(std::string_view piece, const Vocabulary& v, std::vector<int32_t>& ids, Scratch& scratch) const {
  if (ranking != by_score) {
    for (const Symbol& s : scratch.symbols) ids.push_back(s.id);
    return;
  }
  auto& todo = scratch.symbols;  // as a stack, first symbol on top
  std::reverse(todo.begin(), todo.end());
  bool after_unknown = false;
  while (!todo.empty()) {
    const Symbol s = todo.back();
    todo.pop_back();
    const auto halves = s.id >= 0 && has_unused_ ? scratch.halves.find(s.id) : scratch.halves.end();
    if (halves != scratch.halves.end()) {
      todo.push_back(halves->second.second);
      todo.push_back(halves->second.first);
      continue;
    }
    const auto token = [&](uint32_t i) { return byte_ids[static_cast<unsigned char>(piece[i])]; };
    bool bytes = s.id < 0;
    for (uint32_t i = s.begin; i < s.end; ++i) bytes = bytes && token(i) >= 0;
    if (s.id >= 0)
      ids.push_back(s.id);
    else if (bytes)
      for (uint32_t i = s.begin; i < s.end; ++i) ids.push_back(token(i));
    else if (unknown >= 0 && !after_unknown)
      ids.push_back(unknown);
    after_unknown = fuse_unknown && s.id < 0 && !bytes;
  }
}

}  // namespace puna::text
