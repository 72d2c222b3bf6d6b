// bench_files.h -- what the programs beside Python scripts share: files of plain numbers, and a clock.
#pragma once
#include <chrono>
#include <fstream>
#include <vector>

namespace puna::test {

template <class T>
std::vector<T> values_of(const char* path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  std::vector<T> v(in ? size_t(in.tellg()) / sizeof(T) : 0);
  in.seekg(0);
  in.read(reinterpret_cast<char*>(v.data()), std::streamsize(v.size() * sizeof(T)));
  return v;
}

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace puna::test
