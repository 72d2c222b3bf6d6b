// gguf_write.cpp -- a header grown in memory, then the tensors streamed behind it; every file of a set appears when all
// are complete.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <memory>

#include "io/file_error.h"
#include "io/gguf_format.h"
#include "io/gguf_load.h"
#include "io/output_stream.h"
#include "puna/base/checked.h"
#include "puna/io/gguf.h"

namespace puna {
namespace {

using io::gguf::ValueType;

// The header of one file, grown in memory: it is small beside the tensors.
class HeaderBytes {
 public:
  template <class T>
  void number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void type(ValueType t) { number(uint32_t(t)); }
  void string(std::string_view s) {
    number(uint64_t{s.size()});
    bytes_ += s;
  }
  template <class Stored>
  void scalar(std::string_view key, ValueType t, Stored value) {
    string(key);
    type(t);
    number(value);
  }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

bool is_f32(double x) noexcept {
  return !std::isfinite(x) || (std::abs(x) <= double(FLT_MAX) && double(float(x)) == x);
}

// Writes one value, or an array of them, as the narrowest type that holds all: see gguf.h. T is the list's element
// type.
class ValueWriter {
 public:
  ValueWriter(HeaderBytes& out, bool array) : out_(out), array_(array) {}

  void integers(std::span<const int64_t> v) {
    const auto all_in = [&](int64_t low, int64_t high) {
      return std::all_of(v.begin(), v.end(), [=](int64_t x) { return x >= low && x <= high; });
    };
    if (array_ && all_in(INT32_MIN, INT32_MAX))
      return put<int32_t>(ValueType::i32, v);                            // as token types are in every file
    if (all_in(0, UINT32_MAX)) return put<uint32_t>(ValueType::u32, v);  // as counts are in every file
    if (all_in(INT32_MIN, INT32_MAX)) return put<int32_t>(ValueType::i32, v);
    put<int64_t>(ValueType::i64, v);
  }
  void reals(std::span<const double> v) {
    if (std::all_of(v.begin(), v.end(), is_f32)) return put<float>(ValueType::f32, v);
    put<double>(ValueType::f64, v);
  }
  void strings(std::span<const std::string> v) {
    begin(ValueType::string, v.size());
    for (const std::string& s : v) out_.string(s);
  }

 private:
  void begin(ValueType t, size_t n) {
    if (array_) out_.type(ValueType::array);
    out_.type(t);
    if (array_) out_.number(uint64_t{n});
  }
  template <class Stored, class T>
  void put(ValueType t, std::span<const T> v) {
    begin(t, v.size());
    for (const T x : v) out_.number(Stored(x));
  }

