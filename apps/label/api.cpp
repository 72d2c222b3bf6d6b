#include "api.h"

#include <sstream>

#include "base/json.h"
#include "base/shown.h"
#include "http/secrets.h"
#include "io/json_parts.h"
#include "puna/base/error.h"

namespace puna::desk {
namespace {

constexpr size_t kLongestName = 100;

void require_name(const std::string& name) {
  bool fine = !name.empty() && name.size() <= kLongestName && name.front() != ' ' && name.back() != ' ';
  for (const char c : name) fine &= uint8_t(c) >= 0x20 && c != 0x7f;
  if (!fine)
    fail(Status::invalid_argument, "the annotator is called '%s', expected 1 to %zu bytes of plain text",
         shown(name).c_str(), kLongestName);
}

using Asked = std::string (Desk::*)(const Person&, std::string_view json, int64_t now);

struct Route {
  std::string_view path;
  Asked asked;
};
constexpr Route kRoutes[] = {{"/v1/work", &Desk::work},   {"/v1/label", &Desk::label},
                             {"/v1/undo", &Desk::undo},   {"/v1/progress", &Desk::progress},
                             {"/v1/queue", &Desk::queue}, {"/v1/decide", &Desk::decide}};

// The object without one of its members. Both are valid JSON.
std::string without_member(std::string_view object, std::string_view name) {
  std::string rest;
  io::each_member(object, Watch(), [&](const std::string& key, std::string_view value) {
    if (key != name) rest += (rest.empty() ? "" : ",") + quoted(key) + ":" + std::string(value);
  });
  return "{" + rest + "}";
}

}  // namespace

std::vector<Token> parse_tokens(std::string_view text, const std::string& place) {
  std::vector<Token> all;
  for (const http::Secret& s : http::parse_secrets(text, place)) {
    Token t{{s.name, false}, s.secret};
    require_name(s.name);
    std::istringstream words(s.rest);
    for (std::string word; words >> word;) {
      if (word != "decides")
        fail(Status::invalid_argument,
             "%s:%d: '%s' means nothing here, expected 'NAME SECRET' or 'NAME SECRET decides'", place.c_str(), s.line,
             shown(word).c_str());
      t.person.decides = true;
    }
    for (const Token& other : all)
      if (other.person.name == s.name)
        fail(Status::invalid_argument, "%s:%d: '%s' has a token already", place.c_str(), s.line, s.name.c_str());
    all.push_back(std::move(t));
  }
  return all;
}

Api::Api(label::LabelStore& store, DeskOptions desk, ApiOptions options)
    : desk_(store, std::move(desk)), o_(std::move(options)) {
  if (!o_.reach.loopback && o_.tokens.empty())
    fail(Status::invalid_argument,
         "--host %s is reached from other machines: give --tokens FILE with a token for each who may label",
         o_.reach.host.c_str());
}

std::optional<http::Answer> Api::quick(const http::Request& r) const {
  return pages::front_answer("label", r, o_.reach);
}

// Takes "annotator" out of the body.
Person Api::who(const http::Request& r, std::string& body) const {
  std::string named;
  if (!body.empty()) {
    OrderedJson parsed = parse_json_argument(body, "the request");
    const JsonGuard guard(parsed);
    if (parsed.is_object() && parsed.contains("annotator")) {
      if (!parsed["annotator"].is_string()) fail(Status::invalid_argument, "\"annotator\" is no text");
      named = parsed["annotator"].get<std::string>();
      require_name(named);
      body = without_member(std::string_view(body).substr(io::skip_space(body, 0, Watch())), "annotator");
    }
  }
  if (o_.tokens.empty()) return {named, true};
  const Person& person = pages::require_token(o_.tokens, r).person;
  if (!named.empty() && named != person.name)
    throw Refused{403, "the token is that of '" + shown(person.name) + "', not of '" + shown(named) + "'"};
  return person;
}

http::Answer Api::answer(const http::Request& r) {
  try {
    std::string body = r.body;
    if (r.path == "/v1/projects") {
      if (r.method != "GET" && r.method != "HEAD") throw Refused{405, "expected GET /v1/projects"};
      body.clear();
      return pages::private_json(desk_.projects(who(r, body), pages::milliseconds_now()));
    }
    for (const Route& route : kRoutes) {
      if (r.path != route.path) continue;
      if (r.method != "POST") throw Refused{405, "expected POST " + r.path};
      const Person person = who(r, body);
      if (person.name.empty()) fail(Status::invalid_argument, "the request has no \"annotator\"");
      return pages::private_json((desk_.*route.asked)(person, body, pages::milliseconds_now()));
    }
    throw Refused{404, "there is no '" + shown(r.path) + "' here"};
  } catch (const Refused& refused) {
    return http::refusal(refused);
  } catch (const Error& e) {
    return http::refusal(e.status() == Status::invalid_argument ? 400 : 500, e.what());
  }
}

}  // namespace puna::desk
