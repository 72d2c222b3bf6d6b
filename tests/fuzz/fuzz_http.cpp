// fuzz_http.cpp -- any bytes as a connection: requests, or a status and a sentence; the same however the bytes are cut.
#include <cstdlib>
#include <string_view>

#include "http/request.h"
#include "target.h"

using puna::http::RequestParser;

namespace {

struct Outcome {
  size_t used = 0;
  int requests = 0, refused = 0;
  size_t body = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome read_all(std::string_view bytes, size_t step) {
  const puna::http::Limits limits{.head_bytes = 4096, .fields = 20, .body_bytes = 1 << 16};
  Outcome o;
  for (;;) {
    RequestParser parser(limits);
    while (o.used < bytes.size() && !parser.done() && !parser.refused()) {
      const std::string_view piece = bytes.substr(o.used, step);
      const size_t taken = parser.take(piece);
      if (taken > piece.size() || (taken < piece.size() && !parser.done() && !parser.refused())) abort();
      o.used += taken;
    }
    o.body += parser.request().body.size();
    if (parser.request().body.size() > limits.body_bytes || parser.request().fields.size() > limits.fields) abort();
    o.refused = parser.refused();
    if (!parser.done()) return o;
    ++o.requests;
  }
}

}  // namespace

FUZZ_TARGET(http) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read_all(bytes, size + 1);
  Outcome cut = read_all(bytes, 1);
  if (whole.refused) {  // how much of it was read before may differ
    cut.used = whole.used;
    cut.body = whole.body;
  }
  if (!(whole == cut)) abort();
  puna::test::accepted = whole.requests > 0 && !whole.refused;
  return 0;
}
