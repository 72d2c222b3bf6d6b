// os_windows.cpp -- os.h on Windows: the same contracts through its wide-character calls; paths are UTF-8 outside of
// this file.
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "base/os.h"
#include "puna/base/error.h"

namespace puna::os {
namespace {

std::wstring wide(const std::string& utf8) {
  const int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), int(utf8.size()), nullptr, 0);
  if (n == 0 && !utf8.empty()) fail(Status::io, "'%s' is no path: it is not UTF-8", utf8.c_str());
  std::wstring text(size_t(n), L'\0');
  MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, utf8.data(), int(utf8.size()), text.data(), n);
  return text;
}

[[noreturn]] void fail_last(const char* verb, const std::string& path, DWORD error = GetLastError()) {
  wchar_t text[256] = L"";
  DWORD n =
      FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, error, 0, text, 256, nullptr);
  while (n > 0 && (text[n - 1] == L'\r' || text[n - 1] == L'\n' || text[n - 1] == L'.')) text[--n] = 0;
  char utf8[768] = "";
  WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8 - 1, nullptr, nullptr);
  fail(Status::io, "cannot %s '%s': %s (error %lu)", verb, path.c_str(), utf8, error);
}

struct Handle {
  HANDLE h = INVALID_HANDLE_VALUE;
  ~Handle() {
    if (h != INVALID_HANDLE_VALUE && h != nullptr) CloseHandle(h);
  }
};

HANDLE open_for_reading(const std::string& path, uint64_t* size) {
  Handle file{CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                          nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.h == INVALID_HANDLE_VALUE) fail_last("open", path);
  LARGE_INTEGER bytes;
  if (GetFileType(file.h) != FILE_TYPE_DISK) fail(Status::io, "'%s' is not a regular file", path.c_str());
  if (!GetFileSizeEx(file.h, &bytes)) fail_last("examine", path);
  *size = uint64_t(bytes.QuadPart);
  return std::exchange(file.h, INVALID_HANDLE_VALUE);
}

DWORD attributes(const std::string& path) noexcept {
  try {
    return GetFileAttributesW(wide(path).c_str());
  } catch (...) {
    return INVALID_FILE_ATTRIBUTES;
  }
}

// A view of `bytes` bytes; the view keeps the mapping object alive.
void* map_view(HANDLE file, uint64_t bytes, bool writable, const std::string& path) {
  const Handle mapping{CreateFileMappingW(file, nullptr, writable ? PAGE_READWRITE : PAGE_READONLY, DWORD(bytes >> 32),
                                          DWORD(bytes), nullptr)};
  if (mapping.h == nullptr) fail_last("map", path);
  void* const view = MapViewOfFile(mapping.h, writable ? FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, SIZE_T(bytes));
  if (view == nullptr) fail_last("map", path);
  return view;
}

HANDLE of(intptr_t file) noexcept { return reinterpret_cast<HANDLE>(file); }

}  // namespace

int64_t process_id() noexcept { return int64_t(GetCurrentProcessId()); }

int cpu_count() noexcept {
  DWORD_PTR mine = 0, system = 0;
  if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &system)) return 1;
  return std::max(1, __builtin_popcountll(mine));
}

MappedFile::MappedFile(const std::string& path) {
  const Handle file{open_for_reading(path, &size_)};
  if (size_ == 0) fail(Status::bad_file, "'%s' is empty", path.c_str());
  data_ = static_cast<const std::byte*>(map_view(file.h, size_, /*writable=*/false, path));
}

MappedFile::~MappedFile() {
  if (data_) UnmapViewOfFile(data_);
}

void drop_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  VirtualUnlock(const_cast<std::byte*>(data), SIZE_T(bytes));  // of pages that are not locked: out of the working set
}

void expect_random_reads(const std::byte*, uint64_t) noexcept {
}  // a mapping has no such word here; its faults bring few pages

void fetch_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  WIN32_MEMORY_RANGE_ENTRY range{const_cast<std::byte*>(data), SIZE_T(bytes)};
  PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

void prefer_large_pages(void*, size_t) noexcept {}  // they need a privilege that hosts do not have

FileStamp file_stamp(const std::string& path) {
  WIN32_FILE_ATTRIBUTE_DATA d;
  if (!GetFileAttributesExW(wide(path).c_str(), GetFileExInfoStandard, &d)) fail_last("examine", path);
  const auto join = [](DWORD high, DWORD low) { return uint64_t(high) << 32 | low; };
  return {join(d.nFileSizeHigh, d.nFileSizeLow),
          int64_t(join(d.ftLastWriteTime.dwHighDateTime, d.ftLastWriteTime.dwLowDateTime)) * 100};
}

