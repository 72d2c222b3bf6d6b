// with_run.h -- checkpoints of a run say which run they are of, in words that follow from its options and its data. In
// a seed "@RUN@" stands for them, so that a mutant is about the rest, and a change of what is learned makes no seed
// stale.
#pragma once
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "expect_error.h"
#include "scratch_folder.h"

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

// A number of a checkpoint's metadata.
inline int64_t number_in(std::string_view checkpoint, const std::string& key) {
  const std::string quoted = "\"" + key + "\":\"";
  const size_t at = checkpoint.find(quoted);
  return at == checkpoint.npos ? -1 : std::strtoll(checkpoint.data() + at + quoted.size(), nullptr, 10);
}

// Checkpoints count no further, see train::StateFile::number().
inline constexpr int64_t kMostCounted = (int64_t(1) << 53) - 16;

// Any bytes as the checkpoint of a trainer: an Error and a run that is as before, or a run that goes on and whose own
// checkpoint is read again, to the same bits. `use` works with what is learned.
template <class Trainer, class Use>
void resume_from(Trainer& trainer, const ScratchFolder& folder, std::string_view bytes, Use&& use) {
  static const std::string name = [&] {
    trainer.save(folder / "own");
    return run_named_in(folder.read("own"));
  }();
  const std::string path = folder.write("checkpoint", with_text_replaced(std::string(bytes), kRunMark, name));
  trainer.save(folder / "before");
  if (!expect_error_only([&] { trainer.resume(path); })) {
    trainer.save(folder / "after");
    return require(folder.read("before") == folder.read("after"));
  }
  expect_error_only(use);
  for (int i = 0; i < 3 && trainer.done_steps() < trainer.total_steps(); ++i)
    trainer.step();  // over the end of an epoch
  expect_error_only(use);
  trainer.save(folder / "again");
  const std::string again = folder.read("again");
  if (!expect_error_only([&] { trainer.resume(folder / "again"); }))
    return require(number_in(again, "epoch") > kMostCounted);
  trainer.save(folder / "again");
  require(folder.read("again") == again);
}

}  // namespace puna::test
