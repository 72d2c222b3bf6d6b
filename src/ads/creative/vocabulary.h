// vocabulary.h -- words by what an advertisement may do with them (words.inc): of which sentences are made without a
// claim in them, which number or date a word says, how readers are called to come, in which language.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace puna::ads {

using WordSet = std::set<std::string, std::less<>>;

struct SentenceWords {
  std::vector<std::string> starts, links, ends;  // begin a sentence; go on; may also end it
};

struct Vocabulary {
  std::map<std::string, SentenceWords, std::less<>> sentences;           // by language
  std::map<std::string, std::vector<std::string>, std::less<>> calls;    // by language
  std::map<std::string, std::vector<std::string>, std::less<>> seen_in;  // words that give a language away
  std::map<std::string, std::string, std::less<>> numbers;               // "seven": "7"
  WordSet dates, conditions, not_from_facts, common;                     // common: of all sentences and calls
};
const Vocabulary& vocabulary();

}  // namespace puna::ads
