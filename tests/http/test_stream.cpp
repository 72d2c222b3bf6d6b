// Answers in pieces: they arrive as they are written, and whoever leaves or does not read costs nobody else anything.
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "http/server.h"
#include "support/catch.h"

using namespace puna::http;
using puna::test::Client;
using Clock = std::chrono::steady_clock;

namespace {

const Answer kEvents{200, "", "text/event-stream"};
const std::string kGet = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool wait_for(const std::atomic<bool>& flag, double limit) {
  for (const auto start = Clock::now(); seconds_since(start) < limit;) {
    if (flag) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return flag;
}

// Keeps the replies that it is given, as a scheduler does.
struct Kept {
  void operator()(const Request&, const Reply& reply) {
    const std::lock_guard<std::mutex> lock(mutex);
    replies.push_back(reply);
  }
  Reply wait(size_t index = 0) {
    for (;;) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        if (replies.size() > index) return replies[index];
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void drop() {
    const std::lock_guard<std::mutex> lock(mutex);
    replies.clear();
  }
  std::mutex mutex;
  std::vector<Reply> replies;
};

}  // namespace

TEST_CASE("pieces arrive as they are written, and the connection serves the next request", "[http]") {
  Kept kept;
  const Server server({}, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send(kGet);
  const Reply reply = kept.wait();
  REQUIRE(reply.begin(kEvents));
  CHECK(c.receive("\r\n\r\n").find("Transfer-Encoding: chunked") != std::string::npos);
  REQUIRE(reply.write("data: one\n\n"));
  CHECK(c.receive("\n\n\r\n") == "b\r\ndata: one\n\n\r\n");
  REQUIRE(reply.write("data: two\n\n"));
  reply.end();
  CHECK(c.receive("0\r\n\r\n") == "b\r\ndata: two\n\n\r\n0\r\n\r\n");
  CHECK_FALSE(reply.write("too late"));
  c.send(kGet);
  REQUIRE(kept.wait(1).send({200, "whole", "text/plain"}));
  CHECK(c.receive("whole").find("HTTP/1.1 200 OK") == 0);
}

TEST_CASE("a client of HTTP/1.0 gets pieces until the connection closes", "[http]") {
  Kept kept;
  const Server server({}, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send("GET /x HTTP/1.0\r\n\r\n");
  const Reply reply = kept.wait();
  reply.begin(kEvents);
  reply.write("a");
  reply.write("b");
  reply.end();
  const std::string all = c.receive();
  CHECK(all.find("chunked") == all.npos);
  CHECK(all.substr(all.find("\r\n\r\n") + 4) == "ab");
}

TEST_CASE("a client that leaves is noticed within 100 ms, before and within its answer", "[http]") {
  Kept kept;
  const Server server({}, Server::Handler(std::ref(kept)));
  for (const bool streaming : {false, true}) {
    const size_t index = kept.replies.size();
    Client c(server.port());
    c.send(kGet + kGet);  // what is pipelined behind hides nothing
    const Reply reply = kept.wait(index);
    if (streaming) {
      reply.begin(kEvents);
      reply.write("x");
      c.receive("x\r\n");
    }
    std::atomic<bool> told = false;
    reply.on_gone([&] { told = true; });
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    CHECK_FALSE(told);
    c.close();
    CHECK(wait_for(told, 0.1));
    CHECK(reply.gone());
    CHECK_FALSE(reply.write("y"));
    std::atomic<bool> late = false;
    reply.on_gone([&] { late = true; });
    CHECK(late);
  }
}

TEST_CASE("a reader that does not read is given up when too much waits for it", "[http]") {
  ServerOptions options;
  options.unread_bytes = 1 << 20;
  Kept kept;
  const Server server(options, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send(kGet);
  const Reply reply = kept.wait();
  reply.begin(kEvents);
  std::atomic<bool> told = false;
  reply.on_gone([&] { told = true; });
  const std::string piece(64 << 10, 'x');
  size_t written = 0;  // the sockets' own buffers take some megabytes
  while (written < (64 << 20) && reply.write(piece)) written += piece.size();
  CHECK(written < (64 << 20));
  CHECK(wait_for(told, 1));
}

TEST_CASE("a slow reader that reads gets everything", "[http]") {
  Kept kept;
  const Server server({}, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send(kGet);
  const Reply reply = kept.wait();
  reply.begin(kEvents);
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      reply.write(std::string(10000, 'x'));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    reply.end();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const std::string all = c.receive("\r\n0\r\n\r\n");
  writer.join();
  CHECK(std::count(all.begin() + ptrdiff_t(all.find("\r\n\r\n")), all.end(), 'x') == 2000000);
}

TEST_CASE("a quiet stream sends its ping, in whole chunks", "[http]") {
  ServerOptions options;
  options.ping_seconds = 0.1;
  Kept kept;
  const Server server(options, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send(kGet);
  const Reply reply = kept.wait();
  reply.begin(kEvents, ": ping\n\n");
  CHECK(c.receive(": ping\n\n\r\n8\r\n: ping\n\n\r\n").find("8\r\n: ping") != std::string::npos);
}

TEST_CASE("a reply that is dropped is a 500, or a stream that breaks off", "[http]") {
  Kept kept;
  const Server server({}, Server::Handler(std::ref(kept)));
  Client whole(server.port()), pieces(server.port());
  whole.send(kGet);
  kept.wait(0);
  pieces.send(kGet);
  kept.wait(1).begin(kEvents);
  const std::string head = pieces.receive("\r\n\r\n");
  kept.drop();
  CHECK(whole.receive("answer").find("500") != std::string::npos);
  CHECK(head.find("200") != head.npos);
  CHECK(pieces.receive().empty());  // without the last chunk
}

TEST_CASE("an answer that takes too long is a 504, and its maker is told", "[http]") {
  ServerOptions options;
  options.answer_seconds = 0.2;
  Kept kept;
  const Server server(options, Server::Handler(std::ref(kept)));
  Client c(server.port());
  c.send(kGet);
  const Reply reply = kept.wait();
  std::atomic<bool> told = false;
  reply.on_gone([&] { told = true; });
  CHECK(c.receive().find("504") != std::string::npos);
  CHECK(told);
}

TEST_CASE("what must be answered is, however busy the handlers are", "[http]") {
  std::atomic<bool> stop = false;
  ServerOptions options;
  options.threads = 2;
  options.quick = [](const Request& r) -> std::optional<Answer> {
    if (r.path != "/health") return {};
    return Answer{200, "well"};
  };
  const Server server(options, Server::Handler([&](const Request&, const Reply& reply) {
                        while (!stop) std::this_thread::sleep_for(std::chrono::milliseconds(1));
                        reply.send({200, "done"});
                      }));
  std::vector<Client> busy;
  for (int i = 0; i < 8; ++i) {
    busy.emplace_back(server.port());
    busy.back().send(kGet);
  }
  Client c(server.port());
  const auto start = Clock::now();
  c.send(
      "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string both = c.receive("Connection: close\r\n\r\nwell");
  CHECK(both.find("200 OK") != both.rfind("200 OK"));
  CHECK(seconds_since(start) < 0.05);
  stop = true;
  for (Client& b : busy) CHECK(b.receive("done").find("200") != std::string::npos);
}

TEST_CASE("a draining server finishes what it has, and takes nothing new", "[http]") {
  Kept kept;
  Server server({}, Server::Handler(std::ref(kept)));
  Client under_way(server.port()), idle(server.port());
  under_way.send(kGet);
  const Reply reply = kept.wait();
  reply.begin(kEvents);
  CHECK_FALSE(server.drain(0.05));
  Client late(server.port());
  late.send(kGet);
  const std::string refused = late.receive();
  CHECK(refused.find("HTTP/1.1 503") == 0);
  CHECK(refused.find("Connection: close") != refused.npos);
  CHECK(idle.receive().empty());
  std::thread finish([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    reply.write("end");
    reply.end();
  });
  CHECK(server.drain(5));
  finish.join();
  CHECK(under_way.receive("0\r\n\r\n").find("end") != std::string::npos);
}

TEST_CASE("a reply outlives its server", "[http]") {
  Kept kept;
  {
    const Server server({}, Server::Handler(std::ref(kept)));
    Client c(server.port());
    c.send(kGet);
    kept.wait();
  }
  CHECK(kept.replies[0].gone());
  CHECK_FALSE(kept.replies[0].send({200, "late"}));
}
