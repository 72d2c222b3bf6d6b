// scratch_folder.h -- for fuzz targets of what is read from paths: a folder of this process, in memory where the system
// has such a place.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace puna::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    const std::filesystem::path memory = "/dev/shm";
    std::error_code ignored;
    path_ = ((std::filesystem::is_directory(memory, ignored) ? memory : std::filesystem::temp_directory_path()) /
             "puna_fuzz_XXXXXX")
                .string();
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string path = *this / name;
    std::filesystem::remove(path);  // an old one that is still mapped stays as it is
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), std::streamsize(bytes.size()));
    out.close();
    if (!out.good()) std::abort();
    return path;
  }
  std::string read(const std::string& name) const {
    std::ifstream in(*this / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

 private:
  std::string path_;
};

// Texts with a zero byte between them; the last has the rest.
template <size_t N>
void split_at_zeros(std::string_view all, std::string_view (&parts)[N]) {
  for (size_t i = 0; i < N; ++i) {
    parts[i] = i + 1 < N ? all.substr(0, all.find('\0')) : all;
    all.remove_prefix(parts[i].size() < all.size() ? parts[i].size() + 1 : all.size());
  }
}

// Binary parts: each but the last has its size in front, in 4 bytes, little-endian.
template <size_t N>
void split_by_sizes(std::string_view all, std::string_view (&parts)[N]) {
  for (size_t i = 0; i < N; ++i) {
    uint32_t size = 0;
    const bool sized = i + 1 < N && all.size() >= sizeof size;
    if (sized) {
      memcpy(&size, all.data(), sizeof size);
      all.remove_prefix(sizeof size);
    }
    parts[i] = sized ? all.substr(0, size) : all;
    all.remove_prefix(parts[i].size());
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace puna::test
