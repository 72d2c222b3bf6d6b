// The request parser: the same request however its bytes were cut, and one status for each way to be wrong.
#include <string>

#include "http/request.h"
#include "support/catch.h"

using namespace puna::http;

namespace {

// Feeds `bytes` in pieces of `step`; what is left belongs to the next request.
RequestParser fed(const std::string& bytes, size_t step, std::string* left = nullptr, const Limits& limits = {}) {
  RequestParser parser(limits);
  size_t at = 0;
  while (at < bytes.size() && !parser.done() && !parser.refused()) {
    const std::string_view piece = std::string_view(bytes).substr(at, step);
    const size_t taken = parser.take(piece);
    at += taken;
    if (taken < piece.size()) break;
  }
  if (left) *left = bytes.substr(at);
  return parser;
}

int status_of(const std::string& bytes, const Limits& limits = {}) {
  const int whole = fed(bytes, bytes.size(), nullptr, limits).refused();
  CHECK(fed(bytes, 1, nullptr, limits).refused() == whole);
  return whole;
}

const std::string kHead = "POST /events HTTP/1.1\r\nHost: localhost\r\n";

}  // namespace

TEST_CASE("a request is the same however its bytes come", "[http]") {
  const std::string bytes =
      "POST /a%20b/c?x=%20 HTTP/1.1\r\nHost: localhost:8080\r\nContent-TYPE:  application/json \r\nContent-Length: "
      "7\r\n\r\n{\"a\":1}GET / HTTP/1.1\r\n";
  for (const size_t step : {size_t(1), size_t(2), size_t(3), size_t(7), size_t(64), bytes.size()}) {
    std::string left;
    const RequestParser parser = fed(bytes, step, &left);
    REQUIRE(parser.done());
    const Request& r = parser.request();
    CHECK(r.method == "POST");
    CHECK(r.path == "/a b/c");
    CHECK(r.query == "x=%20");
    CHECK(r.field("content-type") == "application/json");
    CHECK(r.body == "{\"a\":1}");
    CHECK(r.keep_alive);
    CHECK(left == "GET / HTTP/1.1\r\n");
  }
}

TEST_CASE("chunks are joined, and what follows them is the next request", "[http]") {
  const std::string bytes =
      kHead + "Transfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nGET";
  for (const size_t step : {size_t(1), size_t(5), bytes.size()}) {
    std::string left;
    const RequestParser parser = fed(bytes, step, &left);
    REQUIRE(parser.done());
    CHECK(parser.request().body == "abc0123456789");
    CHECK(left == "GET");
  }
}

TEST_CASE("a connection stays open unless one side closes it", "[http]") {
  CHECK(fed("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 99).request().keep_alive);
  CHECK_FALSE(fed("GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", 99).request().keep_alive);
  CHECK_FALSE(fed("GET / HTTP/1.0\r\n\r\n", 99).request().keep_alive);
}

TEST_CASE("Expect: 100-continue is answered before the body", "[http]") {
  RequestParser parser{Limits{}};
  CHECK(parser.take(kHead + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") > 0);
  CHECK(parser.wants_continue());
  parser.take("{}");
  CHECK_FALSE(parser.wants_continue());
  CHECK(parser.done());
}

TEST_CASE("what two programs could read differently is refused", "[http]") {
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);                                   // no host
  CHECK(status_of("GET / HTTP/1.1\nHost: x\n\n") == 400);                              // no carriage returns
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n") == 400);             // two hosts
  CHECK(status_of(kHead + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na") == 400);  // two lengths
  CHECK(status_of(kHead + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);  // both
  CHECK(status_of(kHead + "Content-Length: +1\r\n\r\na") == 400);
  CHECK(status_of(kHead + "Content-Length: 0x1\r\n\r\na") == 400);
  CHECK(status_of(kHead + "Content-Length: \r\n\r\na") == 400);
  CHECK(status_of(kHead + "Content-Length: 99999999999999999999999999\r\n\r\na") == 413);
  CHECK(status_of(kHead + "Transfer-Encoding: gzip, chunked\r\n\r\n") == 501);
  CHECK(status_of(kHead + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n") == 413);
  CHECK(status_of(kHead + "Transfer-Encoding: chunked\r\n\r\n-1\r\n") == 400);
  CHECK(status_of(kHead + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n") == 400);
  CHECK(status_of(kHead + "X : y\r\n\r\n") == 400);    // a space before the colon
  CHECK(status_of(kHead + " folded\r\n\r\n") == 400);  // a folded line
  CHECK(status_of(kHead + "X: a\rb\r\n\r\n") == 400);
  CHECK(status_of(kHead + std::string("X: a\0b\r\n\r\n", 10)) == 400);
  CHECK(status_of("GET /\r\n\r\n") == 400);
  CHECK(status_of("GET http://x/ HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /%0 HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET /%00 HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/2.0\r\n\r\n") == 505);
  CHECK(status_of("G\x80T / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of(kHead + "Expect: a miracle\r\n\r\n") == 417);
}

TEST_CASE("nothing of a request is kept without a bound", "[http]") {
  const Limits small{.head_bytes = 200, .fields = 3, .body_bytes = 10};
  CHECK(status_of("GET /" + std::string(300, 'a'), small) == 414);
  CHECK(status_of(std::string("GET / HTTP/1.1\r\nHost: x\r\nA: ") + std::string(300, 'a'), small) == 431);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", small) == 431);
  CHECK(status_of(kHead + "Content-Length: 11\r\n\r\n", small) == 413);
  CHECK(status_of(kHead + "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n", small) == 413);
  CHECK(status_of(kHead + "Transfer-Encoding: chunked\r\n\r\n" + std::string(2000, '0'), small) == 400);
  CHECK(status_of(kHead + "Content-Length: 10\r\n\r\n0123456789", small) == 0);
}
