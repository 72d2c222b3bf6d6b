// names.h -- distinct names, numbered 0, 1, ...: the external names of a model's ids. Kept in the model's file, so that
// scores belong to the right items with any catalogue.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace puna::recsys {

// Compact: the bytes of the names, and two numbers for each. Any UTF-8 without NUL is a name, line breaks and
// separators included.
class Names {
 public:
  static constexpr size_t kLongest = 256;  // bytes of a name

  Names() = default;
  // Error{invalid_argument} naming the one that is empty, too long, there twice, has a NUL or is no UTF-8. `what` they
  // are: "item".
  Names(std::span<const std::string> names, const char* what);
  // As bytes() gives them, `count` or fewer. Error{bad_file} "<where>: ...".
  static Names of_bytes(std::string bytes, int64_t most, const std::string& where);

  int64_t size() const noexcept { return int64_t(order_.size()); }
  bool empty() const noexcept { return order_.empty(); }
  std::string_view operator[](int64_t i) const noexcept;
  int64_t find(std::string_view name) const noexcept;     // -1 = there is none of that name
  std::string did_you_mean(std::string_view name) const;  // ", did you mean 'x'?" or ""
  // Each name with a NUL behind it: how files have them.
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void index(const char* what);

  std::string bytes_;
  std::vector<uint64_t> starts_;  // of each name in bytes_, and their end
  std::vector<uint32_t> order_;   // the numbers, by their names' bytes
};

// What is wrong with a name, or NULL.
const char* fault_of_name(std::string_view name) noexcept;

}  // namespace puna::recsys
