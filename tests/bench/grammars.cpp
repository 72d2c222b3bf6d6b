// grammars.cpp -- JSON Schemas and instances, one document a line, through Puna's grammars: what is accepted, and what
// compiling and masks cost. The Python beside it (grammars.py) makes the lines, and asks other engines the same.
//
// usage: grammars LINES TOKENIZER [--masks [--again]]
//   a line:  {"id": .., "schema": "text", "tests": [{"texts": ["json", ...], "valid": true}, ...]}
//   an answer:  {"id": .., "compile_us": .., "error": "..",
//                "accepted": [bool, ..], "first_us": [..], "mask_us": [..], "refused_at": [..]}
// A test is accepted when one of its texts is. With --masks each text that is valid is walked token by token, and the
// mask before every token, which must allow the token, is timed: when it is met first, and in a second walk (warm).
// With --again all of them are walked once more at the end, one after the other, and a last line has "again_us", and
// what the cache holds by then.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/vocabulary.h"
#include "puna/base/error.h"
#include "puna/grammar/grammar.h"
#include "puna/grammar/matcher.h"
#include "puna/text/tokenizer.h"

namespace {

using Clock = std::chrono::steady_clock;
double microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

puna::TokenizerPtr open_tokenizer(const char* path) { return puna::tokenizer_from_tiktoken(read_file(path)); }

// Bytes that may come; all of them and the end: the text's size + 1.
size_t accepted_bytes(puna::Matcher& matcher, const std::string& text) {
  matcher.reset();
  for (size_t i = 0; i < text.size(); ++i) {
    try {
      matcher.accept_bytes(text.substr(i, 1));
    } catch (const puna::Error&) {
      return i;
    }
  }
  return text.size() + matcher.accepting();
}

void walk(puna::Matcher& matcher, const puna::Tokenizer& tokenizer, const std::string& text, std::vector<double>& out) {
  matcher.reset();
  for (const int32_t id : tokenizer.encode(text, false)) {
    const auto start = Clock::now();
    const puna::TokenMask mask = matcher.mask();
    out.push_back(microseconds(start));
    if (!mask.allows(id)) {
      std::cerr << "a mask refuses a token of a text that is accepted: " << text << "\n";
      std::exit(1);
    }
    matcher.accept(id);
  }
}

struct Walked {
  puna::Matcher matcher;
  std::string text;
};

puna::OrderedJson answer(const puna::OrderedJson& line, const puna::GrammarVocabularyPtr& vocabulary,
                         const puna::Tokenizer& tokenizer, bool masks, std::vector<Walked>* walked) {
  puna::OrderedJson out = {{"id", line["id"]}};
  const auto start = Clock::now();
  try {
    const puna::GrammarPtr grammar = puna::grammar_from_json_schema(line["schema"].get<std::string>());
    out["compile_us"] = microseconds(start);
    puna::Matcher matcher(grammar, vocabulary);
    std::vector<double> first_us, mask_us;
    out["accepted"] = puna::OrderedJson::array();
    out["refused_at"] = puna::OrderedJson::array();
    for (const puna::OrderedJson& test : line["tests"]) {
      size_t best = 0, whole = 0;
      std::string text;
      for (const puna::OrderedJson& candidate : test["texts"]) {
        text = candidate.get<std::string>();
        best = std::max(best, accepted_bytes(matcher, text));
        whole = text.size() + 1;
        if (best == whole) break;
      }
      out["accepted"].push_back(best == whole);
      out["refused_at"].push_back(best);
      if (!masks || best != whole) continue;
      walk(matcher, tokenizer, text, first_us);
      walk(matcher, tokenizer, text, mask_us);
      if (walked) walked->push_back({matcher, text});
    }
    out["first_us"] = first_us;
    out["mask_us"] = mask_us;
  } catch (const puna::Error& error) {
    out["compile_us"] = microseconds(start);
    out["error"] = error.what();
  }
  return out;
}

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::cerr << "usage: grammars LINES TOKENIZER [--masks [--again]]\n";
    return 2;
  }
  const puna::TokenizerPtr tokenizer = open_tokenizer(words[2]);
  const auto start = Clock::now();
  const puna::GrammarVocabularyPtr vocabulary = puna::grammar_vocabulary(tokenizer);
  std::cerr << "vocabulary: " << tokenizer->size() << " tokens, " << microseconds(start) / 1000 << " ms\n";
  std::vector<Walked> walked;
  std::ifstream lines(words[1]);
  for (std::string line; std::getline(lines, line);) {
    puna::OrderedJson json = puna::parse_ordered_json(line, "line");
    std::cout << answer(json, vocabulary, *tokenizer, count > 3, count > 4 ? &walked : nullptr).dump() << "\n";
  }
  if (count <= 4) return 0;
  std::vector<double> again_us;
  for (Walked& w : walked) walk(w.matcher, *tokenizer, w.text, again_us);
  const auto& kept = vocabulary->of_configurations();
  std::cout << puna::OrderedJson{{"again_us", again_us}, {"kept_masks", kept.size()}, {"kept_bytes", kept.bytes_held()}}
                   .dump()
            << "\n";
}
