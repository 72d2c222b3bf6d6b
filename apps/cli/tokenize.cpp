// puna tokenize / puna detokenize: text to ids and back, without opening the weights.
#include <nlohmann/json.hpp>

#include "common.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "verbs.h"

namespace puna::cli {
namespace {

constexpr const char* kModelHelp = "a GGUF file, a Hugging Face folder, a tokenizer.json or a tokenizer.model";

struct TokenizeFlags {
  std::string model, text, file;
  bool special = false, json = false;
};

struct DetokenizeFlags {
  std::string model;
  std::vector<std::string> ids;
  bool skip_special = false;
};

// What opening a model would warn of.
TokenizerPtr opened(const std::string& path, const Watch& watch) {
  TokenizerPtr tokenizer = open_tokenizer(path, watch);
  for (const std::string& note : tokenizer->notes()) warn(note);
  return tokenizer;
}

}  // namespace

void add_tokenize(CLI::App& app) {
  const auto f = std::make_shared<TokenizeFlags>();
  const Verb verb(app, "tokenize", "Print a text's token ids as a JSON array; nothing is added to the text");
  verb.option("MODEL", f->model, kModelHelp).required();
  const Option text = verb.option("TEXT", f->text, "the text (default: standard input)");
  const Option file = verb.option("--file", f->file, "read the text from a file; - is standard input").excludes(text);
  verb.flag("--special", f->special, "parse special tokens such as <|eot|>");
  verb.flag("--json", f->json, "the output is JSON in any case");
  verb.run([f, text, file] {
    const std::string input = text.given() ? f->text : read_input(file.given() ? f->file : "-");
    const auto ids =
        stoppable([&](const Watch& watch) { return opened(f->model, watch)->encode(input, f->special, watch); });
    print(nlohmann::json(ids).dump() + "\n");
  });
}

void add_detokenize(CLI::App& app) {
  const auto f = std::make_shared<DetokenizeFlags>();
  const Verb verb(app, "detokenize", "Print the bytes of token ids, nothing added");
  verb.option("MODEL", f->model, kModelHelp).required();
  verb.option("ID", f->ids, "token ids, separated by spaces or commas; @F reads them from a file").required();
  verb.flag("--skip-special", f->skip_special, "leave special tokens out");
  verb.run([f] {
    std::vector<int32_t> ids;
    for (const std::string& part : f->ids)
      for (const int32_t id : parse_tokens(part)) ids.push_back(id);
    print(stoppable([&](const Watch& watch) { return opened(f->model, watch)->decode(ids, !f->skip_special); }));
  });
}

}  // namespace puna::cli
