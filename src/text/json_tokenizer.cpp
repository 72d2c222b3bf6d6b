// json_tokenizer.cpp -- Hugging Face's tokenizer.json with a BPE model, and what tokenizer_config.json and
// generation_config.json add: which tokens begin a text and end an answer.
#include <algorithm>
#include <map>
#include <string>

#include "puna/base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"
#include "text/json_steps.h"
#include "text/merge_list.h"
#include "text/sentencepiece.h"

namespace puna {
namespace text {
namespace {

struct Entry {
  const std::string* piece = nullptr;  // NULL: no token has this id
  TokenKind kind = TokenKind::unused;
};

// Every id's spelling, from model.vocab and added_tokens. Ids may have gaps, but not so many that a small file asks for much memory.
std::vector<Entry> read_entries(const JsonField& root, const Watch& watch) {
  const JsonField vocab = root["model"]["vocab"], added = root["added_tokens"];
  if (!vocab.is_object()) vocab.expected("an object of token to id");
  const auto& tokens = vocab.json().get_ref<const Json::object_t&>();
  const auto most = int64_t(std::min<size_t>(2 * (tokens.size() + added.size()) + 65536, INT32_MAX));
  std::vector<Entry> entries;
  const auto place = [&](int64_t id, const std::string& piece, TokenKind kind) {
    watch.tick();
    if (size_t(id) >= entries.size()) entries.resize(size_t(id) + 1);
    Entry& e = entries[size_t(id)];
    if (e.piece && *e.piece != piece)
      fail(Status::bad_file, "tokenizer.json: '%.64s' and '%.64s' share the id %lld", e.piece->c_str(), piece.c_str(), static_cast<long long>(id));
    e = {&piece, kind};
  };
  for (const auto& [piece, id] : tokens) place(JsonField(id, vocab.path() + "['" + piece.substr(0, 64) + "']").integer(0, most), piece, TokenKind::normal);
  for (size_t i = 0; i < added.size(); ++i) {
    const JsonField token = added[i];
    const std::string& content = token["content"].string();
    const auto known = tokens.find(content);  // the vocabulary's id counts, as in Hugging Face's code
    const int64_t id = (known == tokens.end() ? token["id"] : JsonField(known->second, token.path())).integer(0, most);
    place(id, content, token["special"].boolean(false) ? TokenKind::control : TokenKind::user_defined);
  }
  return entries;
}

void add_entries(const std::vector<Entry>& entries, const JsonDecoder& decoder, bool byte_fallback, TokenizerParts& parts,
                 const Watch& watch) {
  BpeModel& model = parts.model;
  static const std::string kNone;
  std::string bytes;
  parts.vocabulary.reserve(entries.size(), 8 * entries.size());
  for (size_t id = 0; id < entries.size(); ++id) {
    watch.tick();
    const std::string& piece = entries[id].piece ? *entries[id].piece : kNone;
    TokenKind kind = entries[id].kind;
    if (model.byte_level) {
      const bool spelt = kind == TokenKind::normal && bytes_of_spelling(piece, bytes);
      parts.vocabulary.add(spelt ? bytes : piece, kind, spelt || kind != TokenKind::normal);
      continue;
    }
    const int byte = byte_fallback && kind == TokenKind::normal ? byte_of_name(piece) : -1;
    if (byte >= 0) {
      kind = TokenKind::byte;
      model.byte_ids[size_t(byte)] = int32_t(id);
    }
    parts.vocabulary.add(piece, kind);
    if (byte >= 0 && decoder.byte_fallback) parts.vocabulary.spoken.add({std::string(1, char(byte))});
    else parts.vocabulary.spoken.add(kind == TokenKind::control ? piece : decoder.spoken(piece));
  }
}

void read_added_tokens(const JsonField& root, TokenizerParts& parts, const std::vector<Entry>& entries, const Watch& watch) {
  const JsonField added = root["added_tokens"];
  std::map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < entries.size(); ++id)
    if (entries[id].piece && entries[id].kind != TokenKind::normal) ids[*entries[id].piece] = int32_t(id);
  for (size_t i = 0; i < added.size(); ++i) {
    const JsonField token = added[i];
    AddedToken t;
    t.text = token["content"].string();
    t.id = ids.at(t.text);
    t.special = token["special"].boolean(false);
    t.left_strip = token["lstrip"].boolean(false);
    t.right_strip = token["rstrip"].boolean(false);
    t.single_word = token["single_word"].boolean(false);
    t.normalized = token["normalized"].boolean(!t.special);
    if (t.normalized) {
      NormalizerScratch scratch;
      t.text = std::string(parts.normalizer.apply({t.text, true, false}, false, scratch, watch).text);
    }
    parts.added.add(std::move(t));
  }
  parts.added.finish();
}

void read_model(const JsonField& model, TokenizerParts& parts, const Watch& watch) {
  for (const char* option : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model[option].string("").empty()) model[option].unsupported("not implemented", model[option].string());
  const JsonField dropout = model["dropout"];
  if (!dropout.is_null() && dropout.json() != 0) dropout.unsupported("dropout belongs to training");

  const JsonField merges = model["merges"];
  MergeList list(parts, "tokenizer.json: model.merges", merges.size(), watch);
  for (size_t i = 0; i < merges.size(); ++i) {
    const Json& pair = merges.json()[i];
    if (pair.is_string()) list.add(pair.get_ref<const std::string&>());
    else if (pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string())
      list.add(pair[0].get_ref<const std::string&>(), pair[1].get_ref<const std::string&>());
    else merges[i].expected("\"left right\" or [\"left\", \"right\"]");
  }
  parts.model.whole_words = model["ignore_merges"].boolean(false);
  parts.model.fuse_unknown = model["fuse_unk"].boolean(false);
}

// A token by name: "..." or {"content": "..."}; -1 when the field is null.
int32_t named_token(const JsonField& field, const TokenizerParts& parts) {
  if (field.is_null()) return -1;
  const std::string& name = field.is_object() ? field["content"].string() : field.string();
  const int32_t added = parts.added.find(name), id = added >= 0 ? added : parts.vocabulary.find(name);
  if (id < 0) fail(Status::bad_file, "%s: '%.64s' is not in the vocabulary", field.path().c_str(), name.c_str());
  return id;
}

std::vector<int32_t> listed_ids(const JsonField& field, int32_t size) {
  std::vector<int32_t> ids;
  if (field.is_null()) return ids;
  if (!field.is_array()) return {int32_t(field.integer(0, size - 1))};
  for (size_t i = 0; i < field.size(); ++i) ids.push_back(int32_t(field[i].integer(0, size - 1)));
  return ids;
}

// The token that the post-processor's template puts in front of every text; null: none.
JsonField first_of_template(const JsonField& post) {
  if (post.is_null()) return post;
  if (post["type"].string() == "Sequence") {
    const JsonField list = post["processors"];
    for (size_t i = 0; i < list.size(); ++i)
      if (const JsonField found = first_of_template(list[i]); !found.is_null()) return found;
    return post["none"];
  }
  if (post["type"].string() != "TemplateProcessing" || post["single"].size() == 0) return post["none"];
  return post["single"][size_t(0)]["SpecialToken"]["id"];
}

void read_specials(const JsonField& root, const JsonField& config, const JsonField& generation, TokenizerParts& parts) {
  Tokenizer::Specials& s = parts.specials;
  const int32_t size = parts.vocabulary.size();
  const int32_t leading = named_token(first_of_template(root["post_processor"]), parts);
  const std::vector<int32_t> bos = listed_ids(generation["bos_token_id"], size), eos = listed_ids(generation["eos_token_id"], size);
  s.bos = named_token(config["bos_token"], parts);
  if (s.bos < 0) s.bos = leading >= 0 ? leading : bos.empty() ? -1 : bos[0];
  s.eos = named_token(config["eos_token"], parts);
  if (s.eos < 0 && !eos.empty()) s.eos = eos[0];
  s.add_bos = s.bos >= 0 && config["add_bos_token"].boolean(leading == s.bos);
  collect_stops(s, parts, eos);
}

Json parse_or_null(std::string_view text, const char* name, const Watch& watch) { return text.empty() ? Json() : parse_json(text, name, watch); }

}  // namespace
}  // namespace text

