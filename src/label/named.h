// named.h -- the value of an enum by its name.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::label {

template <class Enum, size_t N>
[[nodiscard]] Enum named(const char* const (&names)[N], const char* what, std::string_view name) {
  std::string all;
  std::vector<std::string> known;
  for (size_t i = 0; i < N; ++i) {
    if (name == names[i]) return Enum(i);
    all += std::string(i == 0 ? "" : i + 1 < N ? ", " : " or ") + names[i];
    known.emplace_back(names[i]);
  }
  fail(Status::invalid_argument, "there is no %s '%s', expected %s%s", what, shown(name).c_str(), all.c_str(),
       did_you_mean(name, known).c_str());
}

}  // namespace puna::label
