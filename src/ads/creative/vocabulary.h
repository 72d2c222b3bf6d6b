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

// Sentences of a language that say nothing which would have to be proved. A frame is a list of slots between spaces:
// {list}, {name} (of the business), {thing} (that it makes), {ours} (what stands behind "our", or is a thing), or words
// as they are; {list}? may be left out; a ? of its own makes it a question.
struct SentenceFrames {
  std::map<std::string, std::vector<std::string>, std::less<>> lists;
  std::vector<std::string> frames;
};

struct Vocabulary {
  std::map<std::string, SentenceFrames, std::less<>> sentences;          // by language
  std::map<std::string, std::vector<std::string>, std::less<>> calls;    // by language
  std::map<std::string, std::vector<std::string>, std::less<>> seen_in;  // words that give a language away
  std::map<std::string, std::string, std::less<>> numbers;               // "seven": "7"
  WordSet dates, conditions, not_from_facts, common;                     // common: of all sentences and calls
};
const Vocabulary& vocabulary();
inline bool is_common_word(std::string_view folded) {
  return vocabulary().common.find(folded) != vocabulary().common.end();
}

}  // namespace puna::ads
