#include "base/file_lock.h"

#include "puna/base/error.h"

#ifdef _WIN32
#include <windows.h>

#else
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#endif

namespace puna {

#ifdef _WIN32
namespace {

std::wstring wide(const std::string& text) {
  std::wstring out(size_t(MultiByteToWideChar(CP_UTF8, 0, text.data(), int(text.size()), nullptr, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, text.data(), int(text.size()), out.data(), int(out.size()));
  return out;
}

}  // namespace

FileLock::FileLock(const std::string& path, const std::string& what) {
  // Not shared: a second open fails while this one lasts.
  const HANDLE file = CreateFileW(wide(path).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_ALWAYS,
                                  FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) {
    if (GetLastError() == ERROR_SHARING_VIOLATION)
      fail(Status::wrong_state, "%s is in use by another process", what.c_str());
    fail(Status::io, "cannot make '%s': error %lu", path.c_str(), GetLastError());
  }
  file_ = reinterpret_cast<intptr_t>(file);
}

FileLock::~FileLock() { CloseHandle(reinterpret_cast<HANDLE>(file_)); }
#else
FileLock::FileLock(const std::string& path, const std::string& what) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) fail(Status::io, "cannot make '%s': %s", path.c_str(), strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd);
    fail(Status::wrong_state, "%s is in use by another process", what.c_str());
  }
  file_ = fd;
}

FileLock::~FileLock() { ::close(int(file_)); }
#endif

}  // namespace puna
