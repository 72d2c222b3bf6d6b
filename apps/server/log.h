// log.h -- one line a request on standard error, as text or JSON. What was said is never in it, unless asked for.
#pragma once
#include <mutex>
#include <string>

namespace puna::serve {

struct LogLine {
  std::string id = {}, key = {}, method = {}, path = {}, model = {}, error = {};
  int status = 0;
  double seconds = 0, first_token = 0;
  int64_t prompt = 0, completion = 0, cached = 0;
  std::string content = {};  // the body, when it is asked for
};

class Log {
 public:
  enum class Form : unsigned char { text, json, none };
  explicit Log(Form form) : form_(form) {}
  void write(const LogLine& line);
  void note(const std::string& what);  // a sentence about the server itself

 private:
  void put(const std::string& line);
  const Form form_;
  std::mutex mutex_;
};

}  // namespace puna::serve
