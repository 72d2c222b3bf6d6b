// os_windows.cpp -- os.h on Windows: the same promises through its wide-character calls; paths are UTF-8 outside of this file.
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#include <algorithm>
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
  DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, error, 0, text, 256, nullptr);
  while (n > 0 && (text[n - 1] == L'\r' || text[n - 1] == L'\n' || text[n - 1] == L'.')) text[--n] = 0;
  char utf8[768] = "";
  WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, sizeof utf8 - 1, nullptr, nullptr);
  fail(Status::io, "cannot %s '%s': %s (error %lu)", verb, path.c_str(), utf8, error);
}

struct Handle {
  HANDLE h = INVALID_HANDLE_VALUE;
  ~Handle() { if (h != INVALID_HANDLE_VALUE && h != nullptr) CloseHandle(h); }
};

HANDLE open_for_reading(const std::string& path, uint64_t* size) {
  Handle file{CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr, OPEN_EXISTING,
                          FILE_ATTRIBUTE_NORMAL, nullptr)};
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
  const Handle mapping{CreateFileMappingW(file, nullptr, writable ? PAGE_READWRITE : PAGE_READONLY, DWORD(bytes >> 32), DWORD(bytes), nullptr)};
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

MappedFile::~MappedFile() { if (data_) UnmapViewOfFile(data_); }

void drop_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  VirtualUnlock(const_cast<std::byte*>(data), SIZE_T(bytes));  // of pages that are not locked: out of the working set
}

void expect_random_reads(const std::byte*, uint64_t) noexcept {}  // a mapping has no such word here; its faults bring few pages

void fetch_mapped_pages(const std::byte* data, uint64_t bytes) noexcept {
  WIN32_MEMORY_RANGE_ENTRY range{const_cast<std::byte*>(data), SIZE_T(bytes)};
  PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

void prefer_large_pages(void*, size_t) noexcept {}  // they need a privilege that hosts do not have

FileStamp file_stamp(const std::string& path) {
  WIN32_FILE_ATTRIBUTE_DATA d;
  if (!GetFileAttributesExW(wide(path).c_str(), GetFileExInfoStandard, &d)) fail_last("examine", path);
  const auto join = [](DWORD high, DWORD low) { return uint64_t(high) << 32 | low; };
  return {join(d.nFileSizeHigh, d.nFileSizeLow), int64_t(join(d.ftLastWriteTime.dwHighDateTime, d.ftLastWriteTime.dwLowDateTime)) * 100};
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
    fail(Status::bad_file, "'%s' has %llu bytes, more than the %llu expected of such a file", path.c_str(),
         static_cast<unsigned long long>(size), static_cast<unsigned long long>(limit));
  std::string bytes(size_t(size), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    DWORD n = 0;
    if (!ReadFile(file.h, bytes.data() + done, DWORD(std::min<size_t>(bytes.size() - done, 1 << 30)), &n, nullptr)) fail_last("read", path);
    if (n == 0) break;
    done += n;
  }
  bytes.resize(done);
  return bytes;
}

void make_folder(const std::string& path) {
  if (!CreateDirectoryW(wide(path).c_str(), nullptr) && GetLastError() != ERROR_ALREADY_EXISTS) fail_last("make the folder", path);
  if (!is_directory(path)) fail(Status::io, "%s: there is a file of that name, expected a folder", path.c_str());
}

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  for (uint32_t n = 0; file_ == kNoFile; ++n) {  // a name that nobody has
    temporary_ = path + "." + std::to_string(GetCurrentProcessId()) + "." + std::to_string(GetTickCount64() + n);
    const HANDLE h = CreateFileW(wide(temporary_).c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (h != INVALID_HANDLE_VALUE) file_ = reinterpret_cast<intptr_t>(h);
    else if (GetLastError() != ERROR_FILE_EXISTS || n == 1000) fail_last("create a file beside", path_);
  }
}

AtomicFile::~AtomicFile() {
  if (mapped_) UnmapViewOfFile(mapped_);
  if (file_ == kNoFile) return;
  CloseHandle(of(file_));
  try {
    DeleteFileW(wide(temporary_).c_str());
  } catch (...) {  // out of memory: the temporary file stays
  }
}

void AtomicFile::write(const void* data, size_t bytes) {
  auto* p = static_cast<const char*>(data);
  while (bytes > 0) {
    DWORD n = 0;
    if (!WriteFile(of(file_), p, DWORD(std::min<size_t>(bytes, 1 << 30)), &n, nullptr)) fail_last("write", path_);
    p += n;
    bytes -= n;
  }
}

std::byte* AtomicFile::map(uint64_t bytes) {
  mapped_ = map_view(of(file_), bytes, /*writable=*/true, path_);  // makes the file this long, its room taken
  mapped_bytes_ = bytes;
  return static_cast<std::byte*>(mapped_);
}

void AtomicFile::commit() {
  if (mapped_ && !FlushViewOfFile(mapped_, SIZE_T(mapped_bytes_))) fail_last("flush", path_);
  if (!FlushFileBuffers(of(file_))) fail_last("flush", path_);
  const std::wstring from = wide(temporary_), to = wide(path_);
  if (mapped_) UnmapViewOfFile(std::exchange(mapped_, nullptr));
  CloseHandle(of(std::exchange(file_, kNoFile)));  // an open file cannot be renamed here
  if (MoveFileExW(from.c_str(), to.c_str(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return;
  const DWORD error = GetLastError();
  DeleteFileW(from.c_str());
  fail_last("replace", path_, error);
}

}  // namespace puna::os
#endif
