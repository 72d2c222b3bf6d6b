// file_lock.h -- one process at a time: a file that is locked for the lifetime of the object. The system unlocks it
// when the process ends, however it ends.
#pragma once
#include <cstdint>
#include <string>

namespace puna {

class FileLock {
 public:
  // Makes the file where there is none (it stays there, empty). Error{wrong_state} "<what> is in use by another
  // process" when another process holds it, {io} when it cannot be made. A file system without locks is taken as it is.
  FileLock(const std::string& path, const std::string& what);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  intptr_t file_ = -1;
};

}  // namespace puna
