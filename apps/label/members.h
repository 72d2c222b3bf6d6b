// members.h -- the members of a request, each read once: what is left over is an error that names the nearest.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace puna::desk {

class Members {
 public:
  // Error{invalid_argument}: it is no JSON, or no object. The text must live as long.
  explicit Members(std::string_view json);
  std::string text(const char* name, size_t most = 1000);      // "" = it is not there
  std::string required(const char* name, size_t most = 1000);  // Error{invalid_argument} when it is not there
  std::optional<int64_t> whole(const char* name, int64_t low, int64_t high);
  std::optional<double> number(const char* name);  // finite
  std::string_view json(const char* name);         // as it stands there; empty = it is not there
  bool has(const char* name) const { return all_.count(name) > 0; }
  void end() const;  // Error{invalid_argument} naming a member that was not asked for

 private:
  std::string_view take(const char* name);
  std::map<std::string, std::string_view, std::less<>> all_;
  std::vector<std::string> known_;
};

}  // namespace puna::desk
