// aside.h -- work that is done beside the answers: log-probabilities of prompts, embeddings. One thread; keys take
// turns.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "api_error.h"

namespace puna::serve {

class Aside {
 public:
  explicit Aside(size_t most = 256) : most_(most), thread_([this] { run(); }) {}
  ~Aside() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  // ApiError(503) when too many wait. `task` throws nothing; tasks that have not begun when this ends are not called.
  void add(const std::string& key, std::function<void()> task) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (waiting_ >= most_) {
      ApiError full(503, "the queue is full: " + std::to_string(waiting_) + " requests wait");
      full.retry_after = 1;
      throw full;
    }
    ++waiting_;
    tasks_[key].push_back(std::move(task));
    wake_.notify_all();
  }

 private:
  void run() {
    std::string last;
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || waiting_ > 0; });
        if (stopping_) return;
        auto key = tasks_.upper_bound(last);
        if (key == tasks_.end()) key = tasks_.begin();
        last = key->first;
        task = std::move(key->second.front());
        key->second.pop_front();
        if (key->second.empty()) tasks_.erase(key);
        --waiting_;
      }
      task();
    }
  }

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::deque<std::function<void()>>> tasks_;
  size_t waiting_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace puna::serve
