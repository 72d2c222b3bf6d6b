// gguf_tokenizer.cpp -- "tokenizer.ggml.*": byte-level BPE ("gpt2": tokens, merges, the name of a pre-tokenizer) and
// SentencePiece ("llama": tokens and scores; "gemma4": tokens and merges). Keys as in the GGUF
// specification; defaults as llama.cpp has them.
#include <cmath>
#include <string>

#include "puna/base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"
#include "text/merge_list.h"
#include "text/sentencepiece.h"

namespace puna {
namespace text {
namespace {

// What is not there is not wrong: text cannot work without it, ids can.
[[noreturn]] void missing(const char* key) { fail(Status::unsupported, "%s is missing: text needs it", key); }

const std::vector<std::string>& required_strings(const Metadata& m, const char* key) {
  const auto* const list = m.strings(key);
  if (!list) missing(key);
  return *list;
}

TokenKind kind_of(int64_t type, size_t id) {
  constexpr TokenKind kKinds[] = {TokenKind::normal,       TokenKind::normal, TokenKind::unknown, TokenKind::control,
                                  TokenKind::user_defined, TokenKind::unused, TokenKind::byte};
  if (type < 0 || type >= int64_t(std::size(kKinds)))
    fail(Status::bad_file, "tokenizer.ggml.token_type[%zu] is %jd, expected 0 to 6", id, type);
  return kKinds[type];
}

// Some converters do not mark the tokens that end a turn as control tokens. "</s>" may be text; "<|eot_id|>" may not.
std::vector<TokenKind> kinds_of(const Metadata& m, const std::vector<std::string>& tokens) {
  const auto* const types = m.integers("tokenizer.ggml.token_type");
  if (types && types->size() != tokens.size())
    fail(Status::bad_file, "tokenizer.ggml.token_type has %zu entries, expected %zu as in tokenizer.ggml.tokens",
         types->size(), tokens.size());
  std::vector<TokenKind> kinds;
  for (size_t id = 0; id < tokens.size(); ++id) {
    kinds.push_back(types ? kind_of((*types)[id], id) : TokenKind::normal);
    if (tokens[id].starts_with("<|") && is_known_stop(tokens[id])) kinds.back() = TokenKind::control;
  }
  return kinds;
}

// An id that no token has (converters write -1 for none, as 4294967295) is as good as none: a note, and the fallback.
int32_t special_id(const Metadata& m, const char* name, TokenizerParts& parts, int32_t fallback = -1) {
  const std::string key = std::string("tokenizer.ggml.") + name + "_token_id";
  const MetadataValue* const value = m.find(key);
  if (!m.has(key)) return fallback;
  const bool huge = std::holds_alternative<uint64_t>(*value);
  const int32_t id = known_id(parts, key, huge ? INT64_MAX : m.integer(key, INT64_MIN, INT64_MAX));
  return id >= 0 ? id : fallback;
}

void read_specials(const Metadata& m, bool add_bos, TokenizerParts& parts) {
  Tokenizer::Specials& s = parts.specials;
  s.bos = special_id(m, "bos", parts, s.bos);
  s.eos = special_id(m, "eos", parts, s.eos);
  s.add_bos = m.boolean("tokenizer.ggml.add_bos_token", add_bos) && s.bos >= 0;
  collect_stops(s, parts, {special_id(m, "eot", parts), special_id(m, "eom", parts)});
}

void read_merges(const Metadata& m, TokenizerParts& parts, const Watch& watch) {
  const std::vector<std::string>& pairs = required_strings(m, "tokenizer.ggml.merges");
  MergeList merges(parts, "tokenizer.ggml.merges", pairs.size(), watch);
  for (const std::string& pair : pairs) merges.add(pair);
}

TokenizerPtr byte_level_bpe(const Metadata& m, const std::vector<std::string>& tokens, const Watch& watch,
                            int64_t rows) {
  if (!m.has("tokenizer.ggml.pre"))
    fail(Status::unsupported,
         "tokenizer.ggml.pre is missing: the file does not say how its text is split, and a guess would be wrong "
         "silently");
  const PreTokenizer& pre = pre_tokenizer(m.string("tokenizer.ggml.pre"));
  TokenizerParts parts;
  parts.rows = rows;
  parts.splitters.push_back(pre.first);
  if (pre.second) parts.splitters.push_back(pre.second);
  if (pre.nfc) parts.normalizer.add({NormalizerStep::nfc, {}, {}});

  const std::vector<TokenKind> kinds = kinds_of(m, tokens);
  parts.vocabulary.reserve(tokens.size(), 8 * tokens.size());
  std::string bytes;
  for (size_t id = 0; id < tokens.size(); ++id) {
    watch.tick();
    const bool by_merging = kinds[id] == TokenKind::normal || kinds[id] == TokenKind::unused;
    const bool spelt = by_merging && bytes_of_spelling(tokens[id], bytes);
    parts.vocabulary.add(spelt ? bytes : tokens[id], kinds[id], spelt || !by_merging);
    add_if_found_in_text(parts, int32_t(id), tokens[id]);
  }
  parts.added.finish();
  parts.vocabulary.build_index("tokenizer.ggml.tokens", watch);

  read_merges(m, parts, watch);
  parts.model.whole_words = pre.whole_words;
  read_specials(m, pre.add_bos, parts);
  return make_tokenizer(std::move(parts), watch);
}

std::vector<double> read_scores(const Metadata& m, size_t size) {
  std::vector<double> scores;
  if (!m.has("tokenizer.ggml.scores")) missing("tokenizer.ggml.scores");
  if (std::holds_alternative<std::vector<int64_t>>(*m.find("tokenizer.ggml.scores"))) {
    const auto* integers = m.integers("tokenizer.ggml.scores");
    scores.assign(integers->begin(), integers->end());
  } else {
    scores = *m.numbers("tokenizer.ggml.scores");
  }
  if (scores.size() != size)
    fail(Status::bad_file, "tokenizer.ggml.scores has %zu entries, expected %zu as in tokenizer.ggml.tokens",
         scores.size(), size);
  for (size_t id = 0; id < size; ++id)
    if (!std::isfinite(scores[id])) fail(Status::bad_file, "tokenizer.ggml.scores[%zu] is not a finite number", id);
  return scores;
}

// SentencePiece's vocabulary. Pairs merge by score ("llama"), or by a list ("gemma4").
TokenizerPtr sentencepiece_bpe(const Metadata& m, const std::vector<std::string>& tokens, bool has_merges,
                               const Watch& watch, int64_t rows) {
  if (!m.has("tokenizer.ggml.token_type")) missing("tokenizer.ggml.token_type");
  if (m.has("tokenizer.ggml.precompiled_charsmap"))
    fail(Status::unsupported, "tokenizer.ggml.precompiled_charsmap: this normalisation is not implemented");
  TokenizerParts parts;
  parts.rows = rows;
  const std::vector<TokenKind> kinds = kinds_of(m, tokens);
  add_sentencepieces({"tokenizer.ggml.tokens", [&](size_t id) -> std::string_view { return tokens[id]; }, kinds}, parts,
                     watch);
  if (has_merges)
    read_merges(m, parts, watch);
  else
    merge_by_scores(read_scores(m, tokens.size()), parts);

  const auto has_kind = [&](size_t id, TokenKind kind) { return id < kinds.size() && kinds[id] == kind; };
  parts.specials.bos = has_kind(1, TokenKind::control) ? 1 : -1;
  parts.specials.eos = has_kind(2, TokenKind::control) ? 2 : -1;
  parts.model.unknown = special_id(m, "unknown", parts, has_kind(0, TokenKind::unknown) ? 0 : -1);
  read_specials(m, true, parts);
  add_sentencepiece_spaces(m.boolean("tokenizer.ggml.add_space_prefix", true),
                           m.boolean("tokenizer.ggml.remove_extra_whitespaces", false), parts);
  return make_tokenizer(std::move(parts), watch);
}

}  // namespace
}  // namespace text

TokenizerPtr tokenizer_from_gguf(const Metadata& metadata, const Watch& watch, int64_t rows) {
  if (!metadata.has("tokenizer.ggml.model")) return nullptr;
  const std::string model = metadata.string("tokenizer.ggml.model");
  if (model == "none" || model == "no_vocab") return nullptr;
  if (model != "gpt2" && model != "llama" && model != "gemma4")
    fail(Status::unsupported,
         "tokenizer.ggml.model is '%.64s'; there are: gpt2 (byte-level BPE), llama (SentencePiece BPE), gemma4 "
         "(the same with a list of merges)",
         model.c_str());
  const auto& tokens = text::required_strings(metadata, "tokenizer.ggml.tokens");
  if (tokens.empty() || tokens.size() > size_t(INT32_MAX))
    fail(Status::bad_file, "tokenizer.ggml.tokens has %zu entries, expected 1 to 2^31 - 1", tokens.size());
  return model == "gpt2" ? text::byte_level_bpe(metadata, tokens, watch, rows)
                         : text::sentencepiece_bpe(metadata, tokens, model == "gemma4", watch, rows);
}

}  // namespace puna
