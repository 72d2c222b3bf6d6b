// grammars.h -- compiled grammars of requests, kept for the next request that asks for the same: agents send the same
// tools and schemas with every turn. A grammar that is kept keeps its masks as well.
#pragma once
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <utility>

#include "puna/grammar/grammar.h"

namespace puna::serve {

class Grammars {
 public:
  // By all that it is compiled from. `make` runs without a lock; what it throws is not kept.
  GrammarPtr get(const std::string& from, const std::function<GrammarPtr()>& make) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (auto e = kept_.begin(); e != kept_.end(); ++e)
        if (e->first == from) {
          kept_.splice(kept_.begin(), kept_, e);
          return e->second;
        }
    }
    GrammarPtr made = make();
    const std::lock_guard<std::mutex> lock(mutex_);
    kept_.emplace_front(from, made);
    bytes_ += from.size();
    while (kept_.size() > kMost || bytes_ > kBytes) {
      bytes_ -= kept_.back().first.size();
      kept_.pop_back();
    }
    return made;
  }

 private:
  static constexpr size_t kMost = 32, kBytes = 1 << 20;  // grammars; of their texts
  std::mutex mutex_;
  std::list<std::pair<std::string, GrammarPtr>> kept_;  // the one used last first
  size_t bytes_ = 0;
};

}  // namespace puna::serve
