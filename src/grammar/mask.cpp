// mask.cpp -- Matcher::mask: one that is kept, or a new one.
#include <algorithm>
#include <bit>

#include "grammar/mask_builder.h"
#include "grammar/matcher_impl.h"

namespace puna {

using grammar::Automaton;
using grammar::Configurations;
using grammar::StoredMask;

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

// What the grammar allows, stop tokens apart.
std::shared_ptr<const StoredMask> Matcher::Impl::grammar_mask() {
  return within_limits([&](Automaton& here) {
    const GrammarVocabulary::Place place{vocabulary->number_of(automaton), at};
    if (auto kept = vocabulary->of_configurations().find(place)) return kept;
    std::vector<uint64_t> bits(vocabulary->words());
    grammar::add_mask(here, *vocabulary, at, bits);
    for (const auto& [id, symbol] : special_tokens)
      if (here.configurations().step_token(at, symbol) != Configurations::kDead)
        bits[size_t(id) / 64] |= uint64_t(1) << (id % 64);
    auto made = std::make_shared<const StoredMask>(StoredMask::from_bits(bits, vocabulary->bitmaps()));
    vocabulary->of_configurations().put(place, made, sizeof place);
    return std::shared_ptr<const StoredMask>(std::move(made));
  });
}

TokenMask Matcher::mask() {
  Impl& impl = *impl_;
  if (impl.stopped) return {};
  std::shared_ptr<const StoredMask> mask = impl.grammar_mask();
  if (impl.complete && !impl.stops.empty()) {  // they differ from matcher to matcher
    auto with_stops = std::make_shared<StoredMask>();
    if (mask->kind == TokenMask::Kind::bitmap) {
      const auto bits = std::make_shared<grammar::Bitmap>(*mask->bitmap);
      for (const int32_t id : impl.stops) (*bits)[size_t(id) / 64] |= uint64_t(1) << (id % 64);
      with_stops->kind = TokenMask::Kind::bitmap;
      with_stops->bitmap = bits;
    } else {
      with_stops->kind = TokenMask::Kind::few;
      std::ranges::set_union(mask->ids, impl.stops, std::back_inserter(with_stops->ids));
    }
    mask = std::move(with_stops);
  }
  PUNA_REQUIRE(mask->kind != TokenMask::Kind::nothing || ended(),
               "no token of this vocabulary goes on here with what the grammar asks for");
  impl.last_mask = std::move(mask);
  return {impl.last_mask->kind, impl.last_mask->ids, impl.last_mask->bits()};
}

}  // namespace puna