bool is_directory(const std::string& path) noexcept {
  const DWORD a = attributes(path);
  return a != INVALID_FILE_ATTRIBUTES && (a & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

bool is_file(const std::string& path) noexcept {
  const DWORD a = attributes(path);
  return a != INVALID_FILE_ATTRIBUTES && (a & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE)) == 0;
}

std::vector<std::string> list_folder(const std::string& path) {
  WIN32_FIND_DATAW found;
  const HANDLE search = FindFirstFileW(wide(path + "/*").c_str(), &found);
  if (search == INVALID_HANDLE_VALUE) fail_last("open the folder", path);
  std::vector<std::string> names;
  do {
    char name[4 * MAX_PATH];
    const int n = WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, nullptr, nullptr);
    if (n > 1 && std::string_view(name) != "." && std::string_view(name) != "..") names.emplace_back(name);
  } while (FindNextFileW(search, &found));
  FindClose(search);
  std::sort(names.begin(), names.end());
  return names;
}

std::string read_file(const std::string& path, uint64_t limit) {
  uint64_t size = 0;
  const Handle file{open_for_reading(path, &size)};
  if (size > limit)
    fail(Status::bad_file, "'%s' has %ju bytes, more than the %ju expected of such a file", path.c_str(), size, limit);
  std::string bytes(size_t(size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    DWORD n = 0;
    if (!ReadFile(file.h, bytes.data() + done, DWORD(std::min<size_t>(bytes.size() - done, 1 << 30)), &n, nullptr))
      fail_last("read", path);
    if (n == 0) break;
    done += n;
  }
  bytes.resize(done);
  return bytes;
}

void make_folder(const std::string& path) {
  if (!CreateDirectoryW(wide(path).c_str(), nullptr) && GetLastError() != ERROR_ALREADY_EXISTS)
    fail_last("make the folder", path);
  if (!is_directory(path)) fail(Status::io, "%s: there is a file of that name, expected a folder", path.c_str());
}

namespace {

std::string utf8(const std::wstring& text) {
  const int n = WideCharToMultiByte(CP_UTF8, 0, text.data(), int(text.size()), nullptr, 0, nullptr, nullptr);
  std::string bytes(size_t(n), '\0');
  WideCharToMultiByte(CP_UTF8, 0, text.data(), int(text.size()), bytes.data(), n, nullptr, nullptr);
  return bytes;
}

// Where links end; the name itself where nothing is.
std::string followed(const std::string& path) {
  const Handle file{CreateFileW(wide(path).c_str(), 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.h == INVALID_HANDLE_VALUE) return path;
  std::wstring name(32768, L'\0');
  const DWORD n = GetFinalPathNameByHandleW(file.h, name.data(), DWORD(name.size()), FILE_NAME_NORMALIZED);
  if (n == 0 || n >= name.size()) return path;
  name.resize(n);
  return utf8(name);
}

// A pipe, a console or another device of this name, open for writing.
HANDLE open_stream(const std::string& path) {
  Handle file{CreateFileW(wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr, OPEN_EXISTING,
                          FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.h == INVALID_HANDLE_VALUE || GetFileType(file.h) == FILE_TYPE_DISK) return INVALID_HANDLE_VALUE;
  return std::exchange(file.h, INVALID_HANDLE_VALUE);
}

void require_no_folder(const std::string& path) {
  if (is_directory(path))
    fail(Status::io, "cannot write '%s': it is a folder, expected the name of a file", path.c_str());
}

size_t name_at(const std::string& path) { return path.find_last_of("/\\:") + 1; }  // npos + 1 is 0

// Temporary files that killed writers left: those of running writers are open, not shared, and cannot be
// deleted.
void remove_left_over(const std::string& folder, const std::string& prefix) {
  WIN32_FIND_DATAW found;
  const HANDLE all = FindFirstFileW(wide(folder + prefix + "*").c_str(), &found);
  if (all == INVALID_HANDLE_VALUE) return;
  do {
    const std::string name = utf8(found.cFileName), tail = name.substr(std::min(prefix.size(), name.size()));
    if (!tail.empty() && tail.find_first_not_of("0123456789-abcdef") == tail.npos)
      DeleteFileW(wide(folder + name).c_str());
  } while (FindNextFileW(all, &found));
  FindClose(all);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path, Streams streams) : path_(path) {
  require_no_folder(path);
  if (const HANDLE stream = open_stream(path); stream != INVALID_HANDLE_VALUE) {
    file_ = reinterpret_cast<intptr_t>(stream);
    if (streams == Streams::written) return;
    CloseHandle(stream);
    fail(Status::io, "cannot write '%s': it is a pipe or a device, which this format cannot be streamed to",
         path.c_str());
  }
  target_ = followed(path);
  const size_t at = name_at(target_);
  create_temporary(target_.substr(0, at), target_.substr(at), 0);
}

void AtomicFile::create_temporary(const std::string& folder, const std::string& name, uint32_t) {
  constexpr size_t kLongestName = 200;
  const std::string prefix = "." + name.substr(0, kLongestName) + ".puna-";
  remove_left_over(folder, prefix);
  for (uint32_t n = 0; file_ == kNoFile; ++n) {  // an unused name
    char tail[48];
    snprintf(tail, sizeof tail, "%lu-%08lx", GetCurrentProcessId(), static_cast<unsigned long>(GetTickCount64() + n));
    temporary_ = folder + prefix + tail;
    const HANDLE h = CreateFileW(wide(temporary_).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_NEW,
                                 FILE_ATTRIBUTE_NORMAL, nullptr);
    if (h != INVALID_HANDLE_VALUE)
      file_ = reinterpret_cast<intptr_t>(h);
    else if (GetLastError() != ERROR_FILE_EXISTS || n == 1000)
      fail_last("create a file beside", path_);
  }
}

AtomicFile::~AtomicFile() {
  if (mapped_) UnmapViewOfFile(mapped_);
  if (file_ == kNoFile) return;
  CloseHandle(of(file_));
  if (target_.empty()) return;
  try {
    DeleteFileW(wide(temporary_).c_str());
  } catch (...) {  // out of memory: the temporary file stays
  }
}

namespace {

// Bytes taken before the system said no (GetLastError).
size_t write_all(HANDLE file, const char* p, size_t bytes) {
  size_t done = 0;
  while (done < bytes) {
    DWORD n = 0;
    if (!WriteFile(file, p + done, DWORD(std::min<size_t>(bytes - done, 1 << 30)), &n, nullptr)) break;
    done += n;
  }
  return done;
}

}  // namespace

void AtomicFile::write(const void* data, size_t bytes) {
  if (write_all(of(file_), static_cast<const char*>(data), bytes) != bytes) fail_last("write", path_);
}

std::byte* AtomicFile::map(uint64_t bytes) {
  if (target_.empty())
    fail(Status::io, "cannot write '%s': it is a pipe or a device, which cannot be mapped", path_.c_str());
  mapped_ = map_view(of(file_), bytes, /*writable=*/true, path_);  // makes the file this long, its space allocated
  mapped_bytes_ = bytes;
  return static_cast<std::byte*>(mapped_);
}

void AtomicFile::commit() {
  if (target_.empty()) {
    CloseHandle(of(std::exchange(file_, kNoFile)));
    return;
  }
  if (mapped_ && !FlushViewOfFile(mapped_, SIZE_T(mapped_bytes_))) fail_last("flush", path_);
  if (!FlushFileBuffers(of(file_))) fail_last("flush", path_);
  const std::wstring from = wide(temporary_), to = wide(target_);
  if (mapped_) UnmapViewOfFile(std::exchange(mapped_, nullptr));
  CloseHandle(of(std::exchange(file_, kNoFile)));  // an open file cannot be renamed here
  // ReplaceFile keeps who may read the old file; where there is none, or the file system has no such thing, the name
  // alone changes.
  constexpr DWORD kKept = REPLACEFILE_IGNORE_MERGE_ERRORS;
  if (is_file(target_) && ReplaceFileW(to.c_str(), from.c_str(), nullptr, kKept, nullptr, nullptr)) return;
  if (MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return;
  const DWORD error = GetLastError();
  DeleteFileW(from.c_str());
  fail_last("replace", path_, error);
}

void remove_temporaries() noexcept {}  // an open file cannot be deleted here; the next write removes it

AppendedFile::AppendedFile(const std::string& path, uint64_t keep) {
  require_no_folder(path);
  Handle file{CreateFileW(wide(path).c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, OPEN_ALWAYS,
                          FILE_ATTRIBUTE_NORMAL, nullptr)};
  if (file.h == INVALID_HANDLE_VALUE) fail_last("write", path);
  LARGE_INTEGER end;
  end.QuadPart = LONGLONG(keep);
  if (GetFileType(file.h) == FILE_TYPE_DISK &&
      (!SetFilePointerEx(file.h, end, nullptr, FILE_BEGIN) || !SetEndOfFile(file.h)))
    fail_last("shorten", path);
  file_ = reinterpret_cast<intptr_t>(std::exchange(file.h, INVALID_HANDLE_VALUE));
}

AppendedFile::~AppendedFile() { CloseHandle(of(file_)); }

size_t AppendedFile::append(const char* data, size_t bytes, std::string& why) {
  const size_t done = write_all(of(file_), data, bytes);
  if (done != bytes) why = "error " + std::to_string(GetLastError());
  return done;
}

}  // namespace puna::os
#endif
