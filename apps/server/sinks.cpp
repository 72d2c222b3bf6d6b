// sinks.cpp -- how every protocol's answers begin as a stream, and end in an error.
#include "sinks.h"

namespace puna::serve {

void begin_stream(const http::Reply& reply, const AnswerHead& head, const char* ping) {
  http::Answer a{200, "", "text/event-stream"};
  a.fields = head.fields;
  a.fields.emplace_back("Cache-Control", "no-cache");
  reply.begin(a, ping);
}

void send_error(const http::Reply& reply, const AnswerHead& head, const ApiError& e, Dialect dialect) {
  http::Answer a = error_answer(e, dialect);
  a.fields.insert(a.fields.end(), head.fields.begin(), head.fields.end());
  reply.send(a);
}

}  // namespace puna::serve
