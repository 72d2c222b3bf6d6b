// needle.h -- whether a model finds what stands at some depth of a long text: sentences with numbers in a haystack of
// other sentences, as RULER's (arXiv:2404.06654). Says how far a context works, and nothing of what a model can do.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/runtime/session.h"

namespace puna::eval {

enum class NeedleKind {
  single,       // one number to find
  multi_key,    // one, among others with other keys
  multi_value,  // several with one key: all of them
  multi_query,  // several keys, all asked for
};

struct NeedleOptions {
  NeedleKind kind = NeedleKind::single;
  std::vector<int64_t> lengths;  // tokens of the whole prompt
  int64_t depths = 40;           // from 0 to 100 %, evenly; 1 = 50 % alone
  int64_t needles = 4;           // of the multi kinds
  uint64_t seed = 1234;          // of keys, numbers and places
  int64_t max_answer = 0;        // tokens; 0 = as many as the numbers take, and half as many again
  SessionOptions session = {};
};

struct NeedleCell {
  int64_t length = 0, tokens = 0;  // asked for, and what the prompt has
  double depth = 0;                // 0 to 1
  double score = 0;                // share of the numbers in the answer
  double log_likelihood = 0;       // of the first number, given the question
  bool greedy = false;             // each of its tokens was the likeliest
  std::string answer;
};

// The prompt of a cell and the numbers it asks for; `question` is the prompt's end, which the number follows.
struct NeedlePrompt {
  std::string text;
  std::vector<std::string> values;
};
NeedlePrompt needle_prompt(const std::vector<std::string_view>& sentences, NeedleKind kind, double depth,
                           int64_t needles, uint64_t seed);
// Pieces that end with a sentence's end, white space behind it included. Error{invalid_argument} when there is none.
std::vector<std::string_view> sentences_of(std::string_view text);

// A cell for each length and depth. `haystack` is repeated where it is too short. on_cell returns false to stop:
// Error{cancelled}. Error{context_full} for a length past the context, {invalid_argument} for one that not even the
// question fits.
std::vector<NeedleCell> find_needles(const ModelPtr& model, std::string_view haystack, const NeedleOptions& options,
                                     FunctionRef<bool(const NeedleCell&)> on_cell, const Watch& watch = Watch());

}  // namespace puna::eval
