// bench_serve.h -- load on a server that speaks OpenAI's protocol, ours or another: clients that each ask one request
// after the other, streamed, and what they saw.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace puna::cli {

struct LoadFlags {
  std::string url, model, key, endpoint = "chat";
  int clients = 8, requests = 8;     // each
  int64_t prompt = 64, tokens = 64;  // words of a prompt; most tokens of an answer
  double patience = 120;             // seconds without a byte
  uint64_t seed = 1;                 // of the prompts
};

struct LoadResult {
  std::string model;
  int64_t answered = 0, pieces = 0;  // requests; of their texts, about a token each
  double seconds = 0;                // from the first request to the last answer's end; warming up apart
  double first_p50 = 0, first_p99 = 0, gap_p50 = 0, gap_p99 = 0, whole_p50 = 0, whole_p99 = 0;
  std::vector<std::string> errors;  // a sentence each
};

LoadResult measure_load(const LoadFlags& flags);

}  // namespace puna::cli
