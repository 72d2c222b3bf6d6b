// tekken_tokenizer.cpp -- Mistral's tekken.json (mistral-common 1.13.1): "config" with the pattern and the numbers of
// tokens, "vocab" of {"rank", "token_bytes"} in order, "special_tokens" of {"rank", "token_str", "is_control"}. Ids are
// the special tokens' ranks, then 0 to default_vocab_size - default_num_special_tokens - 1 of the vocabulary, which is
// longer than what a model uses.
#include <string>

#include "base/json_field.h"
#include "puna/base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/formats/base64.h"

namespace puna {
namespace text {
namespace {

constexpr int64_t kMostTekkenTokens = 1 << 19;

// Of files before version 7, which do not list them.
constexpr const char* kSpecials[] = {"<unk>",
                                     "<s>",
                                     "</s>",
                                     "[INST]",
                                     "[/INST]",
                                     "[AVAILABLE_TOOLS]",
                                     "[/AVAILABLE_TOOLS]",
                                     "[TOOL_RESULTS]",
                                     "[/TOOL_RESULTS]",
                                     "[TOOL_CALLS]",
                                     "[IMG]",
                                     "<pad>",
                                     "[IMG_BREAK]",
                                     "[IMG_END]",
                                     "[PREFIX]",
                                     "[MIDDLE]",
                                     "[SUFFIX]",
                                     "[SYSTEM_PROMPT]",
                                     "[/SYSTEM_PROMPT]",
                                     "[TOOL_CONTENT]"};

// The list "vocab" goes by one entry at a time; as a tree it would take ten times the file.
class TekkenFile {
 public:
  TekkenFile(std::string_view text, const Watch& watch) {
    const std::string lists[] = {"vocab"};
    tree_ = parse_json_parts(
        text, "tekken.json", lists,
        [&](const std::string&, bool of_object, const std::string&, const Json& entry) {
          if (!of_object) add(entry);
        },
        watch);
  }
  ~TekkenFile() { dismantle(tree_); }
  TekkenFile(const TekkenFile&) = delete;
  TekkenFile& operator=(const TekkenFile&) = delete;

  JsonField root() const { return {tree_, "tekken.json: "}; }
  PieceList ranks;

 private:
  void add(const Json& entry) {
    const int32_t rank = ranks.size();
    if (rank == kMostTekkenTokens)
      fail(Status::unsupported, "tekken.json: vocab has more than %jd tokens", kMostTekkenTokens);
    const JsonField field(entry, "tekken.json: vocab[" + std::to_string(rank) + "]");
    if (!field.is_object()) field.expected("an object with a rank and token_bytes");
    if (field["rank"].integer(0, INT32_MAX) != rank)
      field["rank"].expected(("the rank " + std::to_string(rank) + ": ranks ascend from 0").c_str());
    bytes_.clear();
    if (!decode_base64(field["token_bytes"].string(), bytes_)) field["token_bytes"].expected("base64");
    ranks.add(bytes_);
  }

  Json tree_;
  std::string bytes_;
};

// What the ids below default_num_special_tokens are.
std::vector<std::string> special_names(const JsonField& root, int64_t count) {
  std::vector<std::string> names{size_t(count)};
  const JsonField list = root["special_tokens"];
  if (list.is_null()) {
    for (size_t i = 0; i < std::size(kSpecials) && i < names.size(); ++i) names[i] = kSpecials[i];
  } else {
    for (size_t i = 0; i < list.size(); ++i) {
      const int64_t rank = list[i]["rank"].integer(0, count - 1);
      if (!names[size_t(rank)].empty()) list[i]["rank"].expected("another rank: an earlier token has this one");
      names[size_t(rank)] = list[i]["token_str"].string();
      if (names[size_t(rank)].empty()) list[i]["token_str"].expected("a name");
    }
  }
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i].empty()) names[i] = "<SPECIAL_" + std::to_string(i) + ">";
  return names;
}

}  // namespace
}  // namespace text

TokenizerPtr tokenizer_from_tekken(std::string_view tekken_json, const Watch& watch, int64_t rows) {
  using namespace text;
  const TekkenFile file(tekken_json, watch);
  const JsonField root = file.root(), config = root["config"];
  if (!root.is_object() || !config.is_object()) config.expected("an object with a pattern and numbers of tokens");
  if (!root["vocab"].is_array()) root["vocab"].expected("a list of tokens");
  const NextPiece splitter = splitter_for_pattern(config["pattern"].string());
  if (!splitter) config["pattern"].unsupported("not a pattern we know", config["pattern"].string());
  const int64_t specials = config["default_num_special_tokens"].integer(0, kMostTekkenTokens);
  const int64_t size = config["default_vocab_size"].integer(specials + 256, kMostTekkenTokens);
  if (size - specials > file.ranks.size())
    config["default_vocab_size"].expected(
        ("at most " + std::to_string(file.ranks.size() + specials) + ", which is all that the file has").c_str());

  TokenizerParts parts;
  parts.rows = rows;
  parts.vocabulary.reserve(size_t(size), 8 * size_t(size));
  const std::vector<std::string> names = special_names(root, specials);
  for (size_t i = 0; i < names.size(); ++i) {
    parts.vocabulary.add(names[i], i == 0 && names[i] == "<unk>" ? TokenKind::unknown : TokenKind::control);
    parts.added.add({names[i], int32_t(i)});
  }
  for (int32_t rank = 0; rank < size - specials; ++rank) parts.vocabulary.add(file.ranks[rank], TokenKind::normal);
  parts.added.finish();
  parts.vocabulary.build_index("tekken.json: vocab", watch);
  parts.model.ranking = BpeModel::by_id;
  parts.model.whole_words = true;
  find_bytes(parts, "tekken.json");
  parts.splitters = {splitter};
  parts.specials.bos = parts.added.find("<s>");
  parts.specials.eos = parts.added.find("</s>");
  parts.specials.add_bos = parts.specials.bos >= 0;
  collect_stops(parts.specials, parts, {});
  return make_tokenizer(std::move(parts), watch);
}

}  // namespace puna
