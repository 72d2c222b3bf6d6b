// request.h -- an HTTP/1.1 request out of the bytes of a connection, piece by piece as they come (RFC 9112). Knows no
// sockets: tests and a fuzzer feed it.
//
//   request line   POST /events HTTP/1.1 CRLF
//   fields         name: value CRLF ..., CRLF
//   body           as many bytes as content-length says, or chunks
//
// Strict where two programs could read a message differently: lines end with CRLF, no folded lines, no space before a
// colon, one host and one content-length, never a length and chunks together. Everything is bounded before it is kept.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace puna::http {

struct Limits {
  size_t head_bytes = 16 << 10;  // request line and fields together, the trailer of a chunked body as well
  size_t fields = 100;
  size_t body_bytes = 16 << 20;
};

struct Request {
  std::string method, path, query;  // path: with its %xx decoded; query: what stands behind '?', as it came
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case, in order
  std::string body;
  bool keep_alive = true, http_1_0 = false;

  std::string_view field(std::string_view lower_case_name) const noexcept;  // "" when it is not there
  bool has(std::string_view lower_case_name) const noexcept;
};

class RequestParser {
 public:
  explicit RequestParser(const Limits& limits) : limits_(limits) {}

  // How many of the bytes belong to this request; the rest is the next one's. After done() or refused() it takes none.
  size_t take(std::string_view bytes);
  bool done() const noexcept { return state_ == State::done; }
  bool started() const noexcept { return head_bytes_ > 0; }
  // "Expect: 100-continue", and nothing of the body has come.
  bool wants_continue() const noexcept {
    return wants_continue_ && request_.body.empty() && (state_ == State::body || state_ == State::chunk_size);
  }
  int refused() const noexcept { return status_; }  // 0, or the status that says why: 400, 413, 414, 417, 431, 501, 505
  const std::string& why() const noexcept { return why_; }
  const Request& request() const noexcept { return request_; }  // complete when done()
  Request take_request() noexcept { return std::move(request_); }

 private:
  enum class State : uint8_t { request_line, fields, body, chunk_size, chunk, chunk_end, trailer, done, refused };

  bool take_line(std::string_view& bytes);  // true: line_ is complete, without its CRLF
  void on_line();
  void on_request_line();
  void on_field();
  void on_head_end();
  void on_chunk_size();
  void refuse(int status, std::string why);

  Limits limits_;
  State state_ = State::request_line;
  Request request_;
  std::string line_;
  size_t head_bytes_ = 0;
  uint64_t left_ = 0;  // bytes of the body, or of the chunk, that are still to come
  bool wants_continue_ = false, http_1_0_ = false;
  int status_ = 0;
  std::string why_;
};

}  // namespace puna::http
