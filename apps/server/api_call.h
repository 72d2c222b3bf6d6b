// api_call.h -- one request on its way through an endpoint. Private to the files of Api.
#pragma once
#include <chrono>

#include "api.h"
#include "base/json.h"
#include "json_out.h"
#include "prepare.h"
#include "puna/base/watch.h"
#include "sinks.h"

namespace puna::serve {

// Counts a key's requests at once.
class Api::Slot {
 public:
  Slot(Api& api, std::string key) : api_(api), key_(std::move(key)) {}
  ~Slot() {
    const std::lock_guard<std::mutex> lock(api_.mutex_);
    if (--api_.busy_[key_] <= 0) api_.busy_.erase(key_);
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 private:
  Api& api_;
  const std::string key_;
};

struct Api::Call {
  const http::Request& request;
  const http::Reply& reply;
  Dialect dialect = Dialect::openai;
  std::string id = {};        // x-request-id
  const Key* key = nullptr;   // NULL: no keys are asked for
  std::string key_name = {};  // for fairness: the key's, "" without keys
  std::string endpoint = {};  // as it is counted
  std::shared_ptr<Slot> slot = {};
  std::chrono::steady_clock::time_point start = {};
  http::Fields fields = {};  // of the answer
  std::string model = {};    // that it asks for, once known

  template <class Read>
  auto read(Read&& read) const {
    return read_body(request.body, read);
  }
};

}  // namespace puna::serve
