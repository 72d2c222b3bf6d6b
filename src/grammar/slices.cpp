// slices.cpp -- plain text is a small automaton over bytes: UTF-8 as in table 3-7 of the Unicode standard, less some of
// ASCII. Its product with a lexer state is explored breadth first, a character a round.
#include "grammar/slices.h"

#include <algorithm>
#include <array>

namespace puna::grammar {
namespace {

struct PlainRange {
  uint8_t first, last, to;
};
// By state; 0: between characters. 1, 2, 3: so many continuation bytes to come. 4-7: after E0, ED, F0, F4.
constexpr std::array<std::array<PlainRange, 10>, 8> kPlain = {{
    {{{0x20, 0x21, 0},
      {0x23, 0x5B, 0},
      {0x5D, 0x7F, 0},
      {0xC2, 0xDF, 1},
      {0xE0, 0xE0, 4},
      {0xE1, 0xEC, 2},
      {0xED, 0xED, 5},
      {0xEE, 0xEF, 2},
      {0xF0, 0xF0, 6},
      {0xF1, 0xF3, 3}}},
    {{{0x80, 0xBF, 0}}},
    {{{0x80, 0xBF, 1}}},
    {{{0x80, 0xBF, 2}}},
    {{{0xA0, 0xBF, 1}}},
    {{{0x80, 0x9F, 1}}},
    {{{0x90, 0xBF, 2}}},
    {{{0x80, 0x8F, 2}}},
}};
constexpr PlainRange kLead4{0xF4, 0xF4, 7};  // the eleventh of state 0

template <class Visit>
void for_plain_ranges(int state, Visit&& visit) {
  for (const PlainRange& range : kPlain[size_t(state)])
    if (range.first != 0) visit(range);
  if (state == 0) visit(kLead4);
}

}  // namespace

bool is_plain(std::string_view bytes) noexcept {
  int state = 0;
  for (const char c : bytes) {
    int next = -1;
    for_plain_ranges(state, [&](const PlainRange& range) {
      if (uint8_t(c) >= range.first && uint8_t(c) <= range.last) next = range.to;
    });
    if (next < 0) return false;
    state = next;
  }
  return state == 0;
}

bool goes_through_plain_text(LexerStates& lexers, const ByteClasses& classes, uint32_t state, int bytes) {
  constexpr size_t kMostStates = 256;
  struct Place {
    uint32_t state;
    int plain;
    bool operator==(const Place&) const = default;
  };
  std::vector<Place> seen;
  InternTable table;
  bool through = true;
  const auto visit = [&](Place place) {
    const uint64_t hash = mixed(uint64_t(place.plain), place.state);
    if (table.find(hash, [&](uint32_t n) { return seen[n] == place; }) != kNone) return;
    table.reserve_one();
    seen.push_back(place);
    table.insert(hash, uint32_t(seen.size() - 1));
  };
  visit({state, 0});
  size_t next = 0;
  for (int length = 0; length < bytes && through && next < seen.size(); ++length) {
    for (const size_t end = seen.size(); next < end && through; ++next) {
      const Place place = seen[next];
      for_plain_ranges(place.plain, [&](const PlainRange& range) {
        for (int byte = range.first; byte <= range.last && through; ++byte) {
          if (byte > range.first && classes.of[size_t(byte)] == classes.of[size_t(byte) - 1]) continue;
          const LexerStates::Step step = lexers.step(place.state, classes.of[size_t(byte)]);
          through = step.state != 0 && step.ended == 0 && seen.size() < kMostStates;
          if (through) visit({step.state, range.to});
        }
      });
    }
  }
  return through;
}

std::vector<TokenGroup> token_groups(const std::vector<TokenTrie::Token>& tokens, const MaskTuning& tuning,
                                     size_t bitmap_words, const Watch& watch) {
  std::vector<int> lengths = tuning.lengths;
  lengths.push_back(int(TokenTrie::kLongestToken));
  std::vector<TokenGroup> groups;
  size_t shortest = 1;
  for (const int length : lengths) {
    std::vector<TokenTrie::Token> plain, others;
    std::vector<uint64_t> bits(bitmap_words);
    for (const TokenTrie::Token& token : tokens) {
      if (token.bytes.size() < shortest || token.bytes.size() > size_t(length)) continue;
      watch.tick();
      const bool is_in = is_plain(token.bytes);
      (is_in ? plain : others).push_back(token);
      if (is_in) bits[size_t(token.id) / 64] |= uint64_t(1) << (token.id % 64);
    }
    shortest = size_t(length) + 1;
    TokenTrie plain_trie(std::move(plain), watch), other_trie(std::move(others), watch);
    const int longest = std::max(plain_trie.longest(), other_trie.longest());
    if (longest > 0) groups.push_back({longest, std::move(plain_trie), std::move(other_trie), std::move(bits)});
  }
  return groups;
}

}  // namespace puna::grammar
