// Who may ask, and which files a page folder shows.
#include <filesystem>
#include <fstream>

#include "http/access.h"
#include "support/catch.h"
#include "support/files.h"

using namespace puna::http;

namespace {

Request asked(const std::string& method, std::vector<std::pair<std::string, std::string>> fields) {
  Request r;
  r.method = method;
  r.path = "/events";
  r.fields = std::move(fields);
  return r;
}

int refused(const Request& r, bool loopback = true) {
  const auto answer = refuse_stranger(r, loopback, loopback ? "127.0.0.1" : "0.0.0.0");
  return answer ? answer->status : 0;
}

}  // namespace

TEST_CASE("a server on this machine alone answers to its names alone", "[http]") {
  for (const char* host : {"localhost", "localhost:8080", "127.0.0.1:80", "127.8.9.1", "[::1]:8080"})
    CHECK(refused(asked("GET", {{"host", host}})) == 0);
  for (const char* host :
       {"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "x", "", "[::2]"})
    CHECK(refused(asked("GET", {{"host", host}})) == 403);
  CHECK(refused(asked("GET", {{"host", "games.local:8080"}}), false) == 0);
}

TEST_CASE("a page of another origin may neither read nor post", "[http]") {
  CHECK(refused(asked("POST", {{"host", "localhost:8080"},
                               {"origin", "http://localhost:8080"},
                               {"content-type", "application/json"}})) == 0);
  for (const char* origin : {"http://evil.example", "null", "http://localhost:9090", "http://localhost", ""}) {
    CHECK(refused(asked(
              "POST", {{"host", "localhost:8080"}, {"origin", origin}, {"content-type", "application/json"}})) == 403);
    CHECK(refused(asked("GET", {{"host", "localhost:8080"}, {"origin", origin}})) == 403);
  }
}

TEST_CASE("what a form can send is taken for no JSON", "[http]") {
  const auto with = [](const char* type) {
    return refused(asked("POST", {{"host", "localhost"}, {"content-type", type}}));
  };
  CHECK(with("application/json") == 0);
  CHECK(with("Application/JSON; charset=utf-8") == 0);
  CHECK(with("application/x-www-form-urlencoded") == 0);  // curl -d, which sends no origin
  CHECK(with("text/plain") == 415);
  CHECK(with("multipart/form-data; boundary=x") == 415);
  CHECK(refused(asked("POST", {{"host", "localhost"},
                               {"origin", "http://localhost"},
                               {"content-type", "application/x-www-form-urlencoded"}})) == 415);
}

TEST_CASE("a page folder shows its files and nothing beside it", "[http]") {
  const puna::test::TempFolder folder;
  const std::string page = folder / "page";
  std::filesystem::create_directories(page + "/sub");
  std::ofstream(page + "/index.html") << "<p>home";
  std::ofstream(page + "/sub/a.js") << "1";
  std::ofstream(page + "/.secret") << "no";
  std::ofstream(folder / "outside.txt") << "no";
  const auto get = [&](const std::string& path) {
    Request r = asked("GET", {});
    r.path = path;
    return page_file(page, r);
  };
  REQUIRE(get("/"));
  CHECK(get("/")->body == "<p>home");
  CHECK(get("/")->type == "text/html; charset=utf-8");
  REQUIRE(get("/sub/a.js"));
  CHECK(get("/sub/a.js")->type == "text/javascript; charset=utf-8");
  for (const char* path : {"/../outside.txt", "/sub/../../outside.txt", "/.secret", "/sub", "/nothing",
                           "/..\\outside.txt", "//../outside.txt"})
    CHECK_FALSE(get(path));
  CHECK_FALSE(page_file(page, asked("POST", {})));
}

TEST_CASE("an error is an answer whatever bytes it holds", "[http]") {
  CHECK(refusal(400, "no '\xff\xc3'").body.find("\xef\xbf\xbd") != std::string::npos);
}
