// replay_main.cpp -- the fuzz targets without libFuzzer.
//   replay FORMAT FOLDER...   gives the target every file there, so that each input that was ever interesting (or ever
//                             crashed) is tried by every compiler
//                             in every test run; an empty folder is a failure
//   replay FORMAT --stream    every input of standard input (its size in 8 bytes, then itself), and answers each with a
//                             line: milliseconds, peak bytes of the
//                             heap, and 1 if it was accepted as what it claims to be, else 0. See mutate.py
//   replay --formats          their names
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "attacks/heap_meter.h"
#include "fuzz/target.h"

namespace fs = std::filesystem;
using puna::test::FuzzTarget;
using puna::test::NamedTarget;

namespace {

constexpr unsigned kSecondsUntilItHangs = 60;

// A heap copy of exactly the right size, as libFuzzer makes it, so that AddressSanitizer sees a read one past the end.
void give(FuzzTarget target, const std::string& bytes) {
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  target(copy.data(), copy.size());
}

int stream(FuzzTarget target) {
  give(target, {});  // what is made once is made here
  std::string bytes;
  for (uint64_t size = 0; std::fread(&size, sizeof size, 1, stdin) == 1;) {
    bytes.resize(size);
    if (size != 0 && std::fread(bytes.data(), size, 1, stdin) != 1) return 1;
    const puna::test::HeapMeter meter;
    const auto began = std::chrono::steady_clock::now();
    puna::test::accepted = false;
    alarm(kSecondsUntilItHangs);
    give(target, bytes);
    alarm(0);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    std::printf("%jd %zu %d\n", intmax_t(took.count()), puna::test::HeapMeter::peak(), puna::test::accepted);
    std::fflush(stdout);
  }
  return 0;
}

FuzzTarget target_of(const std::string& name) {
  for (const NamedTarget* t = NamedTarget::first; t; t = t->next)
    if (name == t->name) return t->target;
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string format = argc > 1 ? argv[1] : "", how = argc > 2 ? argv[2] : "";
  if (format == "--formats") {
    for (const NamedTarget* t = NamedTarget::first; t; t = t->next) std::puts(t->name);
    return 0;
  }
  const FuzzTarget target = target_of(format);
  if (!target) {
    std::fprintf(stderr, "no format is called '%s'; --formats lists them\n", format.c_str());
    return 1;
  }
  if (how == "--stream") return stream(target);
  std::vector<fs::path> inputs;
  for (int i = 2; i < argc; ++i) {
    if (!fs::is_directory(argv[i])) continue;
    for (const auto& entry : fs::directory_iterator(argv[i]))
      if (entry.is_regular_file()) inputs.push_back(entry.path());
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs in %s\n", how.empty() ? "(no folder was named)" : how.c_str());
    return 1;
  }
  for (const fs::path& path : inputs) {
    std::ifstream in(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    std::printf("%s: %zu bytes\n", path.filename().string().c_str(), bytes.size());
    std::fflush(stdout);  // so that the last line names the input that crashed
    give(target, bytes);
  }
  std::printf("%zu inputs replayed\n", inputs.size());
}
