// thoughts.h -- how models mark what they think before they answer.
#pragma once
#include <string_view>

namespace puna::tools {

struct ThoughtMarks {
  std::string_view open, close;
};

// Qwen 3, SmolLM3, DeepSeek; Ministral 3; Gemma 4. gpt-oss has a channel (harmony_reader).
inline constexpr ThoughtMarks kThoughts[] = {
    {"<think>", "</think>"}, {"[THINK]", "[/THINK]"}, {"<|channel>thought\n", "<channel|>"}};

}  // namespace puna::tools
