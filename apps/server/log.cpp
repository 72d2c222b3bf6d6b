#include "log.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "json_out.h"

namespace puna::serve {
namespace {

std::string now() {
  const auto at = std::chrono::system_clock::now();
  const time_t whole = std::chrono::system_clock::to_time_t(at);
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count() % 1000;
  tm utc{};
#ifdef _WIN32
  gmtime_s(&utc, &whole);
#else
  gmtime_r(&whole, &utc);
#endif
  char text[40];
  const size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + n, sizeof text - n, ".%03dZ", int(part));
  return text;
}

std::string milliseconds(double seconds) {
  char text[32];
  snprintf(text, sizeof text, "%.1f", seconds * 1000);
  return text;
}

// A path or a name is a client's: nothing of it may steer a terminal.
std::string printable(const std::string& text) {
  const std::string quoted = json_string(text.substr(0, 200));
  return quoted.size() == text.size() + 2 && text.find(' ') == text.npos ? text : quoted;
}

}  // namespace

void Log::write(const LogLine& l) {
  if (form_ == Form::none) return;
  if (form_ == Form::text) {
    std::string line = now() + " " + l.id + " " + (l.key.empty() ? "-" : l.key) + " " + printable(l.method) + " " +
                       printable(l.path) + " " + std::to_string(l.status) + " " + milliseconds(l.seconds) + " ms";
    if (!l.model.empty()) line += " " + printable(l.model);
    if (l.prompt > 0)
      line += ", " + std::to_string(l.prompt) + " + " + std::to_string(l.completion) + " tokens, " +
              std::to_string(l.cached) + " cached, first after " + milliseconds(l.first_token) + " ms";
    if (!l.error.empty()) line += ": " + json_string(l.error);
    if (!l.content.empty()) line += "\n  " + json_string(l.content);
    return put(line);
  }
  std::string line = R"({"time":")" + now() + R"(","id":")" + l.id + R"(","key":)" + json_string(l.key) +
                     R"(,"method":)" + json_string(l.method) + R"(,"path":)" + json_string(l.path) + R"(,"status":)" +
                     std::to_string(l.status) + R"(,"ms":)" + milliseconds(l.seconds);
  if (!l.model.empty()) line += R"(,"model":)" + json_string(l.model);
  if (l.prompt > 0)
    line += R"(,"prompt_tokens":)" + std::to_string(l.prompt) + R"(,"completion_tokens":)" +
            std::to_string(l.completion) + R"(,"cached_tokens":)" + std::to_string(l.cached) + R"(,"first_token_ms":)" +
            milliseconds(l.first_token);
  if (!l.error.empty()) line += R"(,"error":)" + json_string(l.error);
  if (!l.content.empty()) line += R"(,"content":)" + json_string(l.content);
  put(line + "}");
}

void Log::note(const std::string& what) {
  if (form_ == Form::none) return;
  put(form_ == Form::json ? R"({"time":")" + now() + R"(","note":)" + json_string(what) + "}" : now() + " " + what);
}

void Log::put(const std::string& line) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace puna::serve
