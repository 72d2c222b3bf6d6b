// test_merge.cpp -- the two merge loops, for short and for long pieces, against the definition taken literally.
#include "text/merge.h"

#include <chrono>
#include <map>
#include <random>
#include <string>

#include "puna/text/tokenizer.h"
#include "support/catch.h"
#include "text/bpe_model.h"
#include "text/tokenizer_files.h"

using namespace puna;
using namespace puna::text;

namespace {

// Random merges over symbols 0..n-1; ranks may tie, as SentencePiece's scores do.
struct RandomRanks {
  std::map<std::pair<int32_t, int32_t>, Merge> merges;
  Merge operator()(const Symbol& left, const Symbol& right) const {
    const auto at = merges.find({left.id, right.id});
    return at == merges.end() ? Merge{} : at->second;
  }
};
RandomRanks random_ranks(std::mt19937& random, int32_t symbols) {
  RandomRanks ranks;
  for (int32_t id = symbols; id < 4 * symbols; ++id) {
    const auto left = int32_t(random() % uint32_t(id)), right = int32_t(random() % uint32_t(id));
    ranks.merges.emplace(std::pair(left, right), Merge{uint32_t(random() % 16), id});
  }
  return ranks;
}

std::vector<Symbol> literal(std::vector<Symbol> s, const RandomRanks& rank) {
  for (;;) {
    size_t best = s.size();
    uint32_t best_rank = kNoRank;
    for (size_t i = 0; i + 1 < s.size(); ++i)
      if (const Merge m = rank(s[i], s[i + 1]); m.rank < best_rank) best = i, best_rank = m.rank;
    if (best == s.size()) return s;
    s[best] = {rank(s[best], s[best + 1]).id, s[best].begin, s[best + 1].end};
    s.erase(s.begin() + int64_t(best) + 1);
  }
}

bool same(const std::vector<Symbol>& a, const std::vector<Symbol>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Symbol& x, const Symbol& y) {
    return x.id == y.id && x.begin == y.begin && x.end == y.end;
  });
}

}  // namespace

TEST_CASE("Both merge loops agree with the definition, ties included", "[text]") {
  std::mt19937 random(5);
  MergeScratch scratch;
  for (int round = 0; round < 3000; ++round) {
    const auto symbols = int32_t(1 + random() % 6);
    const RandomRanks ranks = random_ranks(random, symbols);
    std::vector<Symbol> start;
    for (uint32_t i = 0, n = random() % 90; i < n; ++i)
      start.push_back({int32_t(random() % uint32_t(symbols)), i, i + 1});
    const std::vector<Symbol> want = literal(start, ranks);
    std::vector<Symbol> short_one = start, long_one = start;
    merge_short(short_one, ranks, scratch);
    merge_long(long_one, ranks, scratch);
    CAPTURE(round);
    CHECK(same(short_one, want));
    CHECK(same(long_one, want));
  }
}

TEST_CASE("A megabyte without a single split takes well under a second or two", "[text][golden]") {
  const auto check = [](const Tokenizer& t) {
    for (const std::string unit : {"a", " ", "\n", "ab", "\xE6\x97\xA5", "\xFF", "<|", "<|eot|>", "aB"}) {
      std::string text;
      while (text.size() < (1u << 20)) text += unit;
      CAPTURE(unit);
      const auto start = std::chrono::steady_clock::now();
      const std::vector<int32_t> ids = t.encode(text, true);
      CHECK(std::chrono::steady_clock::now() - start <
            std::chrono::seconds(20));  // under sanitizers, too; quadratic would be hours
      if (unit != "\xFF") CHECK(t.decode(ids, true) == text);
    }
  };
  if (test::llama4_tokenizer().empty() || test::smollm2().empty()) PUNA_SKIP("no tokenizers in the model cache");
  check(*tokenizer_from_tiktoken(test::read_text(test::llama4_tokenizer())));
  check(*test::load_smollm2());
}

TEST_CASE("A pair table finds what was put in, and refuses a pair twice", "[text]") {
  PairTable table;
  CHECK(table.find(1, 2).rank == kNoRank);
  table.reserve(5000);
  for (int32_t i = 0; i < 5000; ++i) CHECK(table.insert(i, i * 7 % 5000, {uint32_t(i), i + 1}));
  CHECK_FALSE(table.insert(3, 21, {}));
  for (int32_t i = 0; i < 5000; ++i) CHECK(table.find(i, i * 7 % 5000).id == i + 1);
  CHECK(table.find(21, 3).rank == kNoRank);
}

TEST_CASE("Piece tables find every key and no other", "[text]") {
  std::mt19937 random(9);
  PieceList pieces;
  PieceIndex index;
  std::map<std::string, int32_t> want;
  for (int32_t id = 0; id < 20000; ++id) {
    std::string key;
    for (uint32_t n = random() % 40; n > 0; --n) key += char('a' + random() % 3);
    pieces.add(key);
    const auto [at, fresh] = want.emplace(key, id);
    CHECK(index.insert(pieces, id) == (fresh ? -1 : at->second));
  }
  for (const auto& [key, id] : want) {
    CHECK(index.find(pieces, key) == id);
    const std::string other = key + "z";
    CHECK(index.find(pieces, other) == -1);
  }
}
