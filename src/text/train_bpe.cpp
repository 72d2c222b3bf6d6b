// train_bpe.cpp -- counts are kept for all pairs and corrected where a merge changes a word; a heap with stale entries finds the largest.
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

struct Word {
  std::vector<int32_t> ids;
  int64_t count;
};

class BpeTrainer {
 public:
  explicit BpeTrainer(std::string_view text) {
    std::unordered_map<std::string_view, int64_t> counts;
    text::split(text, {text::split_llama3}, [&](std::string_view piece) { ++counts[piece]; });
    const std::map<std::string_view, int64_t> sorted(counts.begin(), counts.end());  // the map's order is no machine's own
    for (const auto& [piece, count] : sorted) {
      Word w{{}, count};
      for (const char c : piece) w.ids.push_back(uint8_t(c));
      words_.push_back(std::move(w));
    }
    for (size_t i = 0; i < words_.size(); ++i)
      for (size_t k = 0; k + 1 < words_[i].ids.size(); ++k) change(words_[i].ids[k], words_[i].ids[k + 1], words_[i].count, i);
    for (const auto& [pair, seen] : pairs_) heap_.push({seen.count, pair});
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
    const std::vector<size_t> words = std::move(pairs_[pair_of(left, right)].words);
    for (const size_t w : words) {
      std::vector<int32_t>& ids = words_[w].ids;
      const int64_t count = words_[w].count;
      for (size_t k = 0; k + 1 < ids.size(); ++k) {
        if (ids[k] != left || ids[k + 1] != right) continue;
        if (k > 0) {
          change(ids[k - 1], left, -count, w);
          change(ids[k - 1], id, count, w);
        }
        if (k + 2 < ids.size()) {
          change(right, ids[k + 2], -count, w);
          change(id, ids[k + 2], count, w);
        }
        ids[k] = id;
        ids.erase(ids.begin() + std::ptrdiff_t(k) + 1);
      }
    }
    pairs_.erase(pair_of(left, right));
    for (const Pair p : changed_)
      if (const auto now = pairs_.find(p); now != pairs_.end()) heap_.push({now->second.count, p});
    changed_.clear();
  }

 private:
  struct Seen {
    int64_t count = 0;
    std::vector<size_t> words;  // where it was seen; may name a word twice, or one that has it no more
  };
  struct Candidate {
    int64_t count;
    Pair pair;
    bool operator<(const Candidate& o) const { return count != o.count ? count < o.count : pair > o.pair; }  // ties: the lower pair first
  };
  void change(int32_t left, int32_t right, int64_t by, size_t word) {
    const Pair p = pair_of(left, right);
    Seen& seen = pairs_[p];
    seen.count += by;
    if (by > 0 && (seen.words.empty() || seen.words.back() != word)) seen.words.push_back(word);
    changed_.push_back(p);
  }

  std::vector<Word> words_;
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

Metadata train_bpe(std::string_view text, const BpeOptions& o) {
  const int64_t merges_wanted = o.vocabulary - 256 - int64_t(o.specials.size());
  PUNA_REQUIRE(o.specials.size() >= 2, "a vocabulary needs at least two specials: BOS and EOS");
  PUNA_REQUIRE(merges_wanted >= 0 && o.vocabulary <= 1 << 20, "vocabulary is %lld, expected %zu to 1048576", static_cast<long long>(o.vocabulary), 256 + o.specials.size());
  PUNA_REQUIRE(!text.empty(), "there is no text to make a vocabulary from");
  std::vector<std::string> tokens, merges;
  for (int b = 0; b < 256; ++b) tokens.push_back(spelling_of(uint8_t(b)));
  BpeTrainer trainer(text);
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
