#include "text/bpe_tokenizer.h"

#include <algorithm>
#include <string>

#include "puna/base/error.h"
#include "text/long_runs.h"

namespace puna::text {
namespace {

// What chat and base models of the families we run end an answer with.
constexpr std::string_view kStops[] = {"<|im_end|>",      "<|eom_id|>",    "<|eot_id|>",    "<|eom|>", "<|eot|>",
                                       "<|end_of_text|>", "</s>",          "<end_of_turn>", "<turn|>", "<|call|>",
                                       "<|return|>",      "<|endoftext|>", "<|end|>",       "<eos>"};
// Ends a message of harmony's, not an answer: another follows, up to <|return|> or <|call|>. Phi's answers end with it.
constexpr std::string_view kEndOfMessage = "<|end|>", kHarmonyStop = "<|return|>";

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(TokenizerParts&& parts) : p_(std::move(parts)) {
    specials_ = p_.specials;
    notes_ = std::move(p_.notes);
    first_space_ = p_.first_space;
    literal_spaces_ = std::move(p_.literal_spaces);
    for (int32_t id = 0; id < size(); ++id) longest_piece_ = std::max(longest_piece_, p_.vocabulary.pieces[id].size());
  }

  int32_t size() const noexcept override { return p_.vocabulary.size(); }
  std::string_view bytes(int32_t id) const override {
    return is_padding(id) ? std::string_view() : p_.vocabulary.bytes(id);
  }
  TokenKind kind(int32_t id) const override {
    return is_padding(id) ? TokenKind::unused : p_.vocabulary.kinds[size_t(id)];
  }
  int32_t find(std::string_view name) const noexcept override;
  std::vector<int32_t> encode(std::string_view utf8, bool parse_special, const Watch& watch) const override {
    return *encode_around(utf8, parse_special, {}, SIZE_MAX, watch);
  }
  std::vector<int32_t> encode_chat(const RenderedChat& chat, const Watch& watch) const override {
    require_content(chat);
    return *encode_around(chat.text, true, chat.content, SIZE_MAX, watch);
  }
  std::optional<std::vector<int32_t>> encode_within(const RenderedChat& text, bool parse_special, size_t most,
                                                    const Watch& watch) const override {
    require_content(text);
    return encode_around(text.text, parse_special, text.content, most, watch);
  }

 private:
  // A row of the embedding without a token. Error when it is neither.
  bool is_padding(int32_t id) const {
    PUNA_REQUIRE(id >= 0 && id < known_ids(p_), "token id %d, expected 0 to %jd", id, known_ids(p_) - 1);
    return id >= size();
  }
  // None: more than `most` tokens.
  std::optional<std::vector<int32_t>> encode_around(std::string_view utf8, bool parse_special,
                                                    std::span<const TextSpan> content, size_t most,
                                                    const Watch& watch) const;

  TokenizerParts p_;
  size_t longest_piece_ = 1;  // bytes of a piece that one token covers at most
};

int32_t BpeTokenizer::find(std::string_view name) const noexcept {
  const int32_t added = p_.added.find(name);
  return added >= 0 ? added : p_.vocabulary.find(name);
}

std::optional<std::vector<int32_t>> BpeTokenizer::encode_around(std::string_view utf8, bool parse_special,
                                                                std::span<const TextSpan> content, size_t most,
                                                                const Watch& watch) const {
  PUNA_REQUIRE(utf8.size() < size_t(INT32_MAX) / 4, "text of %zu bytes, expected less than 512 MiB", utf8.size());
  std::vector<int32_t> ids;
  ids.reserve(std::min(utf8.size() / 4, most) + 8);
  bool too_many = false;  // then what follows is passed over
  BpeModel::Scratch scratch;
  scratch.merge.watch = &watch;
  NormalizerScratch normal, pre_normal;
  const bool trace = p_.added.any_special(/*normalized=*/true);
  const auto push = [&](int32_t id) {
    too_many = too_many || ids.size() == most;
    if (!too_many) ids.push_back(id);
  };
  const auto plain = [&](Fragment f) {
    if (too_many) return;
    split(p_.pre_normalizer.apply(f, /*trace=*/false, pre_normal, watch).text, p_.splitters,
          [&](std::string_view piece) {
            watch.tick(1 + piece.size() / 16);
            if (too_many) return;
            const size_t left = most - ids.size();
            too_many = piece.size() / longest_piece_ > left && p_.model.kept_bytes(piece) / longest_piece_ > left;
            if (too_many) return;
            p_.model.encode(piece, p_.vocabulary, ids, scratch);
            too_many = ids.size() > most;
          });
  };
  const auto normalize = [&](Fragment f) {
    p_.added.split(p_.normalizer.apply(f, trace, normal, watch), true, parse_special, plain, push, watch);
  };
  const auto part = [&](std::string_view text) {
    p_.added.split({text, true, false, content, size_t(text.data() - utf8.data())}, false, parse_special, normalize,
                   push, watch);
  };
  if (p_.cut_long_runs)
    cut_long_runs(utf8, part);
  else
    part(utf8);
  if (too_many) return std::nullopt;
  return ids;
}

}  // namespace

