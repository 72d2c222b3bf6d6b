// convert.h -- other protocols as chat requests: OpenAI's responses (without state) and Anthropic's messages.
#pragma once
#include <string>

#include "requests.h"

namespace puna::serve {

struct ResponsesRequest {
  ChatRequest chat;
  std::string repeated;  // fields that the response says again, as JSON members
};
ResponsesRequest read_responses(const OrderedJson& body, const RequestLimits& limits);
// `counting`: for count_tokens, which has no max_tokens.
ChatRequest read_messages(const OrderedJson& body, const RequestLimits& limits, bool counting);

}  // namespace puna::serve
