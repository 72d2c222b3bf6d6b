// api.h -- the addresses of `puna label serve`, from a request to its answer: the page, and what it asks of the desk.
//
//   GET  /  /label/...  /shared/...   the page
//   GET  /health
//   GET  /v1/projects
//   POST /v1/work, label, undo, progress, queue, decide      desk.h has their bodies
//
// Without tokens every request names its "annotator": for a server that only this machine reaches. With tokens the
// token says who asks.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "desk.h"
#include "http/answer.h"
#include "http/request.h"
#include "page/front.h"

namespace puna::desk {

// A line of the file of tokens: "NAME SECRET", and "decides" for those who may see all answers and decide.
struct Token {
  Person person;
  std::string secret;
};
std::vector<Token> parse_tokens(std::string_view text, const std::string& place);  // Error{invalid_argument}

struct ApiOptions {
  pages::Reach reach;
  std::vector<Token> tokens;
};

class Api {
 public:
  // Error{invalid_argument}: other machines reach the server, and there are no tokens.
  Api(label::LabelStore& store, DeskOptions desk, ApiOptions options);
  // Refusals of strangers, the page, /health: never waits.
  std::optional<http::Answer> quick(const http::Request& request) const;
  http::Answer answer(const http::Request& request);

 private:
  Person who(const http::Request& request, std::string& body) const;

  Desk desk_;
  const ApiOptions o_;
};

}  // namespace puna::desk
