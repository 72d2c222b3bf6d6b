// repeated.h -- a text many times over.
#pragma once
#include <cstddef>
#include <string>

namespace puna::test {

inline std::string repeated(const std::string& piece, size_t times) {
  std::string all;
  all.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) all += piece;
  return all;
}

}  // namespace puna::test
