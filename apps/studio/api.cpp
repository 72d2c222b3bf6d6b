#include "api.h"

#include <chrono>

#include "base/shown.h"
#include "http/access.h"
#include "page/pages.h"
#include "puna/base/error.h"

namespace puna::studio {
namespace {

int64_t now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

Api::Api(StudioOptions studio, ApiOptions options) : studio_(std::move(studio)), o_(std::move(options)) {
  if (!o_.loopback && o_.tokens.empty())
    fail(Status::invalid_argument,
         "--host %s is reached from other machines: give --tokens FILE with 'NAME SECRET' a "
         "line for each who may work here",
         o_.host.c_str());
}

std::optional<http::Answer> Api::quick(const http::Request& r) const {
  if (const auto why = http::refuse_stranger(r, {.loopback = o_.loopback, .host = o_.host, .only_json = true}))
    return http::refusal(why->status, why->message);
  if (r.path == "/health" && (r.method == "GET" || r.method == "HEAD")) return http::Answer{200, R"({"status":"ok"})"};
  return pages::page_answer("ads", r);
}

std::string Api::who(const http::Request& r) const {
  if (o_.tokens.empty()) return "advertiser";
  const std::string* found = nullptr;
  const std::string_view secret = http::bearer(r.field("authorization"));
  for (const http::Secret& t : o_.tokens)
    if (http::same_secret(secret, t.secret)) found = &t.name;
  if (!found)
    throw Refused{401, secret.empty() ? "a token is needed: Authorization: Bearer TOKEN" : "the token is wrong"};
  return *found;
}

http::Answer Api::answer(const http::Request& r) {
  const auto answer = [](std::string body) {
    return http::Answer{200, std::move(body), "application/json", {{"Cache-Control", "no-store"}}};
  };
  try {
    const std::string person = who(r);
    if (r.path == "/v1/state") {
      if (r.method != "GET" && r.method != "HEAD") throw Refused{405, "expected GET /v1/state"};
      return answer(studio_.state());
    }
    for (const char* path : {"/v1/lint", "/v1/plan", "/v1/decide", "/v1/week"})
      if (r.path == path && r.method != "POST") throw Refused{405, "expected POST " + r.path};
    if (r.path == "/v1/lint") return answer(studio_.lint(r.body));
    if (r.path == "/v1/plan") return answer(studio_.plan(r.body));
    if (r.path == "/v1/decide") return answer(studio_.decide(r.body, person, now()));
    if (r.path == "/v1/week") return answer(studio_.week(r.body));
    throw Refused{404, "there is no '" + shown(r.path) + "' here"};
  } catch (const Refused& refused) {
    return http::refusal(refused.status, refused.why);
  } catch (const Error& e) {
    const bool of_caller = e.status() == Status::invalid_argument || e.status() == Status::unsupported;
    return http::refusal(of_caller ? 400 : e.status() == Status::cancelled ? 409 : 500, e.what());
  }
}

}  // namespace puna::studio