  HeaderBytes& out_;
  bool array_;
};

void write_value(HeaderBytes& out, const std::string& path, const std::string& key, const MetadataValue& value) {
  out.string(key);
  ValueWriter one(out, false), many(out, true);
  if (const auto* b = std::get_if<bool>(&value)) {
    out.type(ValueType::boolean);
    out.number(uint8_t(*b));
  } else if (const auto* i = std::get_if<int64_t>(&value)) {
    one.integers({i, 1});
  } else if (const auto* u = std::get_if<uint64_t>(&value)) {
    out.type(ValueType::u64);
    out.number(*u);
  } else if (const auto* d = std::get_if<double>(&value)) {
    one.reals({d, 1});
  } else if (const auto* s = std::get_if<std::string>(&value)) {
    one.strings({s, 1});
  } else if (const auto* integers = std::get_if<std::vector<int64_t>>(&value)) {
    many.integers(*integers);
  } else if (const auto* reals = std::get_if<std::vector<double>>(&value)) {
    many.reals(*reals);
  } else if (const auto* strings = std::get_if<std::vector<std::string>>(&value)) {
    many.strings(*strings);
  } else {
    io::fail_in(path, Status::invalid_argument, "metadata '%s' is null, which GGUF cannot hold",
                io::display(key).c_str());
  }
}

// One output file: a range of the tensors, the metadata if it is the first.
struct Part {
  uint64_t number = 0, count = 1;  // number from 0
  std::span<const OutputTensor> tensors;
  std::span<const uint64_t> bytes;  // of each tensor
};

std::string header_of(const Part& part, const std::string& path, const Metadata& metadata, uint64_t all_tensors,
                      uint64_t alignment) {
  HeaderBytes keys;
  uint64_t key_count = 0;
  for (const auto& [key, value] : metadata.values()) {
    if (io::gguf::is_split_key(key) || (part.number != 0 && key != io::gguf::kAlignment)) continue;
    io::check_name(path, "metadata key", key);
    write_value(keys, path, key, value);
    ++key_count;
  }
  if (part.count > 1) {  // the types are those of every published split
    keys.scalar(io::gguf::kSplitNo, ValueType::u16, uint16_t(part.number));
    keys.scalar(io::gguf::kSplitCount, ValueType::u16, uint16_t(part.count));
    keys.scalar(io::gguf::kSplitTensors, ValueType::i32, int32_t(all_tensors));
    key_count += 3;
  }
  HeaderBytes header;
  header.number(io::gguf::kMagic);
  header.number(io::gguf::kVersion);
  header.number(uint64_t{part.tensors.size()});
  header.number(key_count);
  uint64_t offset = 0;
  HeaderBytes info;
  for (size_t i = 0; i < part.tensors.size(); ++i) {
    const OutputTensor& t = part.tensors[i];
    const auto type = io::gguf::type_id_of(t.dtype);
    if (!type)
      io::fail_in(path, Status::unsupported, "tensor '%s': GGUF has no type %s", io::display(t.name).c_str(),
                  name(t.dtype));
    info.string(t.name);
    info.number(uint32_t(t.shape.rank));
    for (int d = t.shape.rank - 1; d >= 0; --d) info.number(uint64_t(t.shape.dim[d]));  // innermost first
    info.number(*type);
    info.number(offset);
    offset = (Size(offset) + part.bytes[i])
                 .round_up(alignment)
                 .take(INT64_MAX, "offset of tensor '%s'", io::display(t.name).c_str());
  }
  return header.bytes() + keys.bytes() + info.bytes();
}

void write_part(io::OutputStream& out, const Part& part, const std::string& path, const std::string& header,
                uint64_t alignment) {
  out.write(header.data(), header.size());
  out.pad_to(alignment);
  for (size_t i = 0; i < part.tensors.size(); ++i) {
    io::write_tensor(out, path, part.tensors[i], part.bytes[i]);
    out.pad_to(alignment);
  }
}

}  // namespace

std::vector<std::string> write_gguf(const std::string& path, const Metadata& metadata,
                                    std::span<const OutputTensor> tensors, const GgufWriteOptions& options) {
  const auto alignment = uint64_t(metadata.integer(io::gguf::kAlignment, 1, INT64_MAX, io::gguf::kDefaultAlignment));
  PUNA_REQUIRE(io::gguf::is_alignment(alignment), "general.alignment is %ju, expected a power of two from 8 to 2^20",
               alignment);
  io::check_names_unique(path, tensors);
  std::vector<uint64_t> bytes;
  for (const OutputTensor& t : tensors) bytes.push_back(io::checked_entry(path, t).bytes);

  const uint64_t each =
      options.tensors_per_file == 0 ? std::max<uint64_t>(tensors.size(), 1) : options.tensors_per_file;
  const uint64_t count = std::max<uint64_t>((tensors.size() + each - 1) / each, 1);
  PUNA_REQUIRE(count <= UINT16_MAX && tensors.size() <= size_t(INT32_MAX),
               "%zu tensors in %ju files are more than a GGUF split can hold", tensors.size(), count);
  const std::string stem = path.ends_with(".gguf") ? path.substr(0, path.size() - 5) : path;

  std::vector<std::string> paths;
  std::vector<std::unique_ptr<io::OutputStream>> files;
  for (uint64_t i = 0; i < count; ++i) {
    paths.push_back(count == 1 ? path : io::gguf_split_path(stem, int64_t(i + 1), int64_t(count)));
    const size_t begin = i * each, n = std::min<uint64_t>(each, tensors.size() - begin);
    const Part part{i, count, tensors.subspan(begin, n), std::span<const uint64_t>(bytes).subspan(begin, n)};
    files.push_back(std::make_unique<io::OutputStream>(paths.back()));
    write_part(*files.back(), part, paths.back(), header_of(part, paths.back(), metadata, tensors.size(), alignment),
               alignment);
  }
  for (size_t i = files.size(); i-- > 0;) files[i]->commit();  // the first file last: with it the set becomes openable
  return paths;
}

}  // namespace puna
