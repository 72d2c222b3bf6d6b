#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <string>

#include "puna/base/error.h"
#include "text/long_runs.h"

namespace puna::text {
namespace {

// What chat and base models of the families we run end an answer with.
constexpr std::string_view kStops[] = {"<|im_end|>",      "<|eom_id|>", "<|eot_id|>",    "<|eom|>", "<|eot|>",
                                       "<|end_of_text|>", "</s>",       "<end_of_turn>", "<|endoftext|>"};

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(TokenizerParts&& parts) : p_(std::move(parts)) {
    specials_ = p_.specials;
    first_space_ = p_.first_space;
  }

  int32_t size() const noexcept override { return p_.vocabulary.size(); }
  std::string_view bytes(int32_t id) const override { return p_.vocabulary.bytes(checked(id)); }
  TokenKind kind(int32_t id) const override { return p_.vocabulary.kinds[size_t(checked(id))]; }
  int32_t find(std::string_view name) const noexcept override;
  std::vector<int32_t> encode(std::string_view utf8, bool parse_special, const Watch& watch) const override;

 private:
  int32_t checked(int32_t id) const {
    PUNA_REQUIRE(id >= 0 && id < size(), "token id %d, expected 0 to %d", id, size() - 1);
    return id;
  }
  void encode_fragment(Fragment fragment, std::vector<int32_t>& ids, BpeModel::Scratch& scratch, const Watch& watch) const;

  TokenizerParts p_;
};

int32_t BpeTokenizer::find(std::string_view name) const noexcept {
  const int32_t added = p_.added.find(name);
  return added >= 0 ? added : p_.vocabulary.find(name);
}

void BpeTokenizer::encode_fragment(Fragment fragment, std::vector<int32_t>& ids, BpeModel::Scratch& scratch, const Watch& watch) const {
  std::string storage;
  const std::string_view text = p_.pre_normalizer.apply(fragment, storage);
  split(text, p_.splitters, [&](std::string_view piece) {
    watch.tick(1 + piece.size() / 16);
    p_.model.encode(piece, p_.vocabulary, ids, scratch);
  });
}

std::vector<int32_t> BpeTokenizer::encode(std::string_view utf8, bool parse_special, const Watch& watch) const {
  PUNA_REQUIRE(utf8.size() < size_t(INT32_MAX) / 4, "text of %zu bytes, expected less than 512 MiB", utf8.size());
  std::vector<int32_t> ids;
  ids.reserve(utf8.size() / 4 + 8);
  BpeModel::Scratch scratch;
  std::string storage;
  const auto push = [&](int32_t id) { ids.push_back(id); };
  const auto plain = [&](Fragment f) { encode_fragment(f, ids, scratch, watch); };
  const auto normalize = [&](Fragment f) {
    const std::string_view text = p_.normalizer.apply(f, storage);
    p_.added.split({text, f.first, f.after_special}, true, parse_special, plain, push);
  };
  const auto part = [&](std::string_view text) { p_.added.split({text, true, false}, false, parse_special, normalize, push); };
  if (p_.cut_long_runs) cut_long_runs(utf8, part);
  else part(utf8);
  return ids;
}

}  // namespace

bool is_known_stop(std::string_view name) noexcept { return std::find(std::begin(kStops), std::end(kStops), name) != std::end(kStops); }

void collect_stops(Tokenizer::Specials& specials, const TokenizerParts& parts, const std::vector<int32_t>& listed) {
  const auto add = [&](int32_t id) {
    if (id >= 0 && std::find(specials.stop.begin(), specials.stop.end(), id) == specials.stop.end()) specials.stop.push_back(id);
  };
  add(specials.eos);
  for (const int32_t id : listed) add(id);
  for (const std::string_view name : kStops) {
    const int32_t id = parts.added.find(name);
    if (id >= 0 && parts.vocabulary.kinds[size_t(id)] == TokenKind::control) add(id);
  }
}

TokenizerPtr make_tokenizer(TokenizerParts&& parts, const Watch& watch) {
  parts.model.finish(parts.vocabulary, watch);
  return std::make_shared<BpeTokenizer>(std::move(parts));
}

}  // namespace puna::text

namespace puna {

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool keep_special) const {
  std::string out;
  bool first = true;
  for (const int32_t id : ids) {
    if (!keep_special && is_special(id)) continue;
    std::string_view piece = bytes(id);
    if (first && first_space_ == FirstSpace::drop_all_of_first_token) {
      for (const char c : piece)
        if (c != ' ') out += c;
    } else {
      if (first && first_space_ == FirstSpace::drop_one && !piece.empty() && piece[0] == ' ') piece.remove_prefix(1);
      out += piece;
    }
    first = false;
  }
  return out;
}

}  // namespace puna
