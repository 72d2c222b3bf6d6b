// fuzz_event.cpp -- any bytes as the body of POST /events or, as the first one says, POST /rank: an Error, or what is
// logged can be learned and what is ranked are the candidates that were asked about.
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "feed/feed.h"
#include "puna/base/error.h"
#include "puna/runtime/model.h"
#include "target.h"

namespace {

using namespace puna;

// A log in memory.
class Kept final : public recsys::EventLog {
 public:
  int64_t append(std::span<const recsys::LoggedEvent> events, int64_t* repeated) override {
    if (repeated) *repeated = 0;
    if (events_.size() > 10000) events_.clear(), gone_ = true;
    events_.insert(events_.end(), events.begin(), events.end());
    return int64_t(events_.size());
  }
  int64_t read(std::vector<recsys::LoggedEvent>& to, int64_t after, int64_t most) override {
    const int64_t count = gone_ ? 0 : std::min<int64_t>(most, int64_t(events_.size()) - after);
    to.insert(to.end(), events_.begin() + after, events_.begin() + after + std::max<int64_t>(count, 0));
    return std::max<int64_t>(count, 0);
  }
  int64_t last() override { return int64_t(events_.size()); }

 private:
  std::vector<recsys::LoggedEvent> events_;
  bool gone_ = false;
};

struct Served {
  std::string folder = (std::filesystem::temp_directory_path() / "puna_fuzz_event_XXXXXX").string();
  recsys::OnlineLearner learner;
  cli::Feed feed{learner};

  static recsys::OnlineLearner begin(std::string& folder) {
    if (!mkdtemp(folder.data())) std::abort();
    constexpr std::string_view kConfig =
        R"({"surfaces": ["a", "b"], "tasks": [{"name": "click"}, {"name": "watched", "kind": "fraction"}],
      "features": [{"name": "user", "rows": 64, "hashed": true}, {"name": "genre", "rows": 19}], "numbers": ["age"], "hidden": [8], "dim": 4})";
    ContextOptions options;
    options.threads = 1;
    recsys::OnlineOptions online;
    online.checkpoint_every = INT64_MAX;
    return {recsys::Ranker::create(make_context(options), recsys::ranker_config(kConfig), 1), std::make_shared<Kept>(),
            folder, online};
  }
  Served() : learner(begin(folder)) {}
  ~Served() { std::filesystem::remove_all(folder); }
};

}  // namespace

FUZZ_TARGET(event) {
  static Served served;
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 2 == 0) {
      served.feed.take(body);
      served.learner.learn(16);
    } else {
      served.feed.rank(body);
    }
    test::accepted = true;
  } catch (const Error& e) {
    if (e.status() != Status::invalid_argument && e.status() != Status::bad_file) std::abort();  // a 500
  }
  return 0;
}
