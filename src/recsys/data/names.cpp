#include "puna/recsys/names.h"

#include <algorithm>
#include <numeric>

#include "base/nearest.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "puna/base/error.h"

namespace puna::recsys {

const char* fault_of_name(std::string_view name) noexcept {
  if (name.empty()) return "is empty";
  if (name.size() > Names::kLongest) return "has more than 256 bytes";
  if (name.find('\0') != std::string_view::npos) return "has a NUL";
  return is_utf8(name) ? nullptr : "is no UTF-8";
}

Names::Names(std::span<const std::string> names, const char* what) {
  uint64_t bytes = 0;
  for (const std::string& name : names) bytes += name.size() + 1;
  bytes_.reserve(size_t(bytes));
  starts_.reserve(names.size() + 1);
  for (size_t i = 0; i < names.size(); ++i) {
    const char* const fault = fault_of_name(names[i]);
    PUNA_REQUIRE(!fault, "the name of %s %zu ('%s') %s", what, i, shown(names[i]).c_str(), fault);
    starts_.push_back(bytes_.size());
    bytes_.append(names[i]).push_back('\0');
  }
  starts_.push_back(bytes_.size());
  index(what);
}

Names Names::of_bytes(std::string bytes, int64_t most, const std::string& where) {
  const auto count = int64_t(std::count(bytes.begin(), bytes.end(), '\0'));  // before memory is allocated for them
  if (count > most || (!bytes.empty() && bytes.back() != '\0'))
    fail(Status::bad_file, "%s: %jd names, of which the last may be cut, expected up to %jd", where.c_str(), count,
         most);
  Names names;
  names.bytes_ = std::move(bytes);
  names.starts_.reserve(size_t(count) + 1);
  for (uint64_t at = 0; at < names.bytes_.size();) {
    const std::string_view name(names.bytes_.c_str() + at);
    if (const char* const fault = fault_of_name(name))
      fail(Status::bad_file, "%s: name %zu %s", where.c_str(), names.starts_.size(), fault);
    names.starts_.push_back(at);
    at += name.size() + 1;
  }
  names.starts_.push_back(names.bytes_.size());
  try {
    names.index("name");
  } catch (const Error& e) {
    if (e.status() != Status::invalid_argument) throw;
    fail(Status::bad_file, "%s: %.300s", where.c_str(), e.what());
  }
  return names;
}

void Names::index(const char* what) {
  const size_t n = starts_.size() - 1;
  PUNA_REQUIRE(n < uint64_t(1) << 32, "%zu names of %ss, expected fewer than 2^32", n, what);
  order_.resize(n);
  std::iota(order_.begin(), order_.end(), uint32_t(0));
  std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) { return (*this)[a] < (*this)[b]; });
  for (size_t i = 1; i < n; ++i)
    PUNA_REQUIRE((*this)[order_[i - 1]] != (*this)[order_[i]], "%ss %u and %u are both called '%s'", what,
                 std::min(order_[i - 1], order_[i]), std::max(order_[i - 1], order_[i]),
                 shown((*this)[order_[i]]).c_str());
}

std::string_view Names::operator[](int64_t i) const noexcept {
  const uint64_t first = starts_[size_t(i)], end = starts_[size_t(i) + 1] - 1;
  return {bytes_.data() + first, size_t(end - first)};
}

int64_t Names::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(order_.begin(), order_.end(), name,
                                   [&](uint32_t i, std::string_view n) { return (*this)[i] < n; });
  return at != order_.end() && (*this)[*at] == name ? int64_t(*at) : -1;
}

std::string Names::did_you_mean(std::string_view name) const {
  std::vector<std::string_view> all;
  for (int64_t i = 0; i < size(); ++i) all.push_back((*this)[i]);
  return puna::did_you_mean(name, all);
}

}  // namespace puna::recsys