int64_t known_ids(const TokenizerParts& parts) noexcept {
  return std::max(int64_t(parts.vocabulary.size()), std::min(parts.rows, int64_t(INT32_MAX)));
}

int32_t known_id(TokenizerParts& parts, const std::string& field, int64_t id) {
  if (id >= 0 && id < known_ids(parts)) return int32_t(id);
  parts.notes.push_back(field + " is " + std::to_string(id) + ", the model's ids are 0 to " +
                        std::to_string(known_ids(parts) - 1) + ": it is not used");
  return -1;
}

bool is_known_stop(std::string_view name) noexcept {
  return std::find(std::begin(kStops), std::end(kStops), name) != std::end(kStops);
}

void collect_stops(Tokenizer::Specials& specials, const TokenizerParts& parts, const std::vector<int32_t>& listed) {
  const auto add = [&](int32_t id) {
    if (id >= 0 && std::find(specials.stop.begin(), specials.stop.end(), id) == specials.stop.end())
      specials.stop.push_back(id);
  };
  add(specials.eos);
  for (const int32_t id : listed) add(id);
  const bool harmony = parts.added.find(kHarmonyStop) >= 0;
  for (const std::string_view name : kStops) {
    if (harmony && name == kEndOfMessage) continue;
    const int32_t id = parts.added.find(name);
    if (id >= 0 && parts.vocabulary.kinds[size_t(id)] == TokenKind::control) add(id);
  }
}

void add_if_found_in_text(TokenizerParts& parts, int32_t id, std::string text) {
  const TokenKind kind = parts.vocabulary.kinds[size_t(id)];
  const bool special = kind == TokenKind::control || kind == TokenKind::unknown;
  if (special || kind == TokenKind::user_defined) parts.added.add({std::move(text), id, special});
}

void find_bytes(TokenizerParts& parts, const char* file) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = char(byte);
    parts.model.byte_ids[size_t(byte)] = parts.vocabulary.find({&c, 1});
    if (parts.model.byte_ids[size_t(byte)] < 0)
      fail(Status::bad_file, "%s has no token for the byte 0x%02X", file, unsigned(byte));
  }
}

TokenizerPtr make_tokenizer(TokenizerParts&& parts, const Watch& watch) {
  parts.model.finish(parts.vocabulary, watch);
  return std::make_shared<BpeTokenizer>(std::move(parts));
}

}  // namespace puna::text

namespace puna {

void Tokenizer::require_content(const RenderedChat& chat) {
  size_t end = 0;
  for (const TextSpan& s : chat.content) {
    PUNA_REQUIRE(s.begin >= end && s.begin < s.end && s.end <= chat.text.size(),
                 "content [%zu, %zu) of a chat of %zu bytes: expected to be in order and in the text", s.begin, s.end,
                 chat.text.size());
    end = s.end;
  }
}

std::vector<int32_t> Tokenizer::encode_chat(const RenderedChat& chat, const Watch& watch) const {
  require_content(chat);
  std::vector<int32_t> ids;
  size_t done = 0;
  const auto add = [&](size_t end, bool parse_special) {
    if (done == end) return;
    const std::vector<int32_t> more =
        encode(std::string_view(chat.text).substr(done, end - done), parse_special, watch);
    ids.insert(ids.end(), more.begin(), more.end());
    done = end;
  };
  for (const TextSpan& s : chat.content) {
    add(s.begin, true);
    add(s.end, false);
  }
  add(chat.text.size(), true);
  return ids;
}

std::optional<std::vector<int32_t>> Tokenizer::encode_within(const RenderedChat& text, bool parse_special, size_t most,
                                                             const Watch& watch) const {
  std::vector<int32_t> ids = text.content.empty() ? encode(text.text, parse_special, watch) : encode_chat(text, watch);
  if (ids.size() > most) return std::nullopt;
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool keep_special) const {
  std::string out;
  bool first = true;
  for (const int32_t id : ids) {
    if (!keep_special && is_special(id)) continue;
    std::string_view piece = bytes(id);
    if (first && first_space_ == FirstSpace::drop_all_of_first_token &&
        !std::binary_search(literal_spaces_.begin(), literal_spaces_.end(), id)) {
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
