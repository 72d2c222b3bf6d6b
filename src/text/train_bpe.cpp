// train_bpe.cpp -- counts are kept for all pairs and corrected where a merge changes a word; a heap with stale entries
// finds the largest.
#include "puna/text/train_bpe.h"

#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>

#include "puna/base/error.h"
#include "text/splitters.h"

namespace puna {
namespace {

using Pair = uint64_t;  // left id, right id
Pair pair_of(int32_t left, int32_t right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }

// All different words behind one another, as lists of symbols: a merge takes the right one out of its list, so that its
// cost does not depend on how long the word is (a text may be one word of millions of letters).
class BpeTrainer {
 public:
  BpeTrainer(std::string_view text, const Watch& watch) : watch_(watch) {
    std::unordered_map<std::string_view, int64_t> counts;
    text::split(text, {text::split_llama3}, [&](std::string_view piece) {
      watch_.tick();
      ++counts[piece];
    });
    // the map's order is no machine's own
    const std::map<std::string_view, int64_t> sorted(counts.begin(), counts.end());
    size_t symbols = 0;
    for (const auto& [piece, count] : sorted) symbols += piece.size();
    PUNA_REQUIRE(symbols < kNone, "the text has %zu bytes of different words, expected less than 2^32 - 1", symbols);
    symbols_.reserve(symbols);
    for (const auto& [piece, count] : sorted) {
      counts_.push_back(count);
      for (size_t k = 0; k < piece.size(); ++k) {
        const auto at = uint32_t(symbols_.size());
        symbols_.push_back({uint8_t(piece[k]), k == 0 ? kNone : at - 1, k + 1 == piece.size() ? kNone : at + 1,
                            uint32_t(counts_.size() - 1)});
      }
    }
    for (uint32_t i = 0; i < symbols_.size(); ++i) {
      watch_.tick();
      if (symbols_[i].next != kNone) change(i, symbols_[i].id, symbols_[i + 1].id, +1);
    }
    push_changed();
  }

  // The pair that is seen most, at least min_count times; false: there is none.
  bool next(int64_t min_count, int32_t& left, int32_t& right) {
    while (!heap_.empty()) {
      const auto [count, pair] = heap_.top();
      heap_.pop();
      const auto now = pairs_.find(pair);
      if (now == pairs_.end() || now->second.count != count) continue;  // changed since
      if (count < min_count) return false;
      left = int32_t(pair >> 32);
      right = int32_t(uint32_t(pair));
      return true;
    }
    return false;
  }

  void merge(int32_t left, int32_t right, int32_t id) {
    std::vector<uint32_t> places = std::move(pairs_[pair_of(left, right)].places);
    std::sort(places.begin(), places.end());  // of three equal letters the first two are joined
    for (const uint32_t i : places) {
      watch_.tick();
      Symbol& s = symbols_[i];
      if (s.id != left || s.next == kNone || symbols_[s.next].id != right) continue;  // merged otherwise since
      Symbol& taken = symbols_[s.next];
      if (s.previous != kNone) {
        const int32_t before = symbols_[s.previous].id;
        change(s.previous, before, left, -1);
        change(s.previous, before, id, +1);
      }
      s.next = taken.next;
      taken.id = -1;
      s.id = id;
      if (s.next == kNone) continue;
      symbols_[s.next].previous = i;
      change(i, right, symbols_[s.next].id, -1);
      change(i, id, symbols_[s.next].id, +1);
    }
    pairs_.erase(pair_of(left, right));
    push_changed();
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Symbol {
    int32_t id;               // -1: part of the one before
    uint32_t previous, next;  // of the same word
    uint32_t word;
  };
  struct Seen {
    int64_t count = 0;
    bool changed = false;          // since it was pushed to the heap
    std::vector<uint32_t> places;  // of the left symbol; may name one that has the pair no more
  };
  struct Candidate {
    int64_t count;
    Pair pair;
    // Ties: the lower pair first.
    bool operator<(const Candidate& o) const { return count != o.count ? count < o.count : pair > o.pair; }
  };

  void change(uint32_t place, int32_t left, int32_t right, int sign) {
    const Pair p = pair_of(left, right);
    Seen& seen = pairs_[p];
    seen.count += sign * counts_[symbols_[place].word];
    if (sign > 0) seen.places.push_back(place);
    if (!seen.changed) changed_.push_back(p);
    seen.changed = true;
  }
  void push_changed() {
    for (const Pair p : changed_) {
      const auto now = pairs_.find(p);
      if (now == pairs_.end()) continue;
      now->second.changed = false;
      heap_.push({now->second.count, p});
    }
    changed_.clear();
  }

  const Watch& watch_;
  std::vector<Symbol> symbols_;
  std::vector<int64_t> counts_;  // of words
  std::unordered_map<Pair, Seen> pairs_;
  std::vector<Pair> changed_;
  std::priority_queue<Candidate> heap_;
};

// GPT-2's printable spelling of a byte, as byte_level.h describes it.
std::string spelling_of(uint8_t byte) {
  const auto printable = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  int code = byte;
  if (!printable(byte)) {
    code = 256;
    for (int b = 0; b < byte; ++b) code += !printable(b);
  }
  if (code < 128) return std::string(1, char(code));
  return {char(0xC0 | code >> 6), char(0x80 | (code & 63))};
}

}  // namespace

Metadata train_bpe(std::string_view text, const BpeOptions& o, const Watch& watch) {
  const int64_t merges_wanted = o.vocabulary - 256 - int64_t(o.specials.size());
  PUNA_REQUIRE(o.specials.size() >= 2, "a vocabulary needs at least two specials: BOS and EOS");
  PUNA_REQUIRE(merges_wanted >= 0 && o.vocabulary <= 1 << 20, "vocabulary is %jd, expected %zu to 1048576",
               o.vocabulary, 256 + o.specials.size());
  PUNA_REQUIRE(!text.empty(), "there is no text to make a vocabulary from");
  std::vector<std::string> tokens, merges;
  for (int b = 0; b < 256; ++b) tokens.push_back(spelling_of(uint8_t(b)));
  BpeTrainer trainer(text, watch);
  int32_t left = 0, right = 0;
  while (int64_t(merges.size()) < merges_wanted && trainer.next(o.min_count, left, right)) {
    merges.push_back(tokens[size_t(left)] + " " + tokens[size_t(right)]);
    tokens.push_back(tokens[size_t(left)] + tokens[size_t(right)]);
    trainer.merge(left, right, int32_t(tokens.size()) - 1);
  }
  constexpr int64_t kNormal = 1, kControl = 3;
  std::vector<int64_t> kinds(tokens.size(), kNormal);
  const int64_t first_special = int64_t(tokens.size());
  for (const std::string& s : o.specials) {
    tokens.push_back(s);
    kinds.push_back(kControl);
  }
  Metadata m;
  m.set("tokenizer.ggml.model", std::string("gpt2"));
  m.set("tokenizer.ggml.pre", std::string("llama-bpe"));
  m.set("tokenizer.ggml.tokens", std::move(tokens));
  m.set("tokenizer.ggml.token_type", std::move(kinds));
  m.set("tokenizer.ggml.merges", std::move(merges));
  m.set("tokenizer.ggml.bos_token_id", first_special);
  m.set("tokenizer.ggml.eos_token_id", first_special + 1);
  m.set("tokenizer.ggml.add_bos_token", true);
  if (!o.chat_template.empty()) m.set("tokenizer.chat_template", o.chat_template);
  return m;
}

}  // namespace puna
