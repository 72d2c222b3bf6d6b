// source.cpp -- the three places a file's bytes come from: a mapped path, a block of the host's memory, the host's
// reader.
#include <cstring>

#include "base/os.h"
#include "io/file_error.h"
#include "puna/io/checkpoint.h"

namespace puna {
namespace {

class MemorySource final : public Source {
 public:
  MemorySource(const std::byte* data, uint64_t size, std::string name)
      : name_(std::move(name)), data_(data), size_(size) {}
  const std::string& name() const noexcept override { return name_; }
  uint64_t size() const noexcept override { return size_; }
  const std::byte* data() const noexcept override { return data_; }
  void read(uint64_t offset, uint64_t bytes, void* dst) const override { memcpy(dst, data_ + offset, bytes); }

 private:
  std::string name_;
  const std::byte* data_;
  uint64_t size_;
};

class MappedSource final : public Source {
 public:
  explicit MappedSource(const std::string& path) : file_(path), name_(path) {}
  const std::string& name() const noexcept override { return name_; }
  uint64_t size() const noexcept override { return file_.size(); }
  const std::byte* data() const noexcept override { return file_.data(); }
  void read(uint64_t offset, uint64_t bytes, void* dst) const override { memcpy(dst, file_.data() + offset, bytes); }

 private:
  os::MappedFile file_;
  std::string name_;
};

class ReadAtSource final : public Source {
 public:
  ReadAtSource(const ReadAt& reader, std::string name) : reader_(reader), name_(std::move(name)) {}
  const std::string& name() const noexcept override { return name_; }
  uint64_t size() const noexcept override { return reader_.size; }
  const std::byte* data() const noexcept override { return nullptr; }
  void read(uint64_t offset, uint64_t bytes, void* dst) const override {
    const int32_t result = reader_.read_at(reader_.user, offset, bytes, dst);
    if (result != 0)
      io::fail_in(name_, Status::io, "read_at returned %d for %ju bytes at offset %ju", int(result), bytes, offset);
  }

 private:
  ReadAt reader_;
  std::string name_;
};

}  // namespace

SourcePtr open_path_source(const std::string& path) { return std::make_shared<MappedSource>(path); }

SourcePtr open_memory_source(const void* data, uint64_t bytes, std::string name) {
  PUNA_REQUIRE(data != nullptr && bytes > 0, "memory source '%.200s' is empty", name.c_str());
  return std::make_shared<MemorySource>(static_cast<const std::byte*>(data), bytes, std::move(name));
}

SourcePtr open_read_at_source(const ReadAt& reader, std::string name) {
  PUNA_REQUIRE(reader.read_at != nullptr, "reader '%.200s' has no read_at function", name.c_str());
  PUNA_REQUIRE(reader.size > 0, "reader '%.200s' has size 0", name.c_str());
  return std::make_shared<ReadAtSource>(reader, std::move(name));
}

}  // namespace puna
