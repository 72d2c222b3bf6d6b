// safetensors_header.cpp -- the format as a state machine over JSON events.
#include "io/safetensors_header.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/json.h"
#include "puna/base/checked.h"

namespace puna::io {
namespace {

constexpr size_t kMostDimensions = 64;  // of an unreadable tensor; PyTorch has no more

constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::f64,     DType::i8,      DType::i16,
                            DType::i32, DType::i64, DType::u8,   DType::boolean, DType::f8_e4m3, DType::f8_e5m2};

std::optional<DType> dtype_named(std::string_view text) noexcept {
  for (const DType t : kTypes)
    if (text == name(t)) return t;
  return std::nullopt;
}

// nlohmann's SAX interface. The grammar is small enough to be a list of states, each with one thing that may come next:
//   {"__metadata__": {text: text}, name: {"dtype": text, "shape": [n...], "data_offsets": [begin, end]}}
class HeaderParser final : public nlohmann::json_sax<Json> {
 public:
  HeaderParser(const std::string& file, SafetensorsHeader& header, Unreadable unreadable)
      : file_(file), header_(header), keeps_unreadable_(unreadable == Unreadable::kept) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool) override { unexpected("a boolean"); }
  bool number_integer(int64_t) override { unexpected("a negative number"); }
  bool number_float(double, const std::string&) override { unexpected("a number that is no 64-bit integer"); }
  bool binary(binary_t&) override { unexpected("binary"); }

  bool number_unsigned(uint64_t value) override {
    if (at_ != At::in_shape && at_ != At::in_offsets) unexpected("a number");
    const size_t limit = at_ == At::in_offsets ? 2 : keeps_unreadable_ ? kMostDimensions : size_t(kMaxRank);
    auto& list = at_ == At::in_shape ? shape_ : offsets_;
    if (list.size() == limit) fail_in(file_, Status::bad_file, "%s has more than %zu numbers", here().c_str(), limit);
    list.push_back(value);
    return true;
  }
  bool string(std::string& text) override {
    if (at_ == At::metadata_value) {
      if (!header_.metadata.emplace(key_, std::move(text)).second)
        fail_in(file_, Status::bad_file, "'__metadata__': key '%s' appears twice", display(key_).c_str());
      at_ = At::metadata_keys;
    } else if (at_ == At::dtype) {
      dtype_ = dtype_named(text);
      if (!dtype_ && !keeps_unreadable_)
        fail_in(file_, Status::unsupported, "tensor '%s': unsupported dtype '%s'", display(name_).c_str(),
                display(text).c_str());
      if (!dtype_) why_ = "has dtype '" + display(text) + "', which is not supported";
      at_ = At::fields;
    } else {
      unexpected("a string");
    }
    return true;
  }
  bool start_object(size_t) override {
    if (at_ == At::start)
      at_ = At::names;
    else if (at_ == At::metadata)
      at_ = At::metadata_keys;
    else if (at_ == At::tensor)
      at_ = At::fields;
    else
      unexpected("an object");
    return true;
  }
  bool key(std::string& key) override {
    if (at_ == At::names)
      begin_entry(std::move(key));
    else if (at_ == At::metadata_keys) {
      key_ = std::move(key);
      at_ = At::metadata_value;
    } else
      begin_field(key);
    return true;
  }
  bool end_object() override {
    if (at_ == At::fields) finish_tensor();
    at_ = At::names;
    return true;
  }
  bool start_array(size_t) override {
    if (at_ == At::shape)
      at_ = At::in_shape;
    else if (at_ == At::offsets)
      at_ = At::in_offsets;
    else
      unexpected("an array");
    return true;
  }
  bool end_array() override {
    at_ = At::fields;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail_in(file_, Status::bad_file, "the header is not valid JSON at byte %zu of it", position);
  }

 private:
  enum class At {
    start,
    names,
    metadata,
    metadata_keys,
    metadata_value,
    tensor,
    fields,
    dtype,
    shape,
    in_shape,
    offsets,
    in_offsets
  };

  void begin_entry(std::string name) {
    if (name == "__metadata__") {
      if (seen_metadata_) fail_in(file_, Status::bad_file, "'__metadata__' appears twice");
      seen_metadata_ = true;
      at_ = At::metadata;
      return;
    }
    check_name(file_, "tensor name", name);
    name_ = std::move(name);
    seen_dtype_ = seen_shape_ = seen_offsets_ = false;
    why_.clear();
    shape_.clear();
    offsets_.clear();
    at_ = At::tensor;
  }

  void begin_field(const std::string& key) {
    bool* seen = key == "dtype"          ? &seen_dtype_
                 : key == "shape"        ? &seen_shape_
                 : key == "data_offsets" ? &seen_offsets_
                                         : nullptr;
    if (seen == nullptr)
      fail_in(file_, Status::bad_file, "tensor '%s': unknown key '%s'", display(name_).c_str(), display(key).c_str());
    if (*seen)
      fail_in(file_, Status::bad_file, "tensor '%s': key '%s' appears twice", display(name_).c_str(), key.c_str());
    *seen = true;
    at_ = seen == &seen_dtype_ ? At::dtype : seen == &seen_shape_ ? At::shape : At::offsets;
  }

