// mask.cpp -- Matcher::mask.
#include <algorithm>
#include <bit>

#include "grammar/matcher_impl.h"

namespace puna {

using grammar::Automaton;
using grammar::Configurations;
using grammar::TokenTrie;

bool TokenMask::allows(int32_t id) const noexcept {
  switch (kind) {
    case Kind::nothing: return false;
    case Kind::everything: return true;
    case Kind::few: return std::binary_search(ids.begin(), ids.end(), id);
    case Kind::bitmap: return size_t(id) / 64 < bits.size() && (bits[size_t(id) / 64] >> (id % 64) & 1) != 0;
  }
  return false;
}

int64_t TokenMask::count() const noexcept {
  int64_t set = 0;
  for (const uint64_t word : bits) set += std::popcount(word);
  return kind == Kind::few ? int64_t(ids.size()) : set;
}

TokenMask Matcher::mask() {
  Impl& impl = *impl_;
  TokenMask mask;
  if (impl.stopped) return mask;
  impl.bits.assign(impl.vocabulary->words(), 0);
  const auto allow = [&](int32_t id) { impl.bits[size_t(id) / 64] |= uint64_t(1) << (id % 64); };
  impl.within_limits([&](Automaton& automaton) {
    const std::span<const TokenTrie::Node> nodes = impl.vocabulary->trie().nodes();
    std::vector<uint32_t> path(size_t(impl.vocabulary->trie().longest()) + 1);
    path[0] = impl.at;
    for (uint32_t i = 1; i < nodes.size();) {
      const uint32_t next = automaton.step(path[nodes[i].depth - 1u], nodes[i].byte);
      if (next == Configurations::kDead) {
        i = nodes[i].end;
        continue;
      }
      path[nodes[i].depth] = next;
      for (const int32_t id : impl.vocabulary->trie().tokens_at(i)) allow(id);
      ++i;
    }
    for (const auto& [id, symbol] : impl.special_tokens)
      if (automaton.configurations().step_token(impl.at, symbol) != Configurations::kDead) allow(id);
  });
  if (impl.complete)
    for (const int32_t id : impl.stops) allow(id);
  mask.kind = TokenMask::Kind::bitmap;
  mask.bits = impl.bits;
  return mask;
}

}  // namespace puna
