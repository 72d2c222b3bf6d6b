#include "runtime/opening/packed_file.h"

#include <atomic>
#include <cstring>

#include "base/hash.h"
#include "kernels/panel.h"
#include "puna/base/checked.h"
#include "puna/base/error.h"
#include "runtime/rehearsal.h"

namespace puna {
namespace {

constexpr char kPackedMagic[8] = {'P', 'U', 'N', 'A', 'P', 'A', 'C', 'K'};
constexpr uint32_t kPackedVersion = 2;
constexpr uint64_t kPage = 4096;

static_assert(sizeof(PackedFile::Entry) == 40 && sizeof(PackedFile::Header) == 40);

// What the packed bytes follow from: the files as they are now, and every tensor's name, type and shape.
uint64_t source_hash(const Checkpoint& c) {
  Hash h;
  for (const std::string& file : c.files) {
    const os::FileStamp stamp = os::file_stamp(file);
    h.add_value(stamp.bytes);
    h.add_value(stamp.time);
  }
  for (const TensorEntry& t : c.tensors.entries()) {
    h.add(t.name.data(), t.name.size());
    h.add_value(int32_t(t.dtype));
    for (int i = 0; i < t.shape.rank; ++i) h.add_value(t.shape[i]);
  }
  return h.value();
}

uint64_t aligned(uint64_t bytes) { return (Size(bytes).round_up(kPage)).take(INT64_MAX, "the size of a packed file"); }

// Gives out the places of a layout, in a file being written.
class Filling final : public WeightStore {
 public:
  Filling(std::byte* file, const std::vector<PackedFile::Entry>& entries) : file_(file), entries_(entries) {}
  Place place(const Weight&) override {
    std::byte* const to = file_ + entries_[next_++].offset;
    return {to, to};
  }

 private:
  std::byte* file_;
  const std::vector<PackedFile::Entry>& entries_;
  size_t next_ = 0;
};

int64_t bytes_of_entry(const PackedFile::Entry& e) {
  Weight w;
  w.rows = e.rows;
  w.panel_bytes = panel_bytes(DType(e.dtype), e.cols);
  return packed_bytes(w);
}

uint64_t hash_of(const std::byte* data, int64_t bytes) {
  Hash h;
  h.add(data, size_t(bytes));
  return h.value();
}

}  // namespace

WeightStore::Place PackedLayout::place(const Weight& w) {
  entries.push_back({int32_t(w.dtype), 0, w.rows, w.cols, data_bytes_, 0});
  data_bytes_ = aligned(data_bytes_ + uint64_t(packed_bytes(w)));
  return {nowhere_, nullptr};
}

uint64_t PackedLayout::finish() {
  const uint64_t head = aligned(sizeof(PackedFile::Header) + entries.size() * sizeof(PackedFile::Entry));
  for (PackedFile::Entry& e : entries) e.offset += head;
  return head + data_bytes_;
}

PackedFile::Header PackedFile::header() const noexcept {
  Header h;
  memcpy(&h, file_.data(), sizeof h);
  return h;
}

PackedFile::Entry PackedFile::entry(uint64_t i) const noexcept {
  Entry e;
  memcpy(&e, file_.data() + sizeof(Header) + i * sizeof e, sizeof e);
  return e;
}

bool PackedFile::belongs_to(uint64_t source) const {
  if (file_.size() < sizeof(Header) || memcmp(file_.data(), kPackedMagic, sizeof kPackedMagic) != 0)
    fail(Status::bad_file, "'%s' is no packed model; it was left as it is", path_.c_str());
  const Header h = header();
  if (h.version != kPackedVersion || h.source != source) return false;
  const uint64_t room = (file_.size() - sizeof h) / sizeof(Entry);
  if (h.bytes != file_.size() || h.matrices > room)
    fail(Status::bad_file,
         "%s: the header tells of %ju bytes and %u matrices, the file has %ju bytes; delete it to have it made again",
         path_.c_str(), h.bytes, h.matrices, file_.size());
  if (h.table_hash != hash_of(file_.data() + sizeof h, int64_t(h.matrices * sizeof(Entry))))
    fail(Status::bad_file, "%s: the table of matrices is corrupted; delete the file to have it made again",
         path_.c_str());
  return true;
}

WeightStore::Place PackedFile::place(const Weight& w) {
  const auto corrupted = [&](const char* what) {
    fail(Status::bad_file, "%s: matrix %ju %s; delete the file to have it made again", path_.c_str(), next_, what);
  };
  if (next_ >= header().matrices) corrupted("is missing");
  const Entry e = entry(next_);
  if (e.dtype != int32_t(w.dtype) || e.rows != w.rows || e.cols != w.cols)
    corrupted("has not the type and shape of the model's");
  if (e.offset % kPage != 0 || e.offset > file_.size() || uint64_t(packed_bytes(w)) > file_.size() - e.offset)
    corrupted("is not inside the file");
  ++next_;
  return {file_.data() + e.offset, nullptr};
}

void PackedFile::finish(const Context& context, bool verify) const {
  if (next_ != header().matrices)
    fail(Status::bad_file, "%s: holds more matrices than the model; delete the file to have it made again",
         path_.c_str());
  if (verify) compare_hashes(context);
}

void PackedFile::compare_hashes(const Context& context) const {
  std::atomic<int64_t> wrong{-1};
  context.executor().run(int64_t(header().matrices), [&](int64_t i) {
    const Entry e = entry(uint64_t(i));
    if (hash_of(file_.data() + e.offset, bytes_of_entry(e)) != e.hash) wrong.store(i, std::memory_order_relaxed);
  });
  if (wrong.load() >= 0)
    fail(Status::bad_file,
         "%s: matrix %jd is not what was packed (its hash differs); delete the file to have it made again",
         path_.c_str(), wrong.load());
}

void PackedFile::make(const Context& context, const std::string& path, uint64_t source, LoadProgress progress,
                      BuildLlama build) {
  PackedLayout layout;
  build(*rehearsal_context(), &layout, {});
  Header h{};
  memcpy(h.magic, kPackedMagic, sizeof kPackedMagic);
  h.version = kPackedVersion;
  h.matrices = uint32_t(layout.entries.size());
  h.source = source;
  h.bytes = layout.finish();
  os::AtomicFile file(path, os::AtomicFile::Streams::refused);
  std::byte* const to = file.map(h.bytes);
  Filling filling(to, layout.entries);
  build(context, &filling, progress);
  context.executor().run(int64_t(layout.entries.size()), [&](int64_t i) {
    Entry& e = layout.entries[size_t(i)];
    e.hash = hash_of(to + e.offset, bytes_of_entry(e));
  });
  const size_t table = layout.entries.size() * sizeof(Entry);
  memcpy(to + sizeof h, layout.entries.data(), table);
  h.table_hash = hash_of(to + sizeof h, int64_t(table));
  memcpy(to, &h, sizeof h);
  file.commit();
}

std::shared_ptr<PackedFile> PackedFile::open_or_make(const Context& context, const Checkpoint& source,
                                                     const std::string& path, LoadProgress progress, BuildLlama build) {
  if (source.files.empty()) fail(Status::unsupported, "a packed file goes with a model opened from a path");
  const uint64_t key = source_hash(source);
  std::shared_ptr<PackedFile> file;
  const auto open = [&] {
    file.reset(new PackedFile(path));
    return file->belongs_to(key);
  };
  if (!os::is_file(path) || !open()) {
    file.reset();
    make(context, path, key, progress, build);
    if (!open()) fail(Status::bad_file, "%s changed while it was being opened", path.c_str());
  }
  return file;
}

}  // namespace puna
