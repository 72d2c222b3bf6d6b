// api.h -- the addresses of `puna ads serve`, from a request to its answer: the page, and what it asks of the studio.
//
//   GET  /  /ads/...  /shared/...   the page
//   GET  /health
//   GET  /v1/state
//   POST /v1/lint, plan, decide, week      studio.h has their bodies
//
// Without tokens it is for this machine alone; with tokens a request has one, whose name decisions carry.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "http/answer.h"
#include "http/request.h"
#include "http/secrets.h"
#include "page/front.h"
#include "studio.h"

namespace puna::studio {

struct ApiOptions {
  pages::Reach reach;
  std::vector<http::Secret> tokens;
};

class Api {
 public:
  // Error{invalid_argument}: other machines reach the server, and there are no tokens.
  Api(StudioOptions studio, ApiOptions options);
  // Refusals of strangers, the page, /health: never waits.
  std::optional<http::Answer> quick(const http::Request& request) const;
  http::Answer answer(const http::Request& request);

 private:
  std::string who(const http::Request& request) const;
  Studio studio_;
  const ApiOptions o_;
};

}  // namespace puna::studio
