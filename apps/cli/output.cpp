#include "output.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <filesystem>

#ifndef _WIN32
#include <fcntl.h>
#endif

#include "base/format.h"
#include "base/os.h"
#include "puna/base/error.h"

namespace puna::cli {

void print(std::string_view text) {
  if (fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0) return;
  if (errno == EPIPE) throw ReaderGone();
  fail(Status::io, "standard output: cannot write: %s", strerror(errno));
}

void print_format(const char* format, ...) {
  va_list values;
  va_start(values, format);
  const std::string text = format_list(format, values);
  va_end(values);
  print(text);
}

void write_text(const std::string& path, const std::string& text) {
  os::AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

void require_ours(const std::string& path, FunctionRef<bool(std::string_view)> is_ours, const char* instead) {
  constexpr uint64_t kBegin = 4096;
  std::error_code e;
  const auto status = std::filesystem::status(path, e);
  if (!std::filesystem::exists(status)) return;
  if (!std::filesystem::is_regular_file(status))
    fail(Status::invalid_argument, "%s is there, and is %s, expected a file or nothing: %s", path.c_str(),
         std::filesystem::is_directory(status) ? "a folder" : "no regular file", instead);
  if (os::file_stamp(path).bytes == 0) return;
  const os::MappedFile file(path);
  const std::string_view begin(reinterpret_cast<const char*>(file.data()), size_t(std::min(file.size(), kBegin)));
  if (!is_ours(begin))
    fail(Status::invalid_argument, "%s is there, and is no file of this command's: it stays as it is; %s, or move it",
         path.c_str(), instead);
}

void hold_standard_streams() {
#ifndef _WIN32
  std::signal(SIGPIPE, SIG_IGN);  // print says it; of messages on standard error none is worth the run
  for (const int stream : {0, 1, 2})
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);  // the wrong way: use stays an error
#endif
}

int end_output(int code) {
  errno = 0;
  const bool whole = fflush(stdout) == 0 && ferror(stdout) == 0;
  if (whole || code != 0) return code;
  if (errno == EPIPE) return end_by_broken_pipe();
  fprintf(stderr, "puna: standard output: cannot write%s%s\n", errno != 0 ? ": " : "",
          errno != 0 ? strerror(errno) : "");
  return 1;
}

int end_by_broken_pipe() {
#ifndef _WIN32
  std::signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
#endif
  return 1;
}

}  // namespace puna::cli
