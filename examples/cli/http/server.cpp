// server.cpp -- libpuna_http.so: cpp-httplib behind two functions, so that `puna` itself needs none of its libraries.
#include <httplib.h>

#include <string>
#include <thread>

#include "module.h"

struct PunaHttpServer {
  httplib::Server server;
  std::thread thread;
};

namespace {

constexpr size_t kMostBody = 16 << 20;

void answer(const PunaHttpOptions& o, const httplib::Request& request, const std::string& body, httplib::Response& response) {
  std::string json;
  response.status = o.handle(
      o.user, request.method.c_str(), request.path.c_str(), body.data(), body.size(),
      [](void* to, const char* text, size_t size) { static_cast<std::string*>(to)->assign(text, size); }, &json);
  response.set_content(json, "application/json");
}

}  // namespace

__attribute__((visibility("default"))) PunaHttpServer* puna_http_open(const PunaHttpOptions* options, int* port) {
  auto made = std::make_unique<PunaHttpServer>();
  httplib::Server& s = made->server;
  const PunaHttpOptions o = *options;
  s.set_payload_max_length(kMostBody);
  s.set_read_timeout(10);
  s.set_keep_alive_timeout(2);  // how long close() may have to wait for somebody who says nothing
  s.set_tcp_nodelay(true);
  if (o.page && !s.set_mount_point("/", o.page)) return nullptr;
  s.Get("/.*", [o](const httplib::Request& request, httplib::Response& response) { answer(o, request, {}, response); });
  // Read piece by piece: a body that calls itself a form, as curl's do, would otherwise be taken for one, of 8 kB at most.
  s.Post("/.*", [o](const httplib::Request& request, httplib::Response& response, const httplib::ContentReader& read) {
    std::string body;
    const bool whole = read([&](const char* data, size_t size) {
      body.append(data, size);
      return body.size() <= kMostBody;
    });
    if (whole) answer(o, request, body, response);
    else response.status = 413;
  });
  *port = o.port == 0 ? s.bind_to_any_port(o.host) : s.bind_to_port(o.host, o.port) ? o.port : -1;
  if (*port < 0) return nullptr;
  made->thread = std::thread([&s] { s.listen_after_bind(); });
  return made.release();
}

__attribute__((visibility("default"))) void puna_http_close(PunaHttpServer* server) {
  server->server.stop();
  server->thread.join();
  delete server;
}
