#include "puna/recsys/online_learner.h"

#include <algorithm>
#include <cmath>

#include "base/file_lock.h"
#include "base/json.h"
#include "base/json_field.h"
#include "base/json_out.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "recsys/ranking/rows.h"

namespace puna::recsys {
namespace {

constexpr const char* kOnlineFormat = "online ranker 1";
constexpr uint64_t kMostState = 1 << 20;
constexpr int64_t kAtOnce = 512;  // events in memory
constexpr double kLeast = 0x1p-24;

const OnlineOptions& checked(const OnlineOptions& o) {
  PUNA_REQUIRE(o.publish_every >= 1, "publish_every is %jd, expected at least 1", o.publish_every);
  PUNA_REQUIRE(o.checkpoint_every >= 1, "checkpoint_every is %jd, expected at least 1", o.checkpoint_every);
  PUNA_REQUIRE(o.memory >= 1 && o.memory <= 1e12, "memory is %g, expected 1 to 1e12", o.memory);
  return o;
}

std::shared_ptr<EventLog> required(std::shared_ptr<EventLog> log) {
  PUNA_REQUIRE(log != nullptr, "the log is NULL");
  return log;
}

// Event `number` of an append, as far as RankerRows does not check it. What is let in here, learn() learns.
void check_logged(const RankerConfig& c, const LoggedEvent& e, size_t number) {
  PUNA_REQUIRE(e.weight > 0 && e.weight <= 1e6f, "event %zu: 'weight' is %g, expected above 0, up to 1e6", number,
               double(e.weight));
  PUNA_REQUIRE(e.values.size() == c.tasks.size(), "event %zu: %zu outcomes, expected one for each of %zu tasks", number,
               e.values.size(), c.tasks.size());
  for (size_t t = 0; t < c.tasks.size(); ++t) {
    const double y = double(e.values[t]);
    PUNA_REQUIRE((e.known >> t & 1u) == 0 || (y >= 0 && y <= 1), "event %zu: outcome '%s' is %g, expected 0 to 1",
                 number, c.tasks[t].name.c_str(), y);
  }
}

std::string json_of(const std::vector<PrequentialScore>& scores) {
  JsonList all;
  for (const PrequentialScore& s : scores)
    all.add(JsonList().add(json_real(s.events)).add(json_real(s.loss)).add(json_real(s.positives)).str());
  return all.str();
}

double number_of(const text::JsonField& field) {
  if (!field.json().is_number()) field.expected("a number");
  return field.json().get<double>();
}

std::vector<PrequentialScore> scores_of(const text::JsonField& list, size_t tasks) {
  if (!list.is_array() || list.size() != tasks)
    list.expected(("a list of the scores of " + std::to_string(tasks) + " tasks").c_str());
  std::vector<PrequentialScore> scores;
  for (size_t i = 0; i < tasks; ++i) {
    const text::JsonField s = list[i];
    if (!s.is_array() || s.size() != 3) s.expected("three numbers");
    scores.push_back({number_of(s[size_t(0)]), number_of(s[1]), number_of(s[2])});
  }
  return scores;
}

}  // namespace

double PrequentialScore::ne() const noexcept {
  const double p = base_rate();
  return mean_loss() / -(p * std::log(p) + (1 - p) * std::log1p(-p));
}

void PrequentialScore::add(double probability, double outcome, double keep) noexcept {
  const double p = std::clamp(probability, kLeast, 1 - kLeast);
  events = events * keep + 1;
  positives = positives * keep + outcome;
  loss = loss * keep - outcome * std::log(p) - (1 - outcome) * std::log1p(-p);
}

OnlineLearner::OnlineLearner(std::shared_ptr<Ranker> ranker, std::shared_ptr<EventLog> log, std::string folder,
                             const OnlineOptions& options)
    : log_(required(std::move(log))),
      folder_(std::move(folder)),
      options_(checked(options)),
      trainer_(std::move(ranker), options.trainer),
      one_(trainer_.ranker()->config()) {
  const size_t tasks = trainer_.ranker()->config().tasks.size();
  report_.all.resize(tasks);
  report_.recent.resize(tasks);
  os::make_folder(folder_);
  lock_ = std::make_shared<FileLock>(folder_ + "/lock", folder_);
  const std::string state = folder_ + "/state.json";
  if (os::is_file(state))
    resume(state);
  else
    checkpoint();
  const int64_t logged = log_->last();
  PUNA_REQUIRE(report_.learned <= logged, "%s has learned %jd events, the log has %jd: they do not belong together",
               folder_.c_str(), report_.learned, logged);
  publish();
}

int64_t OnlineLearner::append(std::span<const LoggedEvent> events, int64_t* repeated) {
  const RankerConfig& c = trainer_.ranker()->config();
  ExampleSet set(c);
  for (size_t i = 0; i < events.size(); ++i) {
    check_logged(c, events[i], i);
    set.add(events[i]);
  }
  const RankerRows checked(c, set.examples());
  return log_->append(events, repeated);
}

int64_t OnlineLearner::learn(int64_t most, FunctionRef<bool()> should_stop) {
  PUNA_REQUIRE(most >= 0, "most is %jd, expected at least 0", most);
  std::vector<LoggedEvent> events;
  for (int64_t done = 0;;) {
    events.clear();
    const int64_t got = log_->read(events, report_.learned, std::min(kAtOnce, most - done));
    if (got == 0) return done;
    for (const LoggedEvent& e : events) {
      if (should_stop && should_stop()) return done;
      learn_one(e);
      ++done;
      if (report_.learned % options_.publish_every == 0) publish();
      if (report_.learned % options_.checkpoint_every == 0) checkpoint();
    }
  }
}

void OnlineLearner::learn_one(const LoggedEvent& e) {
  const size_t tasks = report_.all.size();
  one_.clear();
  std::vector<float> predicted(tasks);
  try {
    one_.add(e);
    trainer_.learn(one_.examples(), one_.outcomes(), predicted.data());
  } catch (const Error& error) {
    if (error.status() != Status::invalid_argument) throw;
    // append() lets none in
    fail(Status::bad_file, "the log's event %jd: %.300s", report_.learned + 1, error.what());
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  ++report_.learned;
  for (size_t t = 0; t < tasks; ++t) {
    if ((e.known >> t & 1u) == 0) continue;
    report_.all[t].add(double(predicted[t]), double(e.values[t]), 1);
    report_.recent[t].add(double(predicted[t]), double(e.values[t]), 1 - 1 / options_.memory);
  }
}

void OnlineLearner::publish() {
  std::shared_ptr<const Ranker> snapshot = trainer_.ranker()->copy(options_.served);
  const std::lock_guard<std::mutex> lock(mutex_);
  serving_.swap(snapshot);  // the one before may be freed behind the lock
  report_.published = report_.learned;
}

std::shared_ptr<const Ranker> OnlineLearner::serving() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return serving_;
}

int64_t OnlineLearner::published() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return report_.published;
}

