// access.h -- which requests are allowed: protection against cross-site requests and DNS rebinding. A page from
// anywhere may make the browser of the person in front of this machine send requests here, and may give its own name
// this machine's address (DNS rebinding). So a server on a loopback address knows only loopback names, and a request
// that names another origin is refused.
#pragma once
#include <optional>
#include <string>

#include "server.h"

namespace puna::http {

struct AccessRules {
  bool loopback = true;     // the server listens at an address that only this machine reaches,
  std::string host;         // which was given as this
  bool only_json = false;   // a body must say that it is application/json; otherwise curl's default passes as well
  bool any_origin = false;  // pages of other origins may ask
};
// The refusal, or nothing.
std::optional<Refused> refuse_stranger(const Request& request, const AccessRules& rules);
std::optional<Answer> refuse_stranger(const Request& request, bool loopback, const std::string& host);

// Whether an address to listen at is reached from this machine alone: "localhost", "127.0.0.1", "::1".
bool is_loopback(const std::string& host);

// The file of `folder` that a GET or HEAD names ("/" is index.html), or nothing where there is none. Names that begin
// with a dot are not there.
std::optional<Answer> page_file(const std::string& folder, const Request& request);

}  // namespace puna::http