TokenizerPtr tokenizer_from_json(std::string_view tokenizer_json, std::string_view config_json, std::string_view generation_json,
                                 const Watch& watch) {
  using namespace text;
  Json file = parse_json(tokenizer_json, "tokenizer.json", watch);
  const JsonGuard file_guard(file);
  Json config_file = parse_or_null(config_json, "tokenizer_config.json", watch);
  const JsonGuard config_guard(config_file);
  Json generation_file = parse_or_null(generation_json, "generation_config.json", watch);
  const JsonGuard generation_guard(generation_file);
  const JsonField root(file, "tokenizer.json: "), model = root["model"];
  if (model["type"].string("BPE") != "BPE") model["type"].unsupported("only BPE is implemented", model["type"].string());

  TokenizerParts parts;
  read_normalizer(root["normalizer"], parts.normalizer);
  const JsonDecoder decoder = read_decoder(root["decoder"]);
  parts.model.byte_level = read_pre_tokenizer(root["pre_tokenizer"], parts);
  if (parts.model.byte_level != decoder.byte_level && !root["decoder"].is_null())
    root["decoder"].unsupported("ByteLevel is a pre-tokenizer or a decoder, but not both");
  parts.first_space = decoder.first_space;

  std::vector<Entry> entries = read_entries(root, watch);
  if (entries.empty()) model["vocab"].expected("at least one token");
  const JsonField unknown = model["unk_token"];
  if (!unknown.is_null()) {
    const auto at = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.piece && *e.piece == unknown.string(); });
    if (at == entries.end()) unknown.expected("a token of the vocabulary");
    at->kind = TokenKind::unknown;
    parts.model.unknown = int32_t(at - entries.begin());
  }
  add_entries(entries, decoder, model["byte_fallback"].boolean(false), parts, watch);
  read_added_tokens(root, parts, entries, watch);
  parts.vocabulary.build_index("tokenizer.json: model.vocab", watch);
  read_model(model, parts, watch);
  read_specials(root, {config_file, "tokenizer_config.json: "}, {generation_file, "generation_config.json: "}, parts);
  if (!parts.model.byte_level && parts.splitters.empty() && !parts.model.whole_words && marks_only_lead(parts.vocabulary))
    parts.splitters.push_back(split_mark_runs);
  return make_tokenizer(std::move(parts), watch);
}

}  // namespace puna
