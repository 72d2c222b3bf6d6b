#include "page/front.h"

#include <chrono>

#include "http/access.h"
#include "page/pages.h"

namespace puna::pages {

std::optional<http::Answer> front_answer(std::string_view page, const http::Request& r, const Reach& reach) {
  if (const auto why = http::refuse_stranger(r, {.loopback = reach.loopback, .host = reach.host, .only_json = true}))
    return http::refusal(*why);
  if (r.path == "/health" && (r.method == "GET" || r.method == "HEAD")) return http::Answer{200, R"({"status":"ok"})"};
  return page_answer(page, r);
}

http::Answer private_json(std::string body) {
  return {200, std::move(body), "application/json", {{"Cache-Control", "no-store"}}};
}

int64_t milliseconds_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace puna::pages
