// serve_page.h -- a page's server until a signal ends it: what label serve and ads serve share.
#pragma once
#include <chrono>
#include <string>
#include <thread>

#include "http/access.h"
#include "http/server.h"
#include "interrupt.h"
#include "output.h"
#include "page/front.h"

namespace puna::cli {

inline pages::Reach reach_of(const std::string& host) { return {host, http::is_loopback(host)}; }

// "http://127.0.0.1:8081" on a line of its own. An IPv6 address stands in brackets.
inline void print_address(const std::string& host, int port) {
  print_format("http://%s:%d\n", (host.find(':') == host.npos ? host : "[" + host + "]").c_str(), port);
}

// Api: quick() and answer() of a request. `interrupt` was made before the API.
template <class Api>
void serve_page(Api& api, const std::string& host, int port, size_t body_bytes, const Interrupt& interrupt) {
  http::ServerOptions options;
  options.host = host;
  options.port = port;
  options.limits.body_bytes = body_bytes;
  options.quick = [&](const http::Request& r) { return api.quick(r); };
  const http::Server server(options, [&](const http::Request& r) { return api.answer(r); });
  print_address(host, server.port());
  while (!interrupt.requested()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

}  // namespace puna::cli
