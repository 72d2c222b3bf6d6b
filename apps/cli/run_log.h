// run_log.h -- log.jsonl of a training run: a line for each step and each measurement. A disk that is full for a while
// loses nothing: lines wait for it and are tried again; lines that never got there are an error at the end.
#pragma once
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/os.h"
#include "puna/base/function_ref.h"

namespace puna::cli {

class RunLog {
 public:
  static constexpr int64_t kAnew = -1;
  // Of a log that is there, the lines up to step `done` stay, each shown to `see`; kAnew: none.
  RunLog(const std::string& path, int64_t done, FunctionRef<void(const nlohmann::json&)> see = {});
  void write(const nlohmann::ordered_json& line);
  void finish();  // Error{io} when lines are missing

 private:
  std::string path_;
  os::AppendedFile file_;
  std::string waiting_, why_;
};

// The files of a run mark its folder. Makes nothing: a run that does not begin leaves nothing. Error{invalid_argument}
// that says what is there when a new run would replace it without `overwrite`, or when there is nothing that `resume`
// could go on from; Error{io} when the folder cannot be made. `results`: what the run will write beside log.jsonl and
// checkpoint.safetensors; where such a file is there and no log.jsonl, it is somebody else's.
void require_own_folder(const std::string& folder, std::initializer_list<const char*> results, bool resume,
                        bool overwrite);
// The same for a run without steps, which leaves these files.
void require_own_folder(const std::string& folder, std::initializer_list<const char*> files, bool overwrite);
// A folder that can be made later: there is none of its name, and one that it can stand in. Error{io}.
void require_makeable(const std::string& folder);

}  // namespace puna::cli
