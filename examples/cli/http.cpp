#include "http.h"

#include "base/json.h"
#include "http/module.h"
#include "puna/base/error.h"

#ifndef _WIN32
#include <dlfcn.h>
#endif

namespace puna::cli {

struct HttpServer::Module {
  decltype(&puna_http_open) open = nullptr;
  decltype(&puna_http_close) close = nullptr;
};

namespace {

HttpAnswer refusal(int status, const char* why) { return {status, "{\"error\": " + quoted(why) + "}"}; }

// What a handler throws becomes an answer: 400 for what the request got wrong, 500 for the rest.
HttpAnswer answered(const HttpServer::Handler& handler, std::string_view method, std::string_view path, std::string_view body) {
  try {
    return handler(method, path, body);
  } catch (const Error& e) {
    return refusal(e.status() == Status::invalid_argument || e.status() == Status::bad_file ? 400 : 500, e.what());
  } catch (const std::exception& e) {
    return refusal(500, e.what());
  }
}

int handle(void* handler, const char* method, const char* path, const char* body, size_t size, void (*answer)(void*, const char*, size_t), void* to) {
  try {
    const HttpAnswer a = answered(*static_cast<const HttpServer::Handler*>(handler), method, path, {body, size});
    answer(to, a.json.data(), a.json.size());
    return a.status;
  } catch (...) {
    return 500;
  }
}

}  // namespace

HttpServer::HttpServer(const std::string& host, int port, const std::string& page, Handler handler) : handler_(std::move(handler)) {
#ifndef _WIN32
  static Module module;
  void* const library = dlopen("libpuna_http.so", RTLD_NOW | RTLD_LOCAL);  // beside the command, by its run path
  if (library) {
    module.open = reinterpret_cast<decltype(module.open)>(dlsym(library, "puna_http_open"));
    module.close = reinterpret_cast<decltype(module.close)>(dlsym(library, "puna_http_close"));
  }
  module_ = &module;
#endif
  if (!module_ || !module_->open || !module_->close) fail(Status::unsupported, "libpuna_http.so is not beside the command: it was built without cpp-httplib (libcpp-httplib-dev)");
  const PunaHttpOptions options{host.c_str(), port, page.empty() ? nullptr : page.c_str(), &handler_, handle};
  server_ = module_->open(&options, &port_);
  if (!server_) fail(Status::io, "nobody can listen at %s:%d%s%s", host.c_str(), port, page.empty() ? "" : ", or there is no folder ", page.c_str());
}

HttpServer::~HttpServer() {
  if (server_) module_->close(static_cast<PunaHttpServer*>(server_));
}

}  // namespace puna::cli
