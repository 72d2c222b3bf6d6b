// bpe_model.h -- one piece of text to ids. Published tokenizers differ in what symbols start as (bytes or characters)
// and in what ranks a pair: a merge list (Hugging Face, GGUF "gpt2"), the id of the joined bytes (tiktoken), or its
// score (SentencePiece).
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "puna/base/watch.h"
#include "text/merge.h"
#include "text/vocabulary.h"

namespace puna::text {

// (left id, right id) -> rank and joined id, in one flat table.
class PairTable {
 public:
  PairTable() { reserve(0); }
  void reserve(size_t pairs);                             // capacity for so many; it grows where there are more
  bool insert(int32_t left, int32_t right, Merge merge);  // false: the pair is there already
  Merge find(int32_t left, int32_t right) const noexcept;

 private:
  // left -1: free
  struct Slot {
    int32_t left, right;
    Merge merge;
  };
  bool put(int32_t left, int32_t right, Merge merge);

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t used_ = 0;
};

class BpeModel {
 public:
  struct Scratch {
    std::vector<Symbol> symbols;
    MergeScratch merge;
    std::unordered_map<int32_t, std::pair<Symbol, Symbol>> halves;  // of unused pieces: see ScoreRanks
  };
  enum Ranking : uint8_t { by_pair, by_id, by_score };

  Ranking ranking = by_pair;
  bool byte_level = true;             // symbols start as bytes, otherwise as UTF-8 characters
  bool whole_words = false;           // a piece that is a token needs no merges to be one
  int32_t unknown = -1;               // for what has no token; -1: it is dropped, as Hugging Face does
  bool fuse_unknown = false;          // one for a run of them
  std::array<int32_t, 256> byte_ids;  // byte level: tokens of single bytes; otherwise what bytes fall back to; -1: none
  PairTable pairs;                    // by_pair
  std::vector<uint32_t> score_ranks;  // by_score: by id, 0 is the best score; equal scores share a rank

  BpeModel() { byte_ids.fill(-1); }
  void set_scores(const std::vector<double>& scores);             // one an id, finite
  void finish(const Vocabulary& vocabulary, const Watch& watch);  // after all of the above
  // Bytes of the piece that are sure to be part of tokens; others may be dropped, or be one of an unknown run.
  size_t kept_bytes(std::string_view piece) const noexcept;
  void encode(std::string_view piece, const Vocabulary& vocabulary, std::vector<int32_t>& ids, Scratch& scratch) const;

 private:
  void start(std::string_view piece, const Vocabulary& vocabulary, std::vector<Symbol>& symbols) const;
  void merge(std::string_view piece, const Vocabulary& vocabulary, Scratch& scratch) const;
  void emit(std::string_view piece, const Vocabulary& vocabulary, std::vector<int32_t>& ids, Scratch& scratch) const;

  std::vector<bool> is_own_merge_;  // ids that merging their own bytes arrives at: whole pieces can skip the merges
  bool has_unused_ = false;
};

}  // namespace puna::text
