// vocabulary.h -- GrammarVocabulary: a tokenizer's texts as trees of bytes, and the masks that are kept.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/intern.h"
#include "grammar/mask_cache.h"
#include "grammar/slices.h"
#include "puna/grammar/matcher.h"

namespace puna {

class GrammarVocabulary {
 public:
  GrammarVocabulary(TokenizerPtr tokenizer, size_t cache_bytes, const Watch& watch,
                    grammar::MaskTuning tuning = grammar::MaskTuning());

  const Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  std::span<const grammar::TokenGroup> groups() const noexcept { return groups_; }
  const grammar::MaskTuning& tuning() const noexcept { return tuning_; }
  int32_t size() const noexcept { return tokenizer_->size(); }
  size_t words() const noexcept { return (size_t(size()) + 63) / 64; }  // of a bitmap
  // The longest token that `text` begins with, the lowest of equal ones; -1: there is none.
  int32_t longest_beginning(std::string_view text) const noexcept;
  bool is_text(int32_t id) const;  // the token stands for its bytes, and they are not too many

  // What is kept. A configuration is known by its automaton's number here and its own.
  struct Place {
    uint64_t automaton;
    uint32_t configuration;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    size_t operator()(const Place& place) const noexcept {
      return grammar::mixed(grammar::mixed(0, place.automaton), place.configuration);
    }
  };
  grammar::BoundedCache<Place, grammar::StoredMask, PlaceHash>& of_configurations() const noexcept {
    return of_configurations_;
  }
  grammar::BoundedCache<std::string, grammar::ExpressionMask>& of_expressions() const noexcept {
    return of_expressions_;
  }
  grammar::Bitmaps& bitmaps() const noexcept { return bitmaps_; }  // of all masks on this vocabulary
  uint64_t number_of(const std::shared_ptr<grammar::Automaton>& automaton) const;

 private:
  TokenizerPtr tokenizer_;
  grammar::MaskTuning tuning_;
  std::vector<grammar::TokenGroup> groups_;
  mutable grammar::Bitmaps bitmaps_;
  mutable grammar::BoundedCache<Place, grammar::StoredMask, PlaceHash> of_configurations_;
  mutable grammar::BoundedCache<std::string, grammar::ExpressionMask> of_expressions_;

  struct Numbered {
    std::weak_ptr<grammar::Automaton> automaton;  // an address may be another one's later
    uint64_t number;
  };
  mutable std::mutex mutex_;
  mutable std::unordered_map<const grammar::Automaton*, Numbered> numbered_;
  mutable uint64_t next_number_ = 0;
};

}  // namespace puna
