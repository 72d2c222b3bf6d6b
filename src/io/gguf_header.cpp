// gguf_header.cpp -- GGUF keys and tensor descriptions, in the order of the file; each count is checked before memory
// is taken for it.
#include "io/gguf_header.h"

#include "io/byte_reader.h"
#include "io/gguf_format.h"
#include "puna/base/checked.h"

namespace puna::io {
namespace {

using gguf::ValueType;

bool boolean(ByteReader& in, const Field& field) {
  const auto byte = in.number<uint8_t>(field);
  if (byte > 1)
    fail_in(in.source().name(), Status::bad_file, "%s: the bool is %d, expected 0 or 1", field.text().c_str(),
            int(byte));
  return byte == 1;
}

[[noreturn]] void fail_value_type(const ByteReader& in, const Field& field, uint32_t type) {
  fail_in(in.source().name(), Status::bad_file, "%s has value type %u, expected 0 to 12", field.text().c_str(), type);
}

// What arrays may take in memory: an array of bytes becomes eight times as large, one of empty texts four times.
class MemoryBudget {
 public:
  explicit MemoryBudget(const Source& source) : file_(source), left_(source.size() + kMoreThanFile) {}
  void take(uint64_t n, size_t bytes, const Field& field) {
    if (n > left_ / bytes)
      fail_in(file_.name(), Status::bad_file,
              "%s has %ju elements; the metadata would take more memory than the file has bytes and %ju MB",
              field.text().c_str(), n, kMoreThanFile >> 20);
    left_ -= n * bytes;
  }

 private:
  static constexpr uint64_t kMoreThanFile = 48 << 20;
  const Source& file_;
  uint64_t left_;
};

// Reads `n` elements one after the other; `read` takes the field that names the element.
template <class T, class Read>
std::vector<T> elements(uint64_t n, MemoryBudget& budget, Field field, Read read) {
  budget.take(n, sizeof(T), field);
  std::vector<T> values;
  values.reserve(n);  // n elements have been seen to fit in the rest of the file
  for (field.element = 0; field.element < int64_t(n); ++field.element) values.push_back(T(read(field)));
  return values;
}

MetadataValue read_array(ByteReader& in, MemoryBudget& budget, const Field& field) {
  const auto type = in.number<uint32_t>(field);
  const auto numbers = [&]<class Element, class Stored>(Element, Stored) -> MetadataValue {
    const uint64_t n = in.count(sizeof(Element), field);
    return elements<Stored>(n, budget, field, [&](const Field& f) { return in.number<Element>(f); });
  };
  switch (ValueType{type}) {
    case ValueType::u8: return numbers(uint8_t{}, int64_t{});
    case ValueType::i8: return numbers(int8_t{}, int64_t{});
    case ValueType::u16: return numbers(uint16_t{}, int64_t{});
    case ValueType::i16: return numbers(int16_t{}, int64_t{});
    case ValueType::u32: return numbers(uint32_t{}, int64_t{});
    case ValueType::i32: return numbers(int32_t{}, int64_t{});
    case ValueType::i64: return numbers(int64_t{}, int64_t{});
    case ValueType::f32: return numbers(float{}, double{});
    case ValueType::f64: return numbers(double{}, double{});
    case ValueType::u64:
      return elements<int64_t>(in.count(8, field), budget, field, [&](const Field& f) {
        const auto value = in.number<uint64_t>(f);
        if (value > uint64_t(INT64_MAX))
          fail_in(in.source().name(), Status::unsupported, "%s is %ju, expected less than 2^63", f.text().c_str(),
                  value);
        return value;
      });
    case ValueType::boolean:
      return elements<int64_t>(in.count(1, field), budget, field, [&](const Field& f) { return boolean(in, f); });
    case ValueType::string:
      return elements<std::string>(in.count(8, field), budget, field, [&](const Field& f) { return in.string(f); });
    case ValueType::array:
      fail_in(in.source().name(), Status::unsupported, "%s: arrays of arrays are unsupported", field.text().c_str());
  }
  fail_value_type(in, field, type);
}

MetadataValue read_value(ByteReader& in, MemoryBudget& budget, const Field& field) {
  const auto type = in.number<uint32_t>(field);
  switch (ValueType{type}) {
    case ValueType::u8: return int64_t{in.number<uint8_t>(field)};
    case ValueType::i8: return int64_t{in.number<int8_t>(field)};
    case ValueType::u16: return int64_t{in.number<uint16_t>(field)};
    case ValueType::i16: return int64_t{in.number<int16_t>(field)};
    case ValueType::u32: return int64_t{in.number<uint32_t>(field)};
    case ValueType::i32: return int64_t{in.number<int32_t>(field)};
    case ValueType::i64: return in.number<int64_t>(field);
    case ValueType::f32: return double{in.number<float>(field)};
    case ValueType::f64: return in.number<double>(field);
    case ValueType::boolean: return boolean(in, field);
    case ValueType::string: return in.string(field);
    case ValueType::array: return read_array(in, budget, field);
    case ValueType::u64: {
      const auto value = in.number<uint64_t>(field);
      if (value > uint64_t(INT64_MAX)) return value;
      return int64_t(value);
    }
  }
  fail_value_type(in, field, type);
}

void check_magic_and_version(ByteReader& in) {
  const std::string& file = in.source().name();
  const auto magic = in.number<uint32_t>({"GGUF magic"});
  if (magic != gguf::kMagic)
    fail_in(file, Status::bad_file, "not a GGUF file: it starts with %08x, expected %08x ('GGUF')", magic,
            gguf::kMagic);
  const auto version = in.number<uint32_t>({"GGUF version"});
  if (version != 0 && (version & 0xFFFF) == 0)
    fail_in(file, Status::unsupported,
            "the GGUF version reads %u: this is a big-endian file, expected a little-endian one", version);
  if (version != 2 && version != 3)
    fail_in(file, Status::unsupported, "GGUF version %u is unsupported, expected 2 or 3", version);
}

constexpr size_t kKeyBytes = 240;  // of a key and its value in a tree, and of the mark that it was read

void read_metadata(ByteReader& in, uint64_t count, GgufHeader& header) {
  const std::string& file = in.source().name();
  MemoryBudget budget(in.source());
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = in.string({"metadata key", {}, int64_t(i)});
    check_name(file, "metadata key", key);
    Metadata& metadata = gguf::is_split_key(key) ? header.split : header.metadata;
    if (metadata.find(key)) fail_in(file, Status::bad_file, "metadata '%s' appears twice", display(key).c_str());
    budget.take(1, kKeyBytes + 2 * key.size(), {"metadata", key});
    MetadataValue value = read_value(in, budget, {"metadata", key});
    metadata.set(std::move(key), std::move(value));
  }
}

FileTensor read_tensor(ByteReader& in, uint64_t index, uint64_t alignment) {
  const std::string& file = in.source().name();
  std::string name = in.string({"tensor name", {}, int64_t(index)});
  check_name(file, "tensor name", name);
  const Field field{"tensor", name};
  const auto rank = in.number<uint32_t>(field);
  if (rank > uint32_t(kMaxRank))
    fail_in(file, Status::bad_file, "%s has %u dimensions, expected at most %d", field.text().c_str(), rank, kMaxRank);
  uint64_t dims[kMaxRank] = {};
  for (uint32_t i = rank; i-- > 0;) dims[i] = in.number<uint64_t>(field);  // the file's order is innermost first
  const auto type = in.number<uint32_t>(field);
  const auto dtype = gguf::dtype_of(type);
  if (!dtype)
    fail_in(file, Status::unsupported, "%s has type %u (%s), which this build does not read", field.text().c_str(),
            type, gguf::name_of_type(type));
  FileTensor tensor;
  tensor.offset = in.number<uint64_t>(field);
  if (tensor.offset % alignment != 0)
    fail_in(file, Status::bad_file, "%s: offset %ju is not a multiple of the alignment %ju", field.text().c_str(),
            tensor.offset, alignment);
  tensor.entry = make_entry(file, std::move(name), *dtype, {dims, rank});
  return tensor;
}

}  // namespace

