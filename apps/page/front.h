// front.h -- what a page's server answers before it looks at what is asked: strangers are refused, the page's files and
// /health are there for everybody, and who asks is told by a token.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/answer.h"
#include "http/request.h"
#include "http/secrets.h"

namespace puna::pages {

// Who reaches a server: `host` is where it listens.
struct Reach {
  std::string host = "127.0.0.1";
  bool loopback = true;
};

// Refusals of strangers, the page, /health: never waits. Nothing: it is for the page's own addresses.
std::optional<http::Answer> front_answer(std::string_view page, const http::Request& request, const Reach& reach);

// Whose token the request has. Refused{401}: nobody's.
template <class Token>
const Token& require_token(const std::vector<Token>& tokens, const http::Request& request) {
  const std::string_view secret = http::bearer(request.field("authorization"));
  if (const Token* const found = http::holder_of(tokens, secret)) return *found;
  throw http::Refused{401, secret.empty() ? "a token is needed: Authorization: Bearer TOKEN" : "the token is wrong"};
}

http::Answer private_json(std::string body);  // of 200, that no cache keeps
int64_t milliseconds_now();                   // since 1970

}  // namespace puna::pages
