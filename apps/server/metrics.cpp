#include "metrics.h"

#include "json_out.h"

namespace puna::serve {
namespace {

void line(std::string& out, const char* name, const char* type, const char* help, double value) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + type + "\n" + name + " " +
         json_number(value) + "\n";
}

}  // namespace

template <size_t N>
void Metrics::Histogram<N>::add(double value) {
  for (size_t i = 0; i < N; ++i) counts[i] += value <= bounds[i];
  ++all;
  sum += value;
}

template <size_t N>
void Metrics::Histogram<N>::write(std::string& out, const char* name, const char* help) const {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " histogram\n";
  for (size_t i = 0; i < N; ++i)
    out += std::string(name) + "_bucket{le=\"" + json_number(bounds[i]) + "\"} " + std::to_string(counts[i]) + "\n";
  out += std::string(name) + "_bucket{le=\"+Inf\"} " + std::to_string(all) + "\n" + name + "_sum " + json_number(sum) +
         "\n" + name + "_count " + std::to_string(all) + "\n";
}

void Metrics::add(const std::string& endpoint, int status, double seconds, const Measured& m) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++requests_[{endpoint, status}];
  prompt_ += uint64_t(m.usage.prompt);
  cached_ += uint64_t(m.usage.cached);
  completion_ += uint64_t(m.usage.completion);
  accepted_ += uint64_t(m.usage.accepted);
  rejected_ += uint64_t(m.usage.rejected);
  whole_.add(seconds);
  if (m.first_token > 0) first_.add(m.first_token);
  for (const float gap : m.between_tokens) between_.add(double(gap));
}

std::string Metrics::text(const Load& load, const http::ServerCounts& http, uint64_t memory, uint64_t limit) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string out =
      "# HELP puna_requests_total Requests by endpoint and HTTP status\n# TYPE puna_requests_total counter\n";
  for (const auto& [key, count] : requests_)
    out += "puna_requests_total{endpoint=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"} " +
           std::to_string(count) + "\n";
  const auto counter = [&](const char* name, const char* help, uint64_t v) {
    line(out, name, "counter", help, double(v));
  };
  const auto gauge = [&](const char* name, const char* help, double v) { line(out, name, "gauge", help, v); };
  counter("puna_prompt_tokens_total", "Tokens of prompts", prompt_);
  counter("puna_cached_tokens_total", "Of them those whose keys and values were there already", cached_);
  counter("puna_completion_tokens_total", "Tokens of answers", completion_);
  counter("puna_accepted_drafts_total", "Tokens of answers that were guessed", accepted_);
  counter("puna_rejected_drafts_total", "Guesses computed in vain", rejected_);
  gauge("puna_requests_running", "Requests whose answers are being computed", load.running);
  gauge("puna_requests_queued", "Requests that wait", load.queued);
  gauge("puna_connections", "Open connections", double(http.connections));
  gauge("puna_connections_answering", "Of them those that wait for an answer, or read one", double(http.answering));
  gauge("puna_memory_bytes", "Memory of models, keys and values, and scratch", double(memory));
  gauge("puna_memory_limit_bytes", "What it may be at most; 0 = no limit", double(limit));
  gauge("puna_cache_bytes", "Of it keys and values of prompts that nobody uses now", double(load.cache_bytes));
  counter("puna_cache_lookups_total", "Prompts looked up in the cache", load.cache_lookups);
  counter("puna_cache_hits_total", "Of them those of which a part was there", load.cache_hits);
  counter("puna_cache_evictions_total", "Parts of the cache that gave way", load.cache_evictions);
  counter("puna_pauses_total", "Requests that were paused for memory", load.pauses);
  first_.write(out, "puna_first_token_seconds", "From a request to its first token");
  between_.write(out, "puna_between_tokens_seconds", "Between two tokens of a request");
  whole_.write(out, "puna_request_seconds", "From a request to the end of its answer");
  return out;
}

}  // namespace puna::serve
