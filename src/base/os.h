// os.h -- the few things only the operating system knows. POSIX and Windows behind the same names.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace puna::os {

int64_t process_id() noexcept;
// The pause instruction of a spin-wait loop (some tens of cycles).
inline void pause() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}
int cpu_count() noexcept;  // CPUs this process may run on (affinity mask), at least 1

// A read-only mapping of a whole file. Throws Error{io} naming the path (UTF-8).
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  const std::byte* data() const noexcept { return data_; }
  uint64_t size() const noexcept { return size_; }

 private:
  const std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

// What changes when a file is written: how long it is, and when it was written (nanoseconds of the system's
// clock). Error{io}.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t time = 0;
};
FileStamp file_stamp(const std::string& path);

// Tells the system that a range of a MappedFile will not be read soon: its pages need not stay in memory (they come
// back on use). Only for memory of a MappedFile. Whole pages inside the range are meant.
void drop_mapped_pages(const std::byte* data, uint64_t bytes) noexcept;
// Asks for the pages of a range of a MappedFile to be read in the background. Cheap (a microsecond) when they are in
// memory, by a sample of them, evenly spread.
void fetch_mapped_pages(const std::byte* data, uint64_t bytes) noexcept;
// From now on a range of a MappedFile is read here and there: a page that is missing comes alone, without the megabytes
// behind it.
void expect_random_reads(const std::byte* data, uint64_t bytes) noexcept;

// Asks for large pages behind the whole ones inside a block just allocated: fewer faults when it is filled, fewer
// translations when it is read. Untouched memory stays free, and where the system has none to give nothing changes.
constexpr size_t kLargePage = size_t(2) << 20;
void prefer_large_pages(void* memory, size_t bytes) noexcept;

bool is_directory(const std::string& path) noexcept;
bool is_file(const std::string& path) noexcept;
std::vector<std::string> list_folder(
    const std::string& path);               // the names in it, sorted, without "." and ".."; Error{io}
void make_folder(const std::string& path);  // fine when it is there; Error{io}
// Whole file as bytes; Error{io} if it cannot be read or is larger than `limit`.
std::string read_file(const std::string& path, uint64_t limit);
// What is written under a name. A regular file, or a name that nothing has, is replaced in one step (temporary file
// beside it, flush, rename, flush of the folder): a reader sees the old bytes or the new, never half. The old file's
// permissions and, where the system lets us, its owner are kept; a new file has those of the umask. A symbolic link
// stays: what it leads to is replaced. What is no regular file is never replaced: FIFOs and character devices get the
// bytes as they are written, or are refused; folders, block devices and sockets are refused. A process that is killed
// leaves its temporary file, `.NAME.puna-PID-XXXXXXXX`: the next write to the same name removes it.
class AtomicFile {
 public:
  enum class Streams { written, refused };  // what happens with FIFOs and devices; refused: the format needs map()
  explicit AtomicFile(const std::string& path, Streams streams = Streams::written);
  ~AtomicFile();  // without commit(): the temporary file is removed
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);
  // Instead of write(): the whole file as memory, zero, its disk space allocated beforehand (Error{io} when there is
  // none).
  std::byte* map(uint64_t bytes);
  void commit();

 private:
  void create_temporary(const std::string& folder, const std::string& name, uint32_t mode);

  std::string path_, target_, temporary_;  // as given; what is replaced ("": a stream); what is written meanwhile
  static constexpr intptr_t kNoFile = -1;
  intptr_t file_ = kNoFile;  // a descriptor, or Windows' handle
  void* mapped_ = nullptr;
  uint64_t mapped_bytes_ = 0;
};

// Removes the temporary files of all AtomicFiles of this process. For a program's signal handler that is
// about to end it: async-signal-safe, keeps no list (the open files are it). Does nothing where the system cannot tell
// an open file's name.
void remove_temporaries() noexcept;

// A file that grows at its end while things happen: a log. Its first `keep` bytes stay. A folder is refused; FIFOs and
// devices are written as they are.
class AppendedFile {
 public:
  AppendedFile(const std::string& path, uint64_t keep);
  ~AppendedFile();
  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;
  // How many of the bytes were taken. Fewer than given: `why` says what the system said, for example that the disk is
  // full; the rest may be given again later.
  size_t append(const char* data, size_t bytes, std::string& why);

 private:
  intptr_t file_ = -1;
};

}  // namespace puna::os
