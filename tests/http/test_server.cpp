// The server with real sockets: slow, silent, rude and gone clients cost nobody else anything.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "http/server.h"
#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna::http;
using puna::test::Client;
using Clock = std::chrono::steady_clock;

namespace {

Answer echo(const Request& r) { return {200, r.method + " " + r.path + " " + r.body, "text/plain"}; }

std::string ask(int port, const std::string& path = "/x") {
  Client c(port);
  c.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  return c.receive();
}

}  // namespace

TEST_CASE("requests of one connection are answered one after the other", "[http]") {
  const Server server({}, echo);
  Client c(server.port());
  c.send(
      "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /b HTTP/1.1\r\nHost: x\r\n\r\nHEAD /c "
      "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = c.receive();
  const size_t a = all.find("POST /a hi"), b = all.find("GET /b "), last = all.rfind("HTTP/1.1 200 OK");
  CHECK(a != all.npos);
  CHECK(b != all.npos);
  CHECK(a < b);
  CHECK(last > b);
  CHECK(all.find("HEAD /c") == all.npos);  // no body
}

TEST_CASE("idle and slow connections do not block others", "[http]") {
  ServerOptions options;
  options.connections = 100;
  options.request_seconds = 1.5;
  const Server server(options, echo);
  std::vector<Client> silent, dripping;
  for (int i = 0; i < 60; ++i) silent.emplace_back(server.port());
  for (int i = 0; i < 60; ++i) {  // more than there may be: the oldest give way
    dripping.emplace_back(server.port());
    dripping.back().send("POST /events HTTP/1.1\r\nHost: x\r\nX: ");
  }
  std::atomic<bool> stop = false;
  std::thread drip([&] {
    while (!stop) {
      for (Client& c : dripping) c.send("a");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  for (int i = 0; i < 20; ++i) CHECK(ask(server.port()).find("GET /x") != std::string::npos);
  // A letter every 100 ms does not keep a connection: the limit is on the whole request.
  const std::string said = dripping.back().receive();
  stop = true;
  drip.join();
  CHECK(said.find("408") != std::string::npos);
}

TEST_CASE("a body that is too large is refused with a sentence", "[http]") {
  ServerOptions options;
  options.limits.body_bytes = 100;
  const Server server(options, echo);
  Client c(server.port());
  c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + std::string(50000, 'a'));
  CHECK(c.receive().find("the body is larger than 100 bytes") != std::string::npos);
}

TEST_CASE("large bodies at once are bounded together", "[http]") {
  ServerOptions options;
  options.body_bytes = 300000;
  const Server server(options, echo);
  std::vector<Client> clients;
  const std::string head = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(head + std::string(150000, 'a'));
  }
  int busy = 0;
  for (Client& c : clients) {
    c.send(std::string(50000, 'a'));
    busy += c.receive("\r\n\r\n").find(" 503 ") != std::string::npos;
  }
  CHECK(busy >= 1);
  CHECK(busy < 3);
  CHECK(ask(server.port()).find("200 OK") != std::string::npos);
}

TEST_CASE("a handler that throws is a 500, and the server goes on", "[http]") {
  const Server server({}, [](const Request& r) -> Answer {
    if (r.path == "/bad") throw std::runtime_error("a \xff problem");
    return echo(r);
  });
  CHECK(ask(server.port(), "/bad").find("500 Internal Server Error") != std::string::npos);
  CHECK(ask(server.port(), "/bad").find("problem") != std::string::npos);
  CHECK(ask(server.port()).find("200 OK") != std::string::npos);
}

TEST_CASE("clients that leave while they are answered cost a thread no longer than their answer", "[http]") {
  ServerOptions options;
  options.threads = 2;
  std::atomic<int> answered = 0;
  const Server server(options, [&](const Request& r) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ++answered;
    return echo(r);
  });
  for (int i = 0; i < 40; ++i) {
    Client c(server.port());
    c.send("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  CHECK(ask(server.port()).find("GET /x") != std::string::npos);
  CHECK(answered >= 1);
}

TEST_CASE("a port that is taken, and one that is none, are errors", "[http]") {
  const Server server({}, echo);
  ServerOptions again;
  again.port = server.port();
  CHECK_THROWS_AS(Server(again, echo), puna::Error);
  again.port = 99999;
  CHECK_THROWS_AS(Server(again, echo), puna::Error);
  again.port = 0;
  again.host = "no such host";
  CHECK_THROWS_AS(Server(again, echo), puna::Error);
}
