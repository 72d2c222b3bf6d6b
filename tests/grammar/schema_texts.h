// schema_texts.h -- instances of JSON Schemas as texts, and whether a grammar lets them through.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/small_vocabulary.h"
#include "puna/grammar/matcher.h"

namespace puna::test {

inline Matcher byte_matcher(GrammarPtr grammar) {
  static const GrammarVocabularyPtr vocabulary = grammar_vocabulary(small_vocabulary({"<end>", "a", "\"", "{"}));
  return Matcher(std::move(grammar), vocabulary);
}

inline bool accepts(Matcher& matcher, const std::string& text) {
  matcher.reset();
  try {
    matcher.accept_bytes(text);
  } catch (const Error&) {
    return false;
  }
  return matcher.accepting();
}

inline bool accepts(const GrammarPtr& grammar, const std::string& text) {
  Matcher matcher = byte_matcher(grammar);
  return accepts(matcher, text);
}

// The value as JSON text, with the keys of its objects in every order: at most `limit` texts.
inline std::vector<std::string> texts_in_every_order(const OrderedJson& value, size_t limit) {
  std::vector<std::string> texts;
  if (!value.is_object() && !value.is_array()) return {json_text(value)};
  std::vector<std::pair<std::string, std::vector<std::string>>> parts;
  for (const auto& [key, inner] : value.items())
    parts.emplace_back(value.is_object() ? OrderedJson(key).dump() + ": " : "", texts_in_every_order(inner, 6));
  std::vector<size_t> order(parts.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  const bool object = value.is_object();
  do {
    std::vector<std::string> begun{object ? "{" : "["};
    for (size_t i = 0; i < order.size(); ++i) {
      std::vector<std::string> longer;
      for (const std::string& text : begun)
        for (const std::string& inner : parts[order[i]].second)
          if (longer.size() < limit) longer.push_back(text + (i ? ", " : "") + parts[order[i]].first + inner);
      begun = std::move(longer);
    }
    for (const std::string& text : begun)
      if (texts.size() < limit) texts.push_back(text + (object ? "}" : "]"));
  } while (object && texts.size() < limit && std::next_permutation(order.begin(), order.end()));
  return texts;
}

}  // namespace puna::test
