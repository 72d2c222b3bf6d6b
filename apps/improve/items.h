// items.h -- questions with a few possible answers, out of a file of JSON lines:
//   {"item": "q1", "prompt": "Text: ...\nTopic:", "choices": ["law", "love"], "answer": "law"}
// "answer" is one of the choices or its number from 0, and may be missing where people shall say it. "text" is the part
// of the prompt that differs from item to item, for the search for duplicates; without it that is what is left of the
// prompt without the beginning and the end that all prompts share. Items with one "cluster" count as one draw. Rows of
// ARC ({"id", "question", "choices": {"text", "label"}, "answerKey"}) are read as they are.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna::improve {

struct Item {
  std::string item, prompt, text, cluster;
  std::vector<std::string> choices;
  int64_t answer = -1;  // -1: not known
};

struct Items {
  std::string file;
  std::vector<Item> all;
  std::vector<std::string> notes;  // what is not read

  int64_t answered() const;
};

// Error{bad_file} "FILE, line N: ..." for what is missing, twice there, or of another kind.
Items read_items(std::string_view bytes, const std::string& file, const Watch& watch = Watch());

}  // namespace puna::improve