  void finish_tensor() {
    if (header_.tensors.size() == kMostTensors)
      fail_in(file_, Status::unsupported, "more than %zu tensors", kMostTensors);
    const char* missing = !seen_dtype_ ? "dtype" : !seen_shape_ ? "shape" : !seen_offsets_ ? "data_offsets" : nullptr;
    if (missing) fail_in(file_, Status::bad_file, "tensor '%s': '%s' is missing", display(name_).c_str(), missing);
    if (offsets_.size() != 2)
      fail_in(file_, Status::bad_file, "tensor '%s': data_offsets has %zu numbers, expected 2", display(name_).c_str(),
              offsets_.size());
    if (keeps_unreadable_ && cannot_be_read()) {
      keep_unreadable();
      return;
    }
    FileTensor tensor{make_entry(file_, std::move(name_), *dtype_, shape_), offsets_[0]};
    const TensorEntry& e = tensor.entry;
    if (offsets_[1] < offsets_[0] || offsets_[1] - offsets_[0] != e.bytes)
      fail_in(file_, Status::bad_file, "tensor '%s': data_offsets [%ju,%ju] do not hold the %ju bytes of %s %s",
              display(e.name).c_str(), offsets_[0], offsets_[1], e.bytes, puna::name(e.dtype), e.shape.text().c_str());
    header_.tensors.push_back(std::move(tensor));
  }

  bool cannot_be_read() {
    const bool empty = std::find(shape_.begin(), shape_.end(), uint64_t{0}) != shape_.end();
    if (why_.empty() && shape_.size() > size_t(kMaxRank))
      why_ = "has " + std::to_string(shape_.size()) + " dimensions, expected at most " + std::to_string(kMaxRank);
    else if (why_.empty() && empty)
      why_ = "is empty: one of its dimensions is 0";
    return !why_.empty();
  }
  void keep_unreadable() {
    const bool empty = std::find(shape_.begin(), shape_.end(), uint64_t{0}) != shape_.end();
    if (offsets_[1] < offsets_[0] || (empty && offsets_[1] != offsets_[0]))
      fail_in(file_, Status::bad_file, "tensor '%s': data_offsets [%ju,%ju] hold no tensor", display(name_).c_str(),
              offsets_[0], offsets_[1]);
    FileTensor tensor;
    tensor.entry.name = std::move(name_);
    tensor.entry.bytes = offsets_[1] - offsets_[0];
    tensor.offset = offsets_[0];
    tensor.unreadable = std::move(why_);
    header_.tensors.push_back(std::move(tensor));
  }

  // Where the parser is, as the subject of a sentence.
  std::string here() const {
    const std::string tensor = "tensor '" + display(name_) + "'";
    switch (at_) {
      case At::start:
      case At::names: return "the header";
      case At::metadata:
      case At::metadata_keys: return "'__metadata__'";
      case At::metadata_value: return "'__metadata__' key '" + display(key_) + "'";
      case At::tensor:
      case At::fields: return tensor;
      case At::dtype: return tensor + ": dtype";
      case At::shape:
      case At::in_shape: return tensor + ": shape";
      case At::offsets:
      case At::in_offsets: return tensor + ": data_offsets";
    }
    return "the header";
  }
  const char* expected() const noexcept {
    switch (at_) {
      case At::metadata_value:
      case At::dtype: return "a string";
      case At::shape:
      case At::offsets: return "an array of integers";
      case At::in_shape:
      case At::in_offsets: return "non-negative integers";
      default: return "an object";
    }
  }
  [[noreturn]] void unexpected(const char* found) const {
    fail_in(file_, Status::bad_file, "%s has %s, expected %s", here().c_str(), found, expected());
  }

  const std::string& file_;
  SafetensorsHeader& header_;
  bool keeps_unreadable_;
  At at_ = At::start;
  bool seen_metadata_ = false;
  std::string key_;   // of __metadata__
  std::string name_;  // of the tensor that is open, and its fields:
  std::string why_;   // it cannot be read
  bool seen_dtype_ = false, seen_shape_ = false, seen_offsets_ = false;
  std::optional<DType> dtype_;
  std::vector<uint64_t> shape_, offsets_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file, const Watch& watch,
                                           Unreadable unreadable) {
  if (json.empty() || json[0] != '{') fail_in(file, Status::bad_file, "the safetensors header does not start with '{'");
  SafetensorsHeader header;
  HeaderParser parser(file, header, unreadable);
  walk_json(json, parser, watch);
  return header;
}

const char* safetensors_type_name(DType dtype) noexcept {
  for (const DType t : kTypes)
    if (t == dtype) return name(t);
  return nullptr;
}

}  // namespace puna::io
