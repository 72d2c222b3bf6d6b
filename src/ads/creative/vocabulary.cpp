#include "ads/creative/vocabulary.h"

#include "ads/creative/tokens.h"
#include "base/json_field.h"

namespace puna::ads {
namespace {

constexpr const char* kWords =
#include "ads/creative/words.inc"
    ;

std::vector<std::string> strings_of(const text::JsonField& list) {
  std::vector<std::string> all;
  for (size_t i = 0; i < list.size(); ++i) all.push_back(list[i].string());
  return all;
}

WordSet set_of(const text::JsonField& list) {
  const std::vector<std::string> all = strings_of(list);
  return {all.begin(), all.end()};
}

Vocabulary read() {
  Json tree = parse_json(kWords, "words.inc");
  const JsonGuard guard(tree);
  const text::JsonField root(tree, "words.inc: ");
  root.only({"sentences", "calls", "seen_in", "numbers", "dates", "conditions", "not_from_facts"});
  Vocabulary v;
  for (const auto& language : root["sentences"].json().items()) {
    const text::JsonField of = root["sentences"][language.key().c_str()];
    SentenceFrames& s = v.sentences[language.key()];
    s.frames = strings_of(of["frames"]);
    for (const auto& list : of["lists"].json().items())
      s.lists[list.key()] = strings_of(of["lists"][list.key().c_str()]);
    for (const auto& [name, texts] : s.lists)
      for (const std::string& text : texts)
        for (const Token& t : tokens_of(text))
          if (t.is_text() && t.folded != "name") v.common.insert(t.folded);
    for (const char* word : {"a",  "an",  "the",  "and", "or",   "of",  "in", "on", "to",   "is",      "are",
                             "we", "you", "your", "it",  "with", "for", "at", "by", "from", "looking", "mood"})
      v.common.insert(word);
  }
  for (const auto& language : root["calls"].json().items()) {
    v.calls[language.key()] = strings_of(root["calls"][language.key().c_str()]);
    for (const std::string& call : v.calls[language.key()])
      for (const Token& t : tokens_of(call)) v.common.insert(t.folded);
  }
  for (const auto& language : root["seen_in"].json().items())
    v.seen_in[language.key()] = strings_of(root["seen_in"][language.key().c_str()]);
  for (const auto& number : root["numbers"].json().items())
    v.numbers[number.key()] = root["numbers"][number.key().c_str()].string();
  v.dates = set_of(root["dates"]);
  v.conditions = set_of(root["conditions"]);
  v.not_from_facts = set_of(root["not_from_facts"]);
  return v;
}

}  // namespace

const Vocabulary& vocabulary() {
  static const Vocabulary v = read();
  return v;
}

}  // namespace puna::ads
