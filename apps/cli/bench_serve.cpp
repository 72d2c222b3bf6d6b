#include "bench_serve.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "common.h"
#include "http_client.h"
#include "interrupt.h"
#include "puna/base/error.h"
#include "quantile.h"

namespace puna::cli {
namespace {

constexpr const char* kWords[] = {"the",   "sea", "was",  "grey",   "and",   "we",    "walked",  "to",    "house",
                                  "where", "her", "old",  "friend", "had",   "been",  "waiting", "since", "morning",
                                  "with",  "a",   "book", "about",  "ships", "which", "nobody",  "could", "read"};

// Every prompt is another one, and the same for every server.
std::string prompt_of(const LoadFlags& f, int client, int request) {
  uint64_t x = f.seed * 0x9e3779b97f4a7c15u + uint64_t(client) * 1000003u + uint64_t(request);
  std::string text;
  for (int64_t i = 0; i < f.prompt; ++i) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    text += (i > 0 ? " " : "") + std::string(kWords[(x >> 33) % std::size(kWords)]);
  }
  return text;
}

std::string body_of(const LoadFlags& f, const std::string& model, int client, int request) {
  const std::string prompt = prompt_of(f, client, request);
  Json body = {{"model", model}, {"max_tokens", f.tokens}, {"temperature", 0}, {"stream", true}};
  if (f.endpoint == "chat")
    body["messages"] = Json::array({{{"role", "user"}, {"content", prompt}}});
  else
    body["prompt"] = prompt;
  return body.dump();
}

// An event stream cut into the data of its events.
class Events {
 public:
  template <class Each>
  void push(std::string_view piece, Each&& each) {
    text_ += piece;
    size_t begin = 0;
    for (size_t end; (end = text_.find('\n', begin)) != text_.npos; begin = end + 1) {
      std::string_view line = std::string_view(text_).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!line.starts_with("data:")) continue;
      line.remove_prefix(5);
      if (line.starts_with(' ')) line.remove_prefix(1);
      each(line);
    }
    text_.erase(0, begin);
  }
  const std::string& rest() const { return text_; }

 private:
  std::string text_;
};

// Whether an event says something of the answer, and not only that it began or ended.
bool says_something(const Json& event, std::string& error) {
  if (event.contains("error")) error = event["error"].dump();
  const auto choices = event.find("choices");
  if (choices == event.end() || !choices->is_array() || choices->empty()) return false;
  const Json& c = (*choices)[0];
  const auto text = [](const Json& of, const char* name) {
    const auto found = of.find(name);
    return found != of.end() && found->is_string() && !found->get_ref<const std::string&>().empty();
  };
  const auto delta = c.find("delta");
  return text(c, "text") || (delta != c.end() && (text(*delta, "content") || delta->contains("tool_calls")));
}

class LoadRun {
 public:
  LoadRun(const LoadFlags& flags, std::string model)
      : f_(flags), url_(ServerUrl::parse(flags.url)), model_(std::move(model)) {}

