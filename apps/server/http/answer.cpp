#include "answer.h"

#include "base/json.h"
#include "reply_state.h"

namespace puna::http {
namespace {

const char* reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return status < 500 ? "Refused" : "Internal Server Error";
  }
}

std::string head_text(const Answer& a, const std::string& length, bool keep_alive) {
  std::string out = "HTTP/1.1 " + std::to_string(a.status) + " " + reason(a.status) + "\r\n";
  if (!a.type.empty()) out += "Content-Type: " + a.type + "\r\n";
  out += length + "X-Content-Type-Options: nosniff\r\n";
  for (const auto& [name, value] : a.fields) out += name + ": " + value + "\r\n";
  return out + "Connection: " + (keep_alive ? "keep-alive" : "close") + "\r\n\r\n";
}

}  // namespace

Answer refusal(int status, const std::string& why) {
  return {status, "{\"error\": " + Json(why).dump(-1, ' ', false, Json::error_handler_t::replace) + "}"};
}

std::string as_text(const Answer& a, bool keep_alive, bool without_body) {
  const std::string length = a.status == 204 ? "" : "Content-Length: " + std::to_string(a.body.size()) + "\r\n";
  return head_text(a, length, keep_alive) + (without_body ? std::string() : a.body);
}

std::string stream_head(const Answer& head, bool keep_alive, bool chunked) {
  return head_text(head, chunked ? "Transfer-Encoding: chunked\r\n" : "", keep_alive && chunked);
}

struct Reply::Last {
  explicit Last(std::shared_ptr<ReplyState> s) : state(std::move(s)) {}
  ~Last() { state->abandon(); }
  std::shared_ptr<ReplyState> state;
};

Reply::Reply(std::shared_ptr<ReplyState> state) : last_(std::make_shared<Last>(std::move(state))) {}
bool Reply::send(const Answer& whole) const { return last_->state->send(whole); }
bool Reply::begin(const Answer& head, std::string ping) const { return last_->state->begin(head, std::move(ping)); }
bool Reply::write(std::string_view piece) const { return last_->state->write(piece); }
void Reply::end() const { last_->state->end(); }
bool Reply::gone() const noexcept { return last_->state->gone(); }
void Reply::on_gone(std::function<void()> call) const { last_->state->on_gone(std::move(call)); }

}  // namespace puna::http
