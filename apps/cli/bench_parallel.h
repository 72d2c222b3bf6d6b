// bench_parallel.h -- how fast an engine answers several requests together.
#pragma once
#include "puna/runtime/engine.h"

namespace puna::cli {

struct ParallelFlags {
  int requests = 0;
  int64_t generate = 64;
  int repeat = 3;
  int64_t long_prompt = 0;  // of a request that comes in while the others answer
};

struct ParallelSpeed {
  double total = 0;                 // tokens a second of all requests together, once each has its first
  double gap_p50 = 0, gap_p99 = 0;  // seconds between two tokens of one request
  double long_gap_p50 = 0, long_gap_p99 = 0, long_first = 0;  // the same while the long prompt is read; its first token
};
ParallelSpeed measure_parallel(const ModelPtr& model, const SessionOptions& session, const ParallelFlags& flags);

}  // namespace puna::cli
