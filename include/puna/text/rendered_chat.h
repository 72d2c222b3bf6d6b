// rendered_chat.h -- a chat as text, and which of its bytes the template did not write.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace puna {

struct TextSpan {
  size_t begin = 0, end = 0;  // bytes [begin, end)
};

// `content` are the bytes that came from the chat's messages, tools and other variables: sorted, disjoint, none empty.
// A special token counts as one only where all of its bytes are the template's (Tokenizer::encode_chat): what a user
// types is never a turn of its own.
struct RenderedChat {
  std::string text;
  std::vector<TextSpan> content;
};

}  // namespace puna
