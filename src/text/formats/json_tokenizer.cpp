// json_tokenizer.cpp -- Hugging Face's tokenizer.json with a BPE model, and what tokenizer_config.json and
// generation_config.json add: which tokens begin a text and end an answer.
#include <algorithm>
#include <map>
#include <string>

#include "puna/base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/byte_level.h"
#include "text/formats/json_file.h"
#include "text/formats/json_steps.h"
#include "text/merge_list.h"
#include "text/sentencepiece.h"

namespace puna {
namespace text {
namespace {

struct Entry {
  int32_t key = -1, added = -1;  // its places in model.vocab and added_tokens; both -1: no token has this id
  TokenKind kind = TokenKind::unused;
  bool there() const noexcept { return key >= 0 || added >= 0; }
};

std::string_view piece_of(const JsonFile& file, const Entry& e) noexcept {
  return e.key >= 0     ? file.keys[e.key]
         : e.added >= 0 ? std::string_view(file.added[size_t(e.added)].content)
                        : std::string_view();
}
// What decoding starts from: an added token that is matched in normalised text stands for that, with its space.
std::string_view spoken_of(const JsonFile& file, const Entry& e) noexcept {
  const JsonFile::Added* const added = e.added >= 0 ? &file.added[size_t(e.added)] : nullptr;
  return added && added->normalized && !added->special ? std::string_view(added->matched) : piece_of(file, e);
}

void normalize_added(JsonFile& file, const Normalizer& normalizer, const Watch& watch) {
  NormalizerScratch scratch;
  scratch.growth_budget = 4 << 10;  // no token is as long
  for (JsonFile::Added& token : file.added)
    if (token.normalized) token.matched = normalizer.apply({token.content, true, false}, false, scratch, watch).text;
}

// Every id's spelling, from model.vocab and added_tokens. Ids may have gaps, but not so many that a small file asks for
// much memory.
std::vector<Entry> read_entries(const JsonFile& file, const Watch& watch) {
  const auto most = int64_t(std::min<size_t>(2 * (file.ids.size() + file.added.size()) + 65536, INT32_MAX));
  const auto wrong = [&](const std::string& field) {
    fail(Status::bad_file, "tokenizer.json: %s: expected a whole number from 0 to %jd", field.c_str(), most);
  };
  int64_t last = -1;
  for (int32_t i = 0; i < file.keys.size(); ++i) {
    watch.tick();
    const int64_t id = file.ids[size_t(i)];
    if (id < 0 || id > most) wrong("model.vocab['" + std::string(file.keys[i].substr(0, 64)) + "']");
    last = std::max(last, id);
  }
  const auto id_of = [&](const JsonFile::Added& token) {  // the vocabulary's id counts, as in Hugging Face's code
    const int32_t known = file.find(token.content);
    return known >= 0 ? known : token.id;
  };
  for (size_t i = 0; i < file.added.size(); ++i) {
    watch.tick();
    const int64_t id = id_of(file.added[i]);
    if (id < 0 || id > most) wrong("added_tokens[" + std::to_string(i) + "].id");
    last = std::max(last, id);
  }
  std::vector<Entry> entries(size_t(last + 1));
  const auto place = [&](int64_t id, const Entry& entry) {
    watch.tick();
    Entry& e = entries[size_t(id)];
    const std::string_view before = piece_of(file, e), piece = piece_of(file, entry);
    if (e.there() && before != piece)
      fail(Status::bad_file, "tokenizer.json: '%s' and '%s' share the id %jd",
           std::string(before.substr(0, 64)).c_str(), std::string(piece.substr(0, 64)).c_str(), id);
    e = {entry.key >= 0 ? entry.key : e.key, entry.added, entry.kind};
  };
  for (int32_t i = 0; i < file.keys.size(); ++i) place(file.ids[size_t(i)], {i, -1, TokenKind::normal});
  for (size_t i = 0; i < file.added.size(); ++i)
    place(id_of(file.added[i]), {-1, int32_t(i), file.added[i].special ? TokenKind::control : TokenKind::user_defined});
  return entries;
}

void add_entries(const JsonFile& file, const std::vector<Entry>& entries, const JsonDecoder& decoder,
                 bool byte_fallback, TokenizerParts& parts, const Watch& watch) {
  BpeModel& model = parts.model;
  std::string bytes;
  size_t growth_budget = 4 << 10;
  parts.vocabulary.reserve(entries.size(), 8 * entries.size());
  for (size_t id = 0; id < entries.size(); ++id) {
    watch.tick();
    const std::string_view piece = piece_of(file, entries[id]), spoken = spoken_of(file, entries[id]);
    TokenKind kind = entries[id].kind;
    if (model.byte_level) {
      const bool spelt = kind == TokenKind::normal && bytes_of_spelling(piece, bytes);
      parts.vocabulary.add(spelt ? bytes : spoken, kind, spelt || kind != TokenKind::normal);
      continue;
    }
    const int byte = byte_fallback && kind == TokenKind::normal ? byte_of_name(piece) : -1;
    if (byte >= 0) {
      kind = TokenKind::byte;
      model.byte_ids[size_t(byte)] = int32_t(id);
    }
    parts.vocabulary.add(piece, kind);
    if (spoken.find(' ') != std::string_view::npos) parts.literal_spaces.push_back(int32_t(id));
    if (byte >= 0 && decoder.byte_fallback)
      parts.vocabulary.spoken.add({std::string(1, char(byte))});
    else
      parts.vocabulary.spoken.add(kind == TokenKind::control ? std::string(piece)
                                                             : decoder.spoken(spoken, growth_budget, watch));
  }
}

void read_added_tokens(const JsonFile& file, TokenizerParts& parts, const std::vector<Entry>& entries) {
  std::map<std::string_view, int32_t> ids;
  for (size_t id = 0; id < entries.size(); ++id)
    if (entries[id].kind == TokenKind::control || entries[id].kind == TokenKind::user_defined ||
        entries[id].kind == TokenKind::unknown)
      ids.try_emplace(piece_of(file, entries[id]), int32_t(id));
  for (const JsonFile::Added& token : file.added) {
    AddedToken t;
    t.text = token.content;
    t.id = ids.at(token.content);
    if (file.find(token.content) < 0 && token.id != t.id)
      fail(Status::bad_file, "tokenizer.json: added token '%.64s' has two ids, %d and %jd", token.content.c_str(), t.id,
           token.id);
    t.special = token.special;
    t.left_strip = token.left_strip;
    t.right_strip = token.right_strip;
    t.single_word = token.single_word;
    t.normalized = token.normalized;
    if (t.normalized) {
      t.name = t.text;
      t.text = token.matched;
    }
    parts.added.add(std::move(t));
  }
  parts.added.finish();
}

void read_model(const JsonField& model, const JsonFile& file, TokenizerParts& parts, const Watch& watch) {
  for (const char* option : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model[option].string("").empty()) model[option].unsupported("not implemented", model[option].string());
  const JsonField dropout = model["dropout"];
  if (!dropout.is_null() && dropout.json() != 0) dropout.unsupported("dropout belongs to training");

  MergeList list(parts, "tokenizer.json: model.merges", file.merge_is_pair.size(), watch);
  int32_t at = 0;
  for (const bool is_pair : file.merge_is_pair) {
    if (is_pair)
      list.add(file.merge_parts[at], file.merge_parts[at + 1]);
    else
      list.add(file.merge_parts[at]);
    at += is_pair ? 2 : 1;
  }
  parts.model.whole_words = model["ignore_merges"].boolean(false);
  parts.model.fuse_unknown = model["fuse_unk"].boolean(false);
}

// A token by name: "..." or {"content": "..."}; -1 when the field is null, and with a note when there is no such token:
// transformers would add one behind the others, which no model has learnt.
int32_t named_token(const JsonField& field, TokenizerParts& parts) {
  if (field.is_null()) return -1;
  const std::string& name = field.is_object() ? field["content"].string() : field.string();
  const int32_t added = parts.added.find(name), id = added >= 0 ? added : parts.vocabulary.find(name);
  if (id < 0)
    parts.notes.push_back(field.path() + ": '" + name.substr(0, 64) + "' is not in the vocabulary: it is not used");
  return id;
}

// An id or a list of them; those that the model does not have become notes.
std::vector<int32_t> listed_ids(const JsonField& field, TokenizerParts& parts) {
  std::vector<int32_t> ids;
  const auto add = [&](const JsonField& number) {
    const int64_t id = number.is_whole_above_64_bits() ? INT64_MAX : number.integer(INT64_MIN, INT64_MAX);
    if (const int32_t known = known_id(parts, number.path(), id); known >= 0) ids.push_back(known);
  };
  if (field.is_null()) return ids;
  if (!field.is_array())
    add(field);
  else
    for (size_t i = 0; i < field.size(); ++i) add(field[i]);
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
  const int32_t leading = named_token(first_of_template(root["post_processor"]), parts);
  const std::vector<int32_t> bos = listed_ids(generation["bos_token_id"], parts),
                             eos = listed_ids(generation["eos_token_id"], parts);
  s.bos = named_token(config["bos_token"], parts);
  if (s.bos < 0) s.bos = leading >= 0 ? leading : bos.empty() ? -1 : bos[0];
  s.eos = named_token(config["eos_token"], parts);
  if (s.eos < 0 && !eos.empty()) s.eos = eos[0];
  s.add_bos = s.bos >= 0 && config["add_bos_token"].boolean(leading == s.bos);
  collect_stops(s, parts, eos);
}

Json parse_or_null(std::string_view text, const char* name, const Watch& watch) {
  return text.empty() ? Json() : parse_json(text, name, watch);
}

}  // namespace
}  // namespace text

TokenizerPtr tokenizer_from_json(std::string_view tokenizer_json, std::string_view config_json,
                                 std::string_view generation_json, const Watch& watch, int64_t rows,
                                 std::string_view generation_name) {
  using namespace text;
  JsonFile file(tokenizer_json, watch);
  Json config_file = parse_or_null(config_json, "tokenizer_config.json", watch);
  const JsonGuard config_guard(config_file);
  const std::string name(generation_name);
  Json generation_file = parse_or_null(generation_json, name.c_str(), watch);
  const JsonGuard generation_guard(generation_file);
  const JsonField root(file.tree(), "tokenizer.json: "), model = root["model"], vocab = model["vocab"];
  if (model["type"].string("BPE") != "BPE")
    model["type"].unsupported("only BPE is implemented", model["type"].string());
  if (model["type"].is_null() && vocab.is_array())
    vocab.unsupported("a list of tokens and scores is a Unigram model; only BPE is implemented");
  if (model["merges"].is_null())
    model["merges"].unsupported(
        "missing: text needs it (a WordPiece or WordLevel model has none; only BPE is implemented)");
  for (const JsonField& list : {model["merges"], root["added_tokens"]}) list.size();  // lists they are
  if (!vocab.is_object()) vocab.expected("an object of token to id");
  file.require_whole();

  TokenizerParts parts;
  parts.rows = rows;
  read_normalizer(root["normalizer"], parts.normalizer);
  const JsonDecoder decoder = read_decoder(root["decoder"]);
  parts.model.byte_level = read_pre_tokenizer(root["pre_tokenizer"], parts);
  if (parts.model.byte_level != decoder.byte_level && !root["decoder"].is_null())
    root["decoder"].unsupported("ByteLevel is a pre-tokenizer or a decoder, but not both");
  parts.first_space = decoder.first_space;

  normalize_added(file, parts.normalizer, watch);
  std::vector<Entry> entries = read_entries(file, watch);
  if (entries.empty()) vocab.expected("at least one token");
  const JsonField unknown = model["unk_token"];
  if (!unknown.is_null()) {
    const auto at = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& e) { return e.there() && piece_of(file, e) == unknown.string(); });
    if (at == entries.end()) unknown.expected("a token of the vocabulary");
    at->kind = TokenKind::unknown;
    parts.model.unknown = int32_t(at - entries.begin());
  }
  add_entries(file, entries, decoder, model["byte_fallback"].boolean(false), parts, watch);
  read_added_tokens(file, parts, entries);
  parts.vocabulary.build_index("tokenizer.json: model.vocab", watch);
  read_model(model, file, parts, watch);
  read_specials(root, {config_file, "tokenizer_config.json: "}, {generation_file, name + ": "}, parts);
  if (!parts.model.byte_level && parts.splitters.empty() && !parts.model.whole_words &&
      marks_only_lead(parts.vocabulary))
    parts.splitters.push_back(split_mark_runs);
  return make_tokenizer(std::move(parts), watch);
}

}  // namespace puna
