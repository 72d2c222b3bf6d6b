// http_client.h -- a client of one HTTP/1.1 server: one connection, one request after the other, answers as they come.
// Plain HTTP: TLS is for proxies, as it is for our server. POSIX alone.
#pragma once
#include <string>
#include <string_view>

#include "puna/base/function_ref.h"

namespace puna::cli {

struct ServerUrl {
  std::string host;
  int port = 80;
  std::string path;  // what stands before "/v1/..."; "" or "/prefix"
  // "http://host:port[/prefix][/v1]". Error{invalid_argument} says what is wrong with it.
  static ServerUrl parse(const std::string& url);
};

class HttpClient {
 public:
  // `patience`: seconds without a byte after which a request is given up. `key`: sent as Bearer; "" = none.
  HttpClient(ServerUrl url, double patience, std::string key);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The status. `on_body` gets the body in pieces, without its framing; false gives the request up (and the connection).
  // Error{io}: no connection, a broken answer, a server that went or stays silent.
  int ask(const char* method, const std::string& path, const std::string& body,
          FunctionRef<bool(std::string_view)> on_body);

 private:
  void connect();
  void close() noexcept;
  bool send(std::string_view bytes);
  bool receive();  // more into input_; false: the server has closed
  int read_answer(FunctionRef<bool(std::string_view)> on_body, bool& began);
  std::string_view line();

  const ServerUrl url_;
  const double patience_;
  const std::string key_;
  int fd_ = -1;
  std::string input_;
  size_t at_ = 0;  // of input_, read so far
};

}  // namespace puna::cli