GgufHeader read_gguf_header(const Source& source, const Watch& watch) {
  // The least that one tensor (name length, rank, type, offset) and one key (name length, 1 byte of name, type, value)
  // take.
  constexpr uint64_t kSmallestTensor = 8 + 4 + 4 + 8, kSmallestKey = 8 + 1 + 4 + 1;
  const std::string& file = source.name();
  ByteReader in(source, watch);
  check_magic_and_version(in);
  const uint64_t tensors = in.count(kSmallestTensor, {"tensor count"});
  const uint64_t keys = in.count(kSmallestKey, {"metadata count"});

  GgufHeader header;
  read_metadata(in, keys, header);
  const auto alignment = uint64_t(
      naming(file, [&] { return header.metadata.integer(gguf::kAlignment, 1, INT64_MAX, gguf::kDefaultAlignment); }));
  if (!gguf::is_alignment(alignment))
    fail_in(file, Status::bad_file, "metadata '%s' is %ju, expected a power of two from 8 to 2^20", gguf::kAlignment,
            alignment);

  if (tensors > kMostTensors)
    fail_in(file, Status::unsupported, "%ju tensors, expected at most %zu", tensors, kMostTensors);
  header.tensors.reserve(tensors);
  for (uint64_t i = 0; i < tensors; ++i) header.tensors.push_back(read_tensor(in, i, alignment));
  if (tensors == 0) {  // the first file of a split often holds metadata alone, and then no padding either
    header.data_offset = in.offset();
    return header;
  }
  header.data_offset = naming(
      file, [&] { return Size(in.offset()).round_up(alignment).take(source.size(), "start of the tensor data"); });
  check_layout(file, header.tensors, source.size() - header.data_offset, Holes::allowed);
  return header;
}

}  // namespace puna::io
