// http.h -- an HTTP server while one of these lives: JSON in, JSON out, and a folder of files beside it. By cpp-httplib, in a module that is loaded.
#pragma once
#include <functional>
#include <string>
#include <string_view>

namespace puna::cli {

struct HttpAnswer {
  int status = 200;
  std::string json;
};

class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(std::string_view method, std::string_view path, std::string_view body)>;  // any thread, several at once

  // page: a folder, or "". Error{unsupported} where the module is not built, {io} when nobody can listen at host:port (0: any free port).
  HttpServer(const std::string& host, int port, const std::string& page, Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  int port() const noexcept { return port_; }

 private:
  struct Module;
  Handler handler_;
  const Module* module_ = nullptr;
  void* server_ = nullptr;
  int port_ = 0;
};

}  // namespace puna::cli
