// os_posix.cpp -- os.h on POSIX systems: reading, mapping, what there is. Writing: os_write_posix.cpp.
#ifndef _WIN32
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/os.h"
#include "base/os_posix.h"
#include "puna/base/error.h"

namespace puna::os {
namespace {

int open_for_reading(const std::string& path, uint64_t* size) {
  // a pipe must be refused below, not waited for here
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail_errno("open", path);
  FileDescriptor guard{fd};
  struct stat st;
  if (fstat(fd, &st) != 0) fail_errno("examine", path);
  if (!S_ISREG(st.st_mode)) fail(Status::io, "'%s' is not a regular file", path.c_str());
  *size = uint64_t(st.st_size);
  guard.fd = -1;
  return fd;
}

}  // namespace

int64_t process_id() noexcept { return ::getpid(); }

int cpu_count() noexcept {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int n = CPU_COUNT(&set);
    if (n > 0) return n;
  }
#endif
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? int(n) : 1;
}

MappedFile::MappedFile(const std::string& path) {
  const FileDescriptor file{open_for_reading(path, &size_)};
  if (size_ == 0) fail(Status::bad_file, "'%s' is empty", path.c_str());
  void* p = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (p == MAP_FAILED) fail_errno("map", path);
  data_ = static_cast<const std::byte*>(p);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
}

namespace {

// madvise for the whole pages of this size inside a block.
void advise_inside(const void* data, uint64_t bytes, uintptr_t page, int advice) noexcept {
  const uintptr_t first = reinterpret_cast<uintptr_t>(data), begin = (first + page - 1) / page * page,
                  end = (first + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void drop_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  advise_inside(data, bytes, uintptr_t(sysconf(_SC_PAGESIZE)), MADV_DONTNEED);
}

void expect_random_reads(const std::byte* data, uint64_t bytes) noexcept {
  advise_inside(data, bytes, uintptr_t(sysconf(_SC_PAGESIZE)), MADV_RANDOM);
}

void fetch_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  constexpr uint64_t kSamples = 4;
  const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE)), begin = reinterpret_cast<uintptr_t>(data) / page * page;
  const uintptr_t pages = (reinterpret_cast<uintptr_t>(data) + bytes - begin + page - 1) / page;
  for (uint64_t i = 0; i < kSamples; ++i) {
    unsigned char resident = 1;
    if (mincore(reinterpret_cast<void*>(begin + pages * i / kSamples * page), page, &resident) == 0 &&
        (resident & 1) != 0)
      continue;
    madvise(reinterpret_cast<void*>(begin), pages * page, MADV_WILLNEED);
    return;
  }
}

void prefer_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) noexcept {
#ifdef MADV_HUGEPAGE
  advise_inside(memory, bytes, kLargePage, MADV_HUGEPAGE);
#endif
}

FileStamp file_stamp(const std::string& path) {
  struct stat st;
  if (stat(path.c_str(), &st) != 0) fail_errno("examine", path);
  return {uint64_t(st.st_size), int64_t(st.st_mtim.tv_sec) * 1'000'000'000 + st.st_mtim.tv_nsec};
}

bool is_directory(const std::string& path) noexcept {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

bool is_file(const std::string& path) noexcept {
  struct stat st;
  return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode);
}

std::vector<std::string> list_folder(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) fail_errno("open the folder", path);
  std::vector<std::string> names;
  while (const dirent* entry = readdir(folder.get()))
    if (const std::string_view name = entry->d_name; name != "." && name != "..") names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const std::string& path, uint64_t limit) {
  uint64_t size = 0;
  const FileDescriptor file{open_for_reading(path, &size)};
  if (size > limit)
    fail(Status::bad_file, "'%s' has %ju bytes, more than the %ju expected of such a file", path.c_str(), size, limit);
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(file.fd, bytes.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno("read", path);
    if (n == 0) break;
    done += size_t(n);
  }
  bytes.resize(done);
  return bytes;
}

void make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) fail_errno("make the folder", path);
  if (!is_directory(path)) fail(Status::io, "%s: there is a file of that name, expected a folder", path.c_str());
}

}  // namespace puna::os
#endif
