#include "run_log.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "puna/base/error.h"

namespace puna::cli {
namespace {

constexpr uint64_t kLargestLog = uint64_t(4) << 30;

// visit(line as JSON, its end in the text) until it says no, or until a line that is not whole.
template <class Visit>
void each_line(const std::string& text, Visit&& visit) {
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    const nlohmann::json entry =
        nlohmann::json::parse(text.begin() + int64_t(at), text.begin() + int64_t(end), nullptr, false);
    if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer() || !visit(entry, end + 1))
      return;
  }
}

// Bytes of the lines up to this step.
uint64_t kept(const std::string& path, int64_t done, FunctionRef<void(const nlohmann::json&)> see) {
  uint64_t bytes = 0;
  if (done == RunLog::kAnew || !os::is_file(path)) return 0;
  each_line(os::read_file(path, kLargestLog), [&](const nlohmann::json& line, size_t end) {
    if (line["step"].get<int64_t>() > done) return false;
    if (see) see(line);
    bytes = end;
    return true;
  });
  return bytes;
}

}  // namespace

RunLog::RunLog(const std::string& path, int64_t done, FunctionRef<void(const nlohmann::json&)> see)
    : path_(path), file_(path, kept(path, done, see)) {}

void RunLog::write(const nlohmann::ordered_json& line) {
  waiting_ += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const bool was_well = why_.empty();
  std::string why;
  waiting_.erase(0, file_.append(waiting_.data(), waiting_.size(), why));
  why_ = why;
  if (was_well && !why_.empty())
    fprintf(stderr, "puna: %s: cannot write: %s; its lines are kept and tried again\n", path_.c_str(), why_.c_str());
}

void RunLog::finish() {
  if (waiting_.empty()) return;
  waiting_.erase(0, file_.append(waiting_.data(), waiting_.size(), why_));
  if (!waiting_.empty())
    fail(Status::io, "%s: cannot write: %s; the last %td lines are missing", path_.c_str(), why_.c_str(),
         std::count(waiting_.begin(), waiting_.end(), '\n'));
}

namespace {

void require_no_others_files(const std::string& folder, std::initializer_list<const char*> results) {
  for (const char* file : results)
    if (os::is_file(folder + "/" + file))
      fail(Status::invalid_argument,
           "%s has %s, and no log.jsonl of the run that it is of: it stays as it is. Give another --out; --overwrite "
           "replaces it",
           folder.c_str(), file);
}

}  // namespace

void require_own_folder(const std::string& folder, std::initializer_list<const char*> results, bool resume,
                        bool overwrite) {
  require_makeable(folder);
  const std::string log = folder + "/log.jsonl", checkpoint = folder + "/checkpoint.safetensors";
  const bool has_checkpoint = os::is_file(checkpoint);
  if (resume && !has_checkpoint)
    fail(Status::invalid_argument, "--resume: there is no checkpoint in %s (checkpoint.safetensors)", folder.c_str());
  if (resume || overwrite) return;
  if (!os::is_file(log)) {
    require_no_others_files(folder, results);
    return require_no_others_files(folder, {"checkpoint.safetensors"});
  }
  const std::string text = os::read_file(log, kLargestLog);
  if (text.empty()) return;
  int64_t steps = 0;
  each_line(text, [&](const nlohmann::json& line, size_t) {
    steps = line["step"].get<int64_t>();
    return true;
  });
  fail(Status::invalid_argument,
       "%s holds a run of before: log.jsonl has %jd steps%s. %s--overwrite begins anew in its place; or give another "
       "--out",
       folder.c_str(), steps, has_checkpoint ? " and there is a checkpoint" : ", there is no checkpoint",
       has_checkpoint ? "--resume goes on from it; " : "");
}

void require_own_folder(const std::string& folder, std::initializer_list<const char*> files, bool overwrite) {
  require_makeable(folder);
  for (const char* file : files)
    if (os::is_file(folder + "/" + file) && !overwrite)
      fail(Status::invalid_argument,
           "%s holds a run of before: there is %s. --overwrite begins anew in its place; or give another --out",
           folder.c_str(), file);
}

void require_makeable(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code e;
  if (fs::is_directory(folder, e)) return;
  if (fs::exists(folder, e)) fail(Status::io, "%s: there is a file of that name, expected a folder", folder.c_str());
  fs::path path(folder);
  if (path.filename().empty()) path = path.parent_path();  // "runs/new/"
  const fs::path above = path.parent_path();
  if (!above.empty() && !fs::is_directory(above, e))
    fail(Status::io, "cannot make the folder %s: there is no folder %s", folder.c_str(), above.string().c_str());
}

}  // namespace puna::cli
