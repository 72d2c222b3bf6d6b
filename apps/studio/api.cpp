#include "api.h"

#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::studio {

Api::Api(StudioOptions studio, ApiOptions options) : studio_(std::move(studio)), o_(std::move(options)) {
  if (!o_.reach.loopback && o_.tokens.empty())
    fail(Status::invalid_argument,
         "--host %s is reached from other machines: give --tokens FILE with 'NAME SECRET' a "
         "line for each who may work here",
         o_.reach.host.c_str());
}

std::optional<http::Answer> Api::quick(const http::Request& r) const { return pages::front_answer("ads", r, o_.reach); }

std::string Api::who(const http::Request& r) const {
  if (o_.tokens.empty()) return "advertiser";
  return pages::require_token(o_.tokens, r).name;
}

http::Answer Api::answer(const http::Request& r) {
  try {
    const std::string person = who(r);
    if (r.path == "/v1/state") {
      if (r.method != "GET" && r.method != "HEAD") throw Refused{405, "expected GET /v1/state"};
      return pages::private_json(studio_.state());
    }
    for (const char* path : {"/v1/lint", "/v1/plan", "/v1/decide", "/v1/week"})
      if (r.path == path && r.method != "POST") throw Refused{405, "expected POST " + r.path};
    if (r.path == "/v1/lint") return pages::private_json(studio_.lint(r.body));
    if (r.path == "/v1/plan") return pages::private_json(studio_.plan(r.body));
    if (r.path == "/v1/decide") return pages::private_json(studio_.decide(r.body, person, pages::milliseconds_now()));
    if (r.path == "/v1/week") return pages::private_json(studio_.week(r.body));
    throw Refused{404, "there is no '" + shown(r.path) + "' here"};
  } catch (const Refused& refused) {
    return http::refusal(refused);
  } catch (const Error& e) {
    const bool of_caller = e.status() == Status::invalid_argument || e.status() == Status::unsupported;
    return http::refusal(of_caller ? 400 : e.status() == Status::cancelled ? 409 : 500, e.what());
  }
}

}  // namespace puna::studio