OnlineReport OnlineLearner::report() const {
  const int64_t logged = log_->last();
  const std::lock_guard<std::mutex> lock(mutex_);
  OnlineReport r = report_;
  r.logged = std::max(logged, r.learned);
  return r;
}

// ---- checkpoints: two files alternate, and the state, replaced in one step, says which of them counts ----

void OnlineLearner::checkpoint() {
  const std::string file =
      checkpoint_ == "checkpoint-0.safetensors" ? "checkpoint-1.safetensors" : "checkpoint-0.safetensors";
  trainer_.save(folder_ + "/" + file);
  const std::string state = JsonObject()
                                .json("all", json_of(report_.all))
                                .text("checkpoint", file)
                                .integer("learned", report_.learned)
                                .text("puna", kOnlineFormat)
                                .json("recent", json_of(report_.recent))
                                .str();
  os::AtomicFile out(folder_ + "/state.json");
  out.write(state.data(), state.size());
  out.commit();
  checkpoint_ = file;
}

void OnlineLearner::resume(const std::string& path) {
  const std::string text = os::read_file(path, kMostState);
  OnlineReport report;
  Json tree = parse_json(text, path.c_str());
  const JsonGuard guard(tree);
  const text::JsonField state(tree, path + ": ");
  if (!state.is_object() || state["puna"].string("") != kOnlineFormat)
    fail(Status::bad_file, "%s is no online state of this version", path.c_str());
  report.learned = state["learned"].integer(0, INT64_MAX);
  report.all = scores_of(state["all"], report_.all.size());
  report.recent = scores_of(state["recent"], report_.all.size());
  const std::string file = state["checkpoint"].string();
  if (file != "checkpoint-0.safetensors" && file != "checkpoint-1.safetensors")
    fail(Status::bad_file, "%s names no checkpoint", path.c_str());
  trainer_.resume(folder_ + "/" + file);
  if (trainer_.steps() != report.learned)
    fail(Status::bad_file, "%s has learned %jd events, its checkpoint %jd", path.c_str(), report.learned,
         trainer_.steps());
  checkpoint_ = file;
  report_ = report;
}

}  // namespace puna::recsys
