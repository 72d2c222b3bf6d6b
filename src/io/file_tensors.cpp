// file_tensors.cpp -- the rules every format shares: sizes, unique names, ranges, and where a tensor's bytes come to
// lie.
#include "io/file_tensors.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "puna/base/checked.h"

namespace puna::io {
namespace {

// What a pointer to the type must be a multiple of. Blocks start with an f16 scale or hold one.
uint64_t alignment_of(DType dtype) noexcept { return is_quantised(dtype) ? 2 : info(dtype).bytes; }

void check_names_unique(const std::string& file, const std::vector<FileTensor>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const FileTensor& t : tensors) names.push_back(t.entry.name);
  std::sort(names.begin(), names.end());  // a hash table could be made quadratic by chosen names
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) fail_in(file, Status::bad_file, "tensor '%s' appears twice", display(*twice).c_str());
}

std::shared_ptr<const Buffer> read_copy(const Context& context, const Source& source, uint64_t offset,
                                        const TensorEntry& entry, ProgressMeter& meter) {
  constexpr uint64_t kPiece = 4 << 20;  // between two chances to cancel
  const std::string purpose = "tensor '" + display(entry.name) + "'";
  auto buffer = std::make_shared<Buffer>(context.allocate(entry.bytes, purpose.c_str()));
  for (uint64_t done = 0; done < entry.bytes;) {
    const uint64_t n = std::min(kPiece, entry.bytes - done);
    source.read(offset + done, n, buffer->data() + done);
    done += n;
    meter.advance(n);
  }
  return buffer;
}

}  // namespace

TensorEntry make_entry(const std::string& file, std::string name, DType dtype, std::span<const uint64_t> dims,
                       Status status) {
  TensorEntry entry;
  const DTypeInfo& type = info(dtype);
  const auto shown = [&] { return display(name); };
  if (dims.size() > size_t(kMaxRank))
    fail_in(file, status, "tensor '%s' has %zu dimensions, expected at most %d", shown().c_str(), dims.size(),
            kMaxRank);
  entry.shape.rank = int(dims.size());
  Size count = 1;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 || dims[i] > uint64_t(INT64_MAX))
      fail_in(file, status, "tensor '%s': dimension %zu is %jd, expected at least 1", shown().c_str(), i,
              int64_t(dims[i]));
    entry.shape.dim[i] = int64_t(dims[i]);
    count *= dims[i];
  }
  const uint64_t row = dims.empty() ? 1 : dims.back();
  if (row % type.block != 0)
    fail_in(file, status, "tensor '%s': rows of %ju values are not whole blocks of %d (%s)", shown().c_str(), row,
            int(type.block), type.name);
  if (!count.fits(INT64_MAX) || !(count * type.bytes).fits(INT64_MAX))
    fail_in(file, status, "tensor '%s': the byte size of %s overflows", shown().c_str(), entry.shape.text().c_str());
  entry.bytes = bytes_of(type, uint64_t(entry.shape.count()));
  entry.name = std::move(name);
  entry.dtype = dtype;
  return entry;
}

void check_layout(const std::string& file, const std::vector<FileTensor>& tensors, uint64_t data_bytes, Holes holes) {
  check_names_unique(file, tensors);
  for (const FileTensor& t : tensors)
    if (!(Size(t.offset) + t.entry.bytes).fits(data_bytes))
      fail_in(file, Status::bad_file,
              "tensor '%s': %ju bytes at offset %ju lie outside the file's %ju bytes of tensor data",
              display(t.entry.name).c_str(), t.entry.bytes, t.offset, data_bytes);
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) {  // an empty tensor lies before the one that starts at its place
              return std::pair(tensors[a].offset, tensors[a].entry.bytes) <
                     std::pair(tensors[b].offset, tensors[b].entry.bytes);
            });
  uint64_t end = 0;
  const FileTensor* previous = nullptr;
  for (const size_t i : order) {
    const FileTensor& t = tensors[i];
    if (t.offset < end)
      fail_in(file, Status::bad_file, "tensor '%s' at offset %ju overlaps tensor '%s', which ends at %ju",
              display(t.entry.name).c_str(), t.offset, display(previous->entry.name).c_str(), end);
    if (holes == Holes::forbidden && t.offset != end)
      fail_in(file, Status::bad_file,
              "tensor '%s' starts at offset %ju, expected %ju: the bytes between belong to no tensor",
              display(t.entry.name).c_str(), t.offset, end);
    end = t.offset + t.entry.bytes;
    previous = &t;
  }
  if (holes == Holes::forbidden && end != data_bytes)
    fail_in(file, Status::bad_file, "the tensors end at offset %ju of the data, expected its end, %ju", end,
            data_bytes);
}

void attach(const Context& context, const SourcePtr& source, uint64_t data_offset, std::vector<FileTensor> tensors,
            ProgressMeter& meter, TensorMap& map, std::vector<std::shared_ptr<const void>>& keepalive) {
  bool in_place = false;
  for (FileTensor& t : tensors) {
    if (map.contains(t.entry.name))  // in another file of the set
      fail_in(source->name(), Status::bad_file, "tensor '%s' is also in another file of this model",
              display(t.entry.name).c_str());
    if (!t.unreadable.empty()) {
      map.add_unreadable(std::move(t.entry.name), std::move(t.unreadable));
      continue;
    }
    const uint64_t offset = data_offset + t.offset;
    const std::byte* bytes = source->data() ? source->data() + offset : nullptr;
    if (bytes != nullptr && reinterpret_cast<uintptr_t>(bytes) % alignment_of(t.entry.dtype) == 0) {
      t.entry.data = bytes;
      in_place = true;
    } else {
      auto buffer = read_copy(context, *source, offset, t.entry, meter);
      t.entry.data = buffer->data();
      keepalive.push_back(std::move(buffer));
    }
    map.add(std::move(t.entry));
  }
  if (in_place) keepalive.push_back(source);
}

}  // namespace puna::io
