// with_run.h -- checkpoints of a run say which run they are of, in words that follow from its options and its data. In a seed "@RUN@" stands for them, so
// that a mutant is about the rest, and a change of what is learned makes no seed stale.
#pragma once
#include <cstring>
#include <string>
#include <string_view>

namespace puna::test {

inline constexpr std::string_view kRunMark = "@RUN@";

// A safetensors file with the first `from` in its header replaced, the length in front with it.
inline std::string with_text_replaced(std::string file, std::string_view from, std::string_view to) {
  const size_t at = file.find(from);
  if (file.size() < 8 || at == file.npos || at < 8 || from.empty()) return file;
  uint64_t header = 0;
  memcpy(&header, file.data(), sizeof header);
  header += to.size() - from.size();
  file.replace(at, from.size(), to);
  memcpy(file.data(), &header, sizeof header);
  return file;
}

// What the run calls itself in a checkpoint that it wrote.
inline std::string run_named_in(std::string_view checkpoint) {
  constexpr std::string_view kKey = "\"run\":\"";
  const size_t at = checkpoint.find(kKey);
  if (at == checkpoint.npos) return "";
  return std::string(checkpoint.substr(at + kKey.size(), checkpoint.find('"', at + kKey.size()) - at - kKey.size()));
}

}  // namespace puna::test
