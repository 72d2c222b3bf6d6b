// convert.h -- other protocols as chat requests: OpenAI's responses (without state) and Anthropic's messages.
#pragma once
#include <string>
#include <string_view>

#include "requests.h"

namespace puna::serve {

// Pieces of a chat request, as text.
std::string text_part(std::string_view text);
std::string image_url_part(std::string_view url);
std::string named_function(std::string_view name);
std::string function_call(std::string_view id, std::string_view name, std::string_view arguments);
// What is wrong is told by the names that it has there.
ChatRequest read_chat_text(const std::string& chat, const RequestLimits& limits, OwnNames own_names);

struct ResponsesRequest {
  ChatRequest chat;
  std::string repeated;  // fields that the response says again, as JSON members
};
ResponsesRequest read_responses(const OrderedJson& body, const RequestLimits& limits);
// `counting`: for count_tokens, which has no max_tokens.
ChatRequest read_messages(const OrderedJson& body, const RequestLimits& limits, bool counting);

}  // namespace puna::serve
