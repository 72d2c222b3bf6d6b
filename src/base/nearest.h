// nearest.h -- the known word that a misspelt one most likely means: "tempature" -> "temperature". For errors, not for
// guessing.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace puna {

// Least insertions, deletions, replacements and swaps of neighbours, letters without case; a word may be wrong in a
// third of its bytes. "" when none is that near. The first of several that are equally near.
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& known);

// ", did you mean 'x'?" or "": to be put behind what an error says of `word`. List: of std::string, std::string_view or
// const char*.
template <class List>
std::string did_you_mean(std::string_view word, const List& known) {
  std::vector<std::string_view> words;
  for (const auto& k : known) words.emplace_back(k);
  const std::string_view near = nearest_word(word, words);
  return near.empty() ? std::string() : ", did you mean '" + std::string(near) + "'?";
}

}  // namespace puna
