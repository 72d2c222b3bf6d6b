// metrics.h -- what a server counts, as Prometheus reads it.
#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>

#include "answering.h"
#include "backend.h"
#include "http/server.h"

namespace puna::serve {

class Metrics {
 public:
  void add(const std::string& endpoint, int status, double seconds, const Measured& measured);
  std::string text(const Load& load, const http::ServerCounts& http, uint64_t memory, uint64_t memory_limit) const;

 private:
  // Counts by upper bounds, in seconds.
  template <size_t N>
  struct Histogram {
    std::array<double, N> bounds;
    std::array<uint64_t, N> counts{};
    uint64_t all = 0;
    double sum = 0;
    void add(double value);
    void write(std::string& out, const char* name, const char* help) const;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, uint64_t> requests_;
  uint64_t prompt_ = 0, cached_ = 0, completion_ = 0, accepted_ = 0, rejected_ = 0;
  Histogram<11> first_{{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}};
  Histogram<10> between_{{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1}};
  Histogram<10> whole_{{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}};
};

}  // namespace puna::serve
