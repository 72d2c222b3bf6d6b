// os_write_posix.cpp -- files that are written: AtomicFile, AppendedFile and the temporary names.
#ifndef _WIN32
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "base/os.h"
#include "base/os_posix.h"

namespace puna::os {
namespace {

// ---- where a name leads ----

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == path.npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }  // npos + 1 is 0

// N of /proc/self/fd/N and /dev/fd/N: a file that is open already, and has to be written where it is.
std::optional<int> open_descriptor(const std::string& path) {
  for (const std::string_view folder : {"/proc/self/fd/", "/dev/fd/"}) {
    if (!path.starts_with(folder)) continue;
    const std::string_view number = std::string_view(path).substr(folder.size());
    if (number.empty() || number.size() > 6 || number.find_first_not_of("0123456789") != number.npos) continue;
    return std::stoi(std::string(number));
  }
  return std::nullopt;
}

// The end of a chain of symbolic links; nothing need be there.
std::string followed(const std::string& named) {
  constexpr int kMostLinks = 40;  // as in Linux
  std::string path = named;
  for (int links = 0; links < kMostLinks; ++links) {
    struct stat st;
    if (open_descriptor(path) || lstat(path.c_str(), &st) != 0 || !S_ISLNK(st.st_mode)) return path;
    char to[PATH_MAX];
    const ssize_t n = readlink(path.c_str(), to, sizeof to);
    if (n < 0) fail_errno("follow", path);
    const std::string next(to, size_t(n));
    path = next.starts_with('/') ? next : folder_of(path) + "/" + next;
  }
  errno = ELOOP;
  fail_errno("follow", named);
}

// ---- FIFOs and devices ----

void refuse(const std::string& path, const char* what) {
  fail(Status::io, "cannot write '%s': it is %s, expected the name of a file", path.c_str(), what);
}

bool is_stream(mode_t mode) { return S_ISFIFO(mode) || S_ISCHR(mode); }

void require_file_or_stream(const std::string& path, mode_t mode) {
  if (S_ISDIR(mode)) refuse(path, "a folder");
  if (S_ISBLK(mode)) refuse(path, "a block device");
  if (!S_ISREG(mode) && !is_stream(mode)) refuse(path, "no regular file");
}

int open_stream(const std::string& path) {
  // A FIFO that nobody reads must be refused, not waited for.
  FileDescriptor file{::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.fd < 0 && errno == ENXIO)
    fail(Status::io, "cannot write '%s': nobody reads this FIFO; start its reader first", path.c_str());
  if (file.fd < 0) fail_errno("open", path);
  struct stat st;
  if (fstat(file.fd, &st) != 0) fail_errno("examine", path);
  if (!is_stream(st.st_mode)) fail(Status::io, "'%s' changed while it was being opened", path.c_str());
#ifdef F_SETNOSIGPIPE
  fcntl(file.fd, F_SETNOSIGPIPE, 1);
#endif
  return std::exchange(file.fd, -1);
}

// Waits until a FIFO takes bytes; false (EPIPE) when it has no reader.
bool wait_writable(int fd) {
  pollfd p{fd, POLLOUT, 0};
  while (poll(&p, 1, -1) < 0 && errno == EINTR) {}
  errno = EPIPE;
  return (p.revents & POLLERR) == 0;
}

// Bytes written before an error (errno). write() must not block on a FIFO: if its reader closes it meanwhile, SIGPIPE
// would end the host. poll() returns that as an error.
size_t write_all(int fd, const char* p, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::write(fd, p + done, bytes - done);
    if (n >= 0) {
      done += size_t(n);
    } else if (errno == EAGAIN) {
      if (!wait_writable(fd)) break;
    } else if (errno != EINTR) {
      break;
    }
  }
  return done;
}

// ---- temporary names: .NAME.puna-PID-XXXXXXXX, locked while their writer runs ----

constexpr char kMark[] = ".puna-";
constexpr size_t kRandom = 8;         // hexadecimal digits
constexpr size_t kLongestName = 200;  // of NAME: the whole stays below the 255 bytes of every file system

std::string temporary_prefix(const std::string& name) {
  size_t n = std::min(name.size(), kLongestName);
  while (n > 0 && n < name.size() && (uint8_t(name[n]) & 0xC0) == 0x80) --n;  // not within a character
  return "." + name.substr(0, n) + kMark;
}

