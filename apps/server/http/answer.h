// answer.h -- an HTTP answer, whole or in pieces that come while the client reads.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace puna::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Answer {
  int status = 200;
  std::string body, type = "application/json";
  Fields fields = {};  // besides content-type, content-length and connection
};

// Why a request is not answered: the status that HTTP gives it, and a sentence.
struct Refused {
  int status = 403;
  std::string message;
};
// {"error": why}: whatever bytes `why` holds.
Answer refusal(int status, const std::string& why);
inline Answer refusal(const Refused& refused) { return refusal(refused.status, refused.message); }

// The bytes of an answer as HTTP/1.1 writes it.
std::string as_text(const Answer& answer, bool keep_alive, bool without_body);
// The head of one that comes in pieces: in chunks, or (HTTP/1.0) until the connection closes.
std::string stream_head(const Answer& head, bool keep_alive, bool chunked);

class ReplyState;

// One request's answer, for the handler and whoever it gives this to: any thread, and for as long as they like. The
// last copy that goes without an answer, or within one that came in pieces, makes it a 500, or a connection that
// closes in the middle: a client never waits for nothing.
class Reply {
 public:
  explicit Reply(std::shared_ptr<ReplyState> state);
  // These return false when nobody reads any more: the client has gone, reads too slowly, or the time is over.
  bool send(const Answer& whole) const;
  // In pieces: `head` has no body. `ping`: sent when nothing else was for some seconds, so that proxies stay awake.
  bool begin(const Answer& head, std::string ping = "") const;
  bool write(std::string_view piece) const;
  void end() const;
  bool gone() const noexcept;
  // Called once, by the thread that polls, when the client has gone before the end; at once if it has. It must not
  // block. Another call replaces the function.
  void on_gone(std::function<void()> call) const;

 private:
  struct Last;
  std::shared_ptr<Last> last_;
};

}  // namespace puna::http
