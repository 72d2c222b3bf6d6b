// fuzz_run_log.cpp -- any bytes as the log.jsonl of a run that --resume goes on with, up to the step that the first
// byte says: whole lines from its beginning stay, none of a later step, and what is written goes behind them.
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "run_log.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(run_log) {
  using namespace puna;
  using test::require;
  static const test::ScratchFolder folder;
  if (size == 0) return 0;
  const int64_t done = data[0];
  const std::string_view text = test::text_of(data + 1, size - 1);
  const std::string path = folder.write("log.jsonl", text);
  test::expect_error_only(
      [&] { cli::require_own_folder(folder.path(), {"adapter.safetensors"}, /*resume=*/false, /*overwrite=*/false); });
  test::expect_error_only([&] {
    size_t seen = 0;
    {
      cli::RunLog log(path, done, [&](const nlohmann::json& line) {
        require(line.at("step").get<int64_t>() <= done);
        ++seen;
      });
      log.write({{"step", done + 1}, {"loss", 0.5}});
      log.finish();
    }
    const std::string now = folder.read("log.jsonl");
    const size_t kept = now.rfind('\n', now.size() - 2) == now.npos ? 0 : now.rfind('\n', now.size() - 2) + 1;
    require(now.substr(0, kept) == text.substr(0, kept));
    require(size_t(std::count(now.begin(), now.end(), '\n')) == seen + 1);
  });
  return 0;
}
