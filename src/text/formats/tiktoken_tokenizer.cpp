// tiktoken_tokenizer.cpp -- Llama 3's and Llama 4's tokenizer.model as Meta ships it: a line a token, "base64 rank",
// best rank first. The rank is the id. Control tokens are not in the file: 256 (Llama 3) or 2048 (Llama 4) names follow
// the ranks.
#include <algorithm>
#include <initializer_list>
#include <string>

#include "puna/base/error.h"
#include "text/bpe_tokenizer.h"
#include "text/formats/base64.h"

namespace puna {
namespace text {
namespace {

constexpr int32_t kLlama3Ranks = 128000, kLlama4Ranks = 200000;
constexpr int32_t kLlama3Names = 256, kLlama4Names = 2048;

void read_ranks(std::string_view file, Vocabulary& vocabulary, const Watch& watch) {
  std::string bytes;
  for (size_t line = 1; !file.empty(); ++line) {
    watch.tick();
    const size_t end = std::min(file.find('\n'), file.size());
    std::string_view text = file.substr(0, end);
    file.remove_prefix(std::min(end + 1, file.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) continue;
    const size_t space = text.find(' ');
    const std::string_view rank = space == std::string_view::npos ? "" : text.substr(space + 1);
    bytes.clear();
    if (!decode_base64(text.substr(0, space), bytes))
      fail(Status::bad_file, "tokenizer.model line %zu: expected base64, a space and a rank", line);
    if (rank != std::to_string(vocabulary.size()))
      fail(Status::bad_file, "tokenizer.model line %zu: rank '%.*s', expected %d: ranks ascend from 0", line,
           int(rank.substr(0, 24).size()), rank.data(), vocabulary.size());
    if (vocabulary.size() == kLlama4Ranks)
      fail(Status::unsupported, "tokenizer.model has more than %d ranks", kLlama4Ranks);
    vocabulary.add(bytes, TokenKind::normal);
  }
}

class Names {
 public:
  explicit Names(TokenizerParts& parts) : parts_(parts) {}
  void add(std::initializer_list<const char*> names) {
    for (const char* name : names) add(std::string("<|") + name + "|>");
  }
  // <|prefix_reserved_special_token_from|> and so on, `count` of them
  void reserve(const std::string& prefix, int32_t from, int32_t count) {
    for (int32_t i = from; i < from + count; ++i)
      add("<|" + prefix + "reserved_special_token_" + std::to_string(i) + "|>");
  }

 private:
  void add(std::string name) {
    parts_.vocabulary.add(name, TokenKind::control);
    parts_.added.add({std::move(name), parts_.vocabulary.size() - 1});
  }
  TokenizerParts& parts_;
};

void add_llama3_names(TokenizerParts& parts) {
  Names names(parts);
  names.add({"begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1",
             "finetune_right_pad_id", "step_id", "start_header_id", "end_header_id", "eom_id", "eot_id", "python_tag",
             "image"});
  names.reserve("", 2, kLlama3Ranks + kLlama3Names - parts.vocabulary.size());
}

void add_llama4_names(TokenizerParts& parts) {
  Names names(parts);
  names.add({"begin_of_text", "end_of_text", "fim_prefix", "fim_middle", "fim_suffix", "header_start", "header_end",
             "eom", "eot", "step"});
  names.reserve("text_post_train_", 0, 6);
  names.add({"python_start", "python_end", "finetune_right_pad"});
  names.reserve("text_post_train_", 8, 61);
  names.add({"image_start", "image_end"});
  names.reserve("vision_", 0, 2);
  names.add({"tile_x_separator", "tile_y_separator"});
  names.reserve("vision_", 2, 4);
  names.add({"image"});
  names.reserve("vision_", 6, 1);
  names.add({"patch"});
  names.reserve("vision_", 7, 1041);
  names.reserve("reasoning_", 0, 8);
  names.add({"reasoning_thinking_start", "reasoning_thinking_end"});
  names.reserve("", 0, kLlama4Ranks + kLlama4Names - parts.vocabulary.size());
}

}  // namespace
}  // namespace text

TokenizerPtr tokenizer_from_tiktoken(std::string_view model_file, const Watch& watch, int64_t rows) {
  using namespace text;
  TokenizerParts parts;
  parts.rows = rows;
  const auto lines = std::count(model_file.begin(), model_file.end(), '\n');
  parts.vocabulary.reserve(size_t(std::min<int64_t>(lines, kLlama4Ranks) + kLlama4Names),
                           std::min<size_t>(model_file.size() / 2, 4 << 20));
  read_ranks(model_file, parts.vocabulary, watch);
  const int32_t ranks = parts.vocabulary.size();
  if (ranks == kLlama3Ranks)
    add_llama3_names(parts);
  else if (ranks == kLlama4Ranks)
    add_llama4_names(parts);
  else
    fail(Status::unsupported, "tokenizer.model has %d ranks, expected %d (Llama 3) or %d (Llama 4)", ranks,
         kLlama3Ranks, kLlama4Ranks);
  parts.added.finish();
  parts.vocabulary.build_index("tokenizer.model", watch);

  BpeModel& model = parts.model;
  model.ranking = BpeModel::by_id;
  model.whole_words = true;
  find_bytes(parts, "tokenizer.model");
  parts.splitters = {ranks == kLlama3Ranks ? split_llama3 : split_llama4};
  parts.cut_long_runs = true;
  parts.specials.bos = parts.added.find("<|begin_of_text|>");
  parts.specials.eos = parts.added.find("<|end_of_text|>");
  parts.specials.add_bos = true;
  collect_stops(parts.specials, parts, {});
  return make_tokenizer(std::move(parts), watch);
}

}  // namespace puna
