// fuzz_serve_request.cpp -- any bytes as the body of a request, of the endpoint that the first one says: a request
// whose values are within the limits, or an ApiError of the caller's.
#include <cstdlib>
#include <string>

#include "convert.h"
#include "target.h"

namespace {

using namespace puna::serve;

void read(int endpoint, const std::string& body, const RequestLimits& limits) {
  puna::OrderedJson json = parse_body(body);
  const puna::JsonGuard guard(json);
  const auto check = [&](const Sampling& s) {
    const bool ok = s.n >= 1 && s.n <= int(limits.answers) && s.stop.size() <= limits.stops && s.top_logprobs <= 20 &&
                    s.sampler.temperature >= 0 && s.sampler.temperature <= 2 &&
                    s.sampler.logit_bias.size() <= limits.biased;
    if (!ok) abort();
  };
  switch (endpoint) {
    case 0: return check(read_chat(json, limits).sampling);
    case 1: return check(read_completion(json, limits).sampling);
    case 2: return (void)read_embedding(json, limits);
    case 3: return check(read_responses(json, limits).chat.sampling);
    default: return check(read_messages(json, limits, endpoint == 4).sampling);
  }
}

}  // namespace

FUZZ_TARGET(serve_request) {
  if (size == 0) return 0;
  try {
    read(data[0] % 6, std::string(reinterpret_cast<const char*>(data) + 1, size - 1), RequestLimits());
    puna::test::accepted = true;
  } catch (const ApiError& e) {
    if (e.status != 400 || e.message.empty()) abort();  // a 500
  }
  return 0;
}