// The process that made a temporary file, 0 when the name is no such.
pid_t maker_of(std::string_view file, std::string_view prefix) {
  if (!file.starts_with(prefix)) return 0;
  file.remove_prefix(prefix.size());
  const size_t digits = std::min(file.find_first_not_of("0123456789"), file.size());
  if (digits == 0 || digits > 9 || file.size() != digits + 1 + kRandom || file[digits] != '-') return 0;
  if (file.substr(digits + 1).find_first_not_of("0123456789abcdef") != file.npos) return 0;
  return pid_t(strtol(std::string(file.substr(0, digits)).c_str(), nullptr, 10));
}

// What writers of this name left behind when they were killed. A running writer holds a lock on its file; where there
// are no locks, it is checked whether a process of that number runs.
void remove_left_over(const std::string& folder, const std::string& prefix) noexcept {
  DIR* const all = opendir(folder.c_str());
  if (!all) return;
  while (const dirent* const entry = readdir(all)) {
    const pid_t maker = maker_of(entry->d_name, prefix);
    if (maker == 0) continue;
    FileDescriptor file{openat(dirfd(all), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (file.fd < 0) file.fd = openat(dirfd(all), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    if (file.fd < 0 || fstat(file.fd, &st) != 0 || !S_ISREG(st.st_mode)) continue;
    const bool locked = flock(file.fd, LOCK_EX | LOCK_NB) == 0;
    if (locked || (errno != EWOULDBLOCK && getpgid(maker) < 0 && errno == ESRCH))
      unlinkat(dirfd(all), entry->d_name, 0);
  }
  closedir(all);
}

// The name is this process's alone: locked, and still there (one that cleans up may have come between the two).
bool take(int fd) {
  struct stat st;
  if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  return fstat(fd, &st) == 0 && st.st_nlink != 0;
}

// The new file is as the old one: who may read it, and whose it is. Who may not give files away keeps the owner; then a
// group must not gain rights.
void make_alike(int fd, const struct stat& old) {
  struct stat now;
  if (fstat(fd, &now) != 0) return;
  mode_t mode = old.st_mode & 0777;
  if ((now.st_uid != old.st_uid || now.st_gid != old.st_gid) && fchown(fd, old.st_uid, old.st_gid) != 0 &&
      fchown(fd, uid_t(-1), old.st_gid) != 0)
    mode = (mode & 0707) | (mode & 070 & (mode & 07) << 3);
  fchmod(fd, mode);
}

void flush_folder(const std::string& target) {
  const FileDescriptor folder{::open(folder_of(target).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd < 0) return;  // may be entered, not read: nothing can be done
  if (fsync(folder.fd) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
    fail_errno("flush the folder of", target);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, Streams streams) : path_(path) {
  const std::string end = followed(path);
  const std::optional<int> open_already = open_descriptor(end);
  struct stat old;
  const bool exists = (open_already ? fstat(*open_already, &old) : stat(path.c_str(), &old)) == 0;
  if (!exists && (errno != ENOENT || open_already)) fail_errno("write", path);
  if (exists) require_file_or_stream(path, old.st_mode);
  if (open_already || (exists && is_stream(old.st_mode))) {
    if (streams == Streams::refused) refuse(path, "a FIFO or a device, which this format cannot be streamed to");
    file_ = open_already ? fcntl(*open_already, F_DUPFD_CLOEXEC, 0) : open_stream(path);
    if (file_ < 0) fail_errno("write", path);
    return;
  }
  const std::string name = name_of(end);
  if (name.empty() || name == "." || name == "..") refuse(path, "a folder");
  if (exists && faccessat(AT_FDCWD, end.c_str(), W_OK, AT_EACCESS) != 0) fail_errno("replace", path);
  target_ = end;
  create_temporary(folder_of(end), name, exists ? 0600 : 0666);  // never more readable than what it replaces
  if (exists) make_alike(int(file_), old);
}

void AtomicFile::create_temporary(const std::string& folder, const std::string& name, uint32_t mode) {
  const std::string prefix = temporary_prefix(name);
  remove_left_over(folder, prefix);
  constexpr int kAttempts = 1000;
  uint64_t random =
      uint64_t(std::chrono::steady_clock::now().time_since_epoch().count()) ^ reinterpret_cast<uintptr_t>(this);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    char tail[32];
    snprintf(tail, sizeof tail, "%jd-%08x", process_id(), unsigned(random >> 32));
    temporary_ = folder + "/" + prefix + tail;
    FileDescriptor file{::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(mode))};
    if (file.fd < 0 && errno == EEXIST) continue;
    if (file.fd < 0) fail_errno("create a file beside", path_);
    if (!take(file.fd)) continue;
    file_ = std::exchange(file.fd, -1);
    return;
  }
  fail(Status::io, "cannot create a file beside '%s': %d names were taken", path_.c_str(), kAttempts);
}

AtomicFile::~AtomicFile() {
  if (mapped_) munmap(mapped_, mapped_bytes_);
  if (file_ < 0) return;
  if (!target_.empty()) ::unlink(temporary_.c_str());  // before its lock is gone with the descriptor
  ::close(int(file_));
}

void AtomicFile::write(const void* data, size_t bytes) {
  if (target_.empty() && bytes > 0 && !wait_writable(int(file_))) fail_errno("write", path_);
  if (write_all(int(file_), static_cast<const char*>(data), bytes) != bytes) fail_errno("write", path_);
}

std::byte* AtomicFile::map(uint64_t bytes) {
  if (target_.empty()) refuse(path_, "a FIFO or a device, which cannot be mapped");
  // Without allocated space a full disk would show as SIGBUS in the middle of a store.
  errno = posix_fallocate(int(file_), 0, off_t(bytes));
  if (errno != 0) fail_errno("allocate disk space for", path_);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, int(file_), 0);
  if (memory == MAP_FAILED) fail_errno("map", path_);
  mapped_ = memory;
  mapped_bytes_ = bytes;
  return static_cast<std::byte*>(memory);
}

void AtomicFile::commit() {
  if (target_.empty()) {
    const int fd = int(std::exchange(file_, kNoFile));
    if (::close(fd) != 0 && errno != EINTR) fail_errno("write", path_);
    return;
  }
  if (mapped_ && msync(mapped_, mapped_bytes_, MS_SYNC) != 0) fail_errno("flush", path_);
  if (fsync(int(file_)) != 0) fail_errno("flush", path_);
  struct stat now;
  if (lstat(target_.c_str(), &now) == 0 && !S_ISREG(now.st_mode))
    fail(Status::io, "cannot replace '%s': it is no regular file any more", path_.c_str());
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail_errno("replace", path_);
  ::close(int(std::exchange(file_, kNoFile)));
  flush_folder(target_);
}

void remove_temporaries() noexcept {
  constexpr int kDescriptors = 1 << 16;
  char path[PATH_MAX];
  for (int fd = 0; fd < kDescriptors; ++fd) {
#ifdef __linux__
    char link[32] = "/proc/self/fd/";
    size_t at = 14, digits = 1;
    for (int n = fd; n >= 10; n /= 10) ++digits;
    for (int n = fd, i = int(digits); i > 0; n /= 10) link[at + size_t(--i)] = char('0' + n % 10);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) continue;
    path[n] = '\0';
#elif defined(F_GETPATH)
    if (fcntl(fd, F_GETPATH, path) != 0) continue;
#else
    break;
#endif
    const char* const slash = strrchr(path, '/');
    const char* mark = slash && slash[1] == '.' ? strstr(slash, kMark) : nullptr;
    if (!mark) continue;
    while (const char* const later = strstr(mark + 1, kMark)) mark = later;  // NAME may hold one too
    long long maker = 0;
    for (const char* p = mark + sizeof kMark - 1; *p >= '0' && *p <= '9'; ++p) maker = maker * 10 + (*p - '0');
    if (maker == process_id()) ::unlink(path);
  }
}

AppendedFile::AppendedFile(const std::string& path, uint64_t keep) {
  struct stat st;
  const bool exists = stat(path.c_str(), &st) == 0;
  if (exists) require_file_or_stream(path, st.st_mode);
  FileDescriptor file{exists && is_stream(st.st_mode)
                          ? open_stream(path)
                          : ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)};
  if (file.fd < 0) fail_errno("write", path);
  if (fstat(file.fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(file.fd, off_t(keep)) != 0)
    fail_errno("shorten", path);
  file_ = std::exchange(file.fd, -1);
}

AppendedFile::~AppendedFile() { ::close(int(file_)); }

size_t AppendedFile::append(const char* data, size_t bytes, std::string& why) {
  const size_t done = wait_writable(int(file_)) ? write_all(int(file_), data, bytes) : 0;
  if (done != bytes) why = strerror(errno);
  return done;
}

}  // namespace puna::os
#endif
