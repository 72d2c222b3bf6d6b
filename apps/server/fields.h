// fields.h -- reads the fields of a request: each is used, ignored by name, or refused with its name. Values out of
// range are refused before any work is done.
#pragma once
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api_error.h"
#include "base/json.h"

namespace puna::serve {

class Fields {
 public:
  // `path`: of the object itself, "messages[2]"; "" for a request. ApiError(400) unless it is an object.
  Fields(const OrderedJson& object, std::string path);

  // NULL when the field is not there, or null. A field that was asked for is a known one.
  const OrderedJson* get(const char* name);
  const OrderedJson& require(const char* name);
  std::string text(const char* name, std::string otherwise = "");
  std::string require_text(const char* name);
  bool flag(const char* name, bool otherwise = false);
  double number(const char* name, double otherwise, double low, double high);
  int64_t integer(const char* name, int64_t otherwise, int64_t low, int64_t high);
  // One of these words; "" = not there.
  std::string choice(const char* name, std::initializer_list<std::string_view> words);
  const OrderedJson* list(const char* name, size_t most);
  const OrderedJson* object(const char* name);
  bool has(const char* name) { return get(name) != nullptr; }
  void ignore(std::initializer_list<const char*> names);
  // Not supported, unless it is not there, null, or one of these values, as JSON.
  void refuse_unless(const char* name, std::initializer_list<std::string_view> values, const std::string& why);
  void done() const;  // ApiError(400) that names a field nobody asked for

  std::string path(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  const std::string& path() const { return path_; }

 private:
  const OrderedJson& object_;
  std::string path_;
  std::set<std::string, std::less<>> known_;
};

std::string at(const std::string& path, size_t index);  // "messages[2]"
// [a-zA-Z0-9_-]{1,64}
void require_name(const std::string& name, const std::string& path);

}  // namespace puna::serve