  LoadResult run(const Interrupt& interrupt) {
    std::vector<std::thread> clients;
    for (int c = 0; c < f_.clients; ++c) clients.emplace_back([this, c] { client(c); });
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const auto wait_until_all = [&](const int& count) {
        while (count < f_.clients) {
          changed_.wait_for(lock, std::chrono::milliseconds(50));
          if (interrupt.requested()) stop_ = true;
        }
      };
      wait_until_all(warm_);
      start_ = seconds_now();
      go_ = true;
      changed_.notify_all();
      wait_until_all(ended_);
    }
    for (std::thread& t : clients) t.join();
    if (interrupt.requested()) fail(Status::cancelled, "stopped");
    result_.model = model_;
    result_.seconds = std::max(last_ - start_, 1e-9);
    result_.first_p50 = quantile(first_, 0.5);
    result_.first_p99 = quantile(first_, 0.99);
    result_.gap_p50 = quantile(gaps_, 0.5);
    result_.gap_p99 = quantile(gaps_, 0.99);
    result_.whole_p50 = quantile(whole_, 0.5);
    result_.whole_p99 = quantile(whole_, 0.99);
    return std::move(result_);
  }

 private:
  // The first request of each is not counted: afterwards connections and the pages of weights are there.
  void client(int number) {
    HttpClient http(url_, f_.patience, f_.key);
    for (int r = 0; r <= f_.requests; ++r) {
      if (r == 1) {
        std::unique_lock<std::mutex> lock(mutex_);
        ++warm_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return go_; });
      }
      if (!stop_) ask(http, number, r);
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ++ended_;
    changed_.notify_all();
  }

  void ask(HttpClient& http, int client, int request) {
    const std::string body = body_of(f_, model_, client, request);
    const char* const path = f_.endpoint == "chat" ? "/v1/chat/completions" : "/v1/completions";
    Events events;
    std::string error, refusal;
    std::vector<double> times;
    bool done = false;
    const double start = seconds_now();
    try {
      const int status = http.ask("POST", path, body, [&](std::string_view piece) {
        const double now = seconds_now();
        if (refusal.size() < 4096) refusal += piece;
        events.push(piece, [&](std::string_view data) {
          if (data == "[DONE]") {
            done = true;
            return;
          }
          const Json event = Json::parse(data, nullptr, false);
          if (event.is_discarded())
            error = "an event is no JSON: " + std::string(data.substr(0, 200));
          else if (says_something(event, error))
            times.push_back(now);
        });
        return !stop_.load();
      });
      if (status != 200) error = "status " + std::to_string(status) + ": " + refusal.substr(0, 300);
      if (error.empty() && !done) error = "a stream ended without [DONE]";
    } catch (const std::exception& e) {
      error = e.what();
    }
    const double end = seconds_now();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!error.empty() && !stop_) result_.errors.push_back(error);
    if (!error.empty() || request == 0) return;
    last_ = std::max(last_, end);
    ++result_.answered;
    result_.pieces += int64_t(times.size());
    whole_.push_back(end - start);
    if (times.empty()) return;
    first_.push_back(times[0] - start);
    for (size_t i = 1; i < times.size(); ++i) gaps_.push_back(times[i] - times[i - 1]);
  }

  const LoadFlags f_;
  const ServerUrl url_;
  const std::string model_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  int warm_ = 0, ended_ = 0;
  bool go_ = false;
  double start_ = 0, last_ = 0;
  std::vector<double> first_, gaps_, whole_;
  LoadResult result_;
};

// The one asked for, or the first that the server lists.
std::string model_of(const LoadFlags& f) {
  if (!f.model.empty()) return f.model;
  HttpClient http(ServerUrl::parse(f.url), f.patience, f.key);
  std::string text;
  const int status = http.ask("GET", "/v1/models", "", [&](std::string_view piece) {
    text += piece;
    return text.size() < (1 << 20);
  });
  const Json listed = Json::parse(text, nullptr, false);
  const auto data = listed.is_object() ? listed.find("data") : listed.end();
  if (status != 200 || !listed.is_object() || data == listed.end() || !data->is_array() || data->empty() ||
      !(*data)[0].is_object() || !(*data)[0].contains("id") || !(*data)[0]["id"].is_string())
    fail(Status::io, "%s lists no model (status %d): name one with --serve-model", f.url.c_str(), status);
  return (*data)[0]["id"].get<std::string>();
}

}  // namespace

LoadResult measure_load(const LoadFlags& flags) {
  PUNA_REQUIRE(flags.endpoint == "chat" || flags.endpoint == "completions",
               "--endpoint is '%s', expected chat or completions", flags.endpoint.c_str());
  const Interrupt interrupt;
  return LoadRun(flags, model_of(flags)).run(interrupt);
}

}  // namespace puna::cli
