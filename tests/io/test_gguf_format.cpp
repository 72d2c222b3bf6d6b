// test_gguf_format.cpp -- the format as others write it: all thirteen value types as scalars and arrays, versions 2 and
// 3, alignments, gaps and other orders of the data. Files are put together byte by byte, independently of our writer.
#include <cstring>
#include <string>

#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "support/catch.h"
#include "support/context.h"

using namespace puna;
using namespace puna::test;

namespace {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string text(const std::string& s) { return raw(uint64_t(s.size())) + s; }
template <class T>
std::string scalar(const std::string& key, uint32_t type, T value) {
  return text(key) + raw(type) + raw(value);
}
template <class T>
std::string array(const std::string& key, uint32_t type, T a, T b) {
  return text(key) + raw(uint32_t{9}) + raw(type) + raw(uint64_t{2}) + raw(a) + raw(b);
}
std::string tensor(const std::string& name, std::initializer_list<uint64_t> innermost_first, uint32_t type,
                   uint64_t offset) {
  std::string s = text(name) + raw(uint32_t(innermost_first.size()));
  for (const uint64_t d : innermost_first) s += raw(d);
  return s + raw(type) + raw(offset);
}
std::string header(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  return "GGUF" + raw(version) + raw(tensors) + raw(keys);
}
std::string padded(std::string s, size_t alignment) {
  s.resize((s.size() + alignment - 1) / alignment * alignment, '\0');
  return s;
}

// The checkpoint borrows `bytes`.
Checkpoint load(const std::string& bytes) {
  return load_checkpoint(*test_context_without_kernels(), open_memory_source(bytes.data(), bytes.size(), "file"));
}

}  // namespace

TEST_CASE("every value type is read as what it means", "[io][gguf]") {
  std::string file = header(0, 24);
  file += scalar("u8", 0, uint8_t{200}) + scalar("i8", 1, int8_t{-100});
  file += scalar("u16", 2, uint16_t{60000}) + scalar("i16", 3, int16_t{-30000});
  file += scalar("u32", 4, uint32_t{4000000000}) + scalar("i32", 5, int32_t{-2000000000});
  file += scalar("f32", 6, 0.5f) + scalar("bool", 7, uint8_t{1}) + text("string") + raw(uint32_t{8}) + text("\xFFtext");
  file += scalar("u64", 10, uint64_t{1} << 63) + scalar("i64", 11, INT64_MIN) + scalar("f64", 12, 0.1);
  file += array("au8", 0, uint8_t{200}, uint8_t{1}) + array("ai8", 1, int8_t{-100}, int8_t{1});
  file += array("au16", 2, uint16_t{60000}, uint16_t{1}) + array("ai16", 3, int16_t{-30000}, int16_t{1});
  file += array("au32", 4, uint32_t{4000000000}, uint32_t{1}) + array("ai32", 5, int32_t{-2000000000}, int32_t{1});
  file += array("af32", 6, 0.5f, 1.0f) + array("abool", 7, uint8_t{1}, uint8_t{0});
  file += text("astring") + raw(uint32_t{9}) + raw(uint32_t{8}) + raw(uint64_t{2}) + text("x") + text("");
  file += array("au64", 10, uint64_t(INT64_MAX), uint64_t{1}) + array("ai64", 11, INT64_MIN, int64_t{1}) +
          array("af64", 12, 0.1, 1.0);
  const Checkpoint c = load(file);
  const auto value = [&](const char* key) {
    REQUIRE(c.metadata.find(key));
    return *c.metadata.find(key);
  };
  using Integers = std::vector<int64_t>;
  using Reals = std::vector<double>;
  CHECK(value("u8") == MetadataValue(int64_t{200}));
  CHECK(value("i8") == MetadataValue(int64_t{-100}));
  CHECK(value("u16") == MetadataValue(int64_t{60000}));
  CHECK(value("i16") == MetadataValue(int64_t{-30000}));
  CHECK(value("u32") == MetadataValue(int64_t{4000000000}));
  CHECK(value("i32") == MetadataValue(int64_t{-2000000000}));
  CHECK(value("f32") == MetadataValue(0.5));
  CHECK(value("bool") == MetadataValue(true));
  CHECK(value("string") == MetadataValue(std::string("\xFFtext")));
  CHECK(value("u64") == MetadataValue(uint64_t{1} << 63));
  CHECK(value("i64") == MetadataValue(INT64_MIN));
  CHECK(value("f64") == MetadataValue(0.1));
  CHECK(value("au8") == MetadataValue(Integers{200, 1}));
  CHECK(value("ai8") == MetadataValue(Integers{-100, 1}));
  CHECK(value("au16") == MetadataValue(Integers{60000, 1}));
  CHECK(value("ai16") == MetadataValue(Integers{-30000, 1}));
  CHECK(value("au32") == MetadataValue(Integers{4000000000, 1}));
  CHECK(value("ai32") == MetadataValue(Integers{-2000000000, 1}));
  CHECK(value("af32") == MetadataValue(Reals{0.5, 1}));
  CHECK(value("abool") == MetadataValue(Integers{1, 0}));
  CHECK(value("astring") == MetadataValue(std::vector<std::string>{"x", ""}));
  CHECK(value("au64") == MetadataValue(Integers{INT64_MAX, 1}));
  CHECK(value("ai64") == MetadataValue(Integers{INT64_MIN, 1}));
  CHECK(value("af64") == MetadataValue(Reals{0.1, 1}));
}

TEST_CASE("version 2 has the layout of version 3", "[io][gguf]") {
  CHECK(load(header(0, 1, 2) + scalar("n", 4, uint32_t{3})).metadata.integer("n", 0, 9) == 3);
}

TEST_CASE("dimensions come outermost first, offsets count from the aligned data, any order and gaps are fine",
          "[io][gguf]") {
  const size_t alignment = GENERATE(8, 32, 4096);
  std::string file = header(2, 1) + scalar("general.alignment", 4, uint32_t(alignment)) +
                     tensor("late", {3, 2}, 0, 2 * alignment) + tensor("early", {4}, 24, 0);
  file = padded(file, alignment);
  const size_t data = file.size();
  file += padded("\1\2\3\4", alignment) + std::string(alignment, 'g');
  for (int i = 0; i < 6; ++i) file += raw(float(i));
  file += "trailing bytes";
  const Checkpoint c = load(file);
  REQUIRE(c.tensors.size() == 2);
  const TensorEntry& late = c.tensors.entries()[0];
  CHECK(late.shape == Shape{2, 3});
  CHECK(late.bytes == 24);
  float last = 0;
  memcpy(&last, late.data + 20, 4);
  CHECK(last == 5.0f);
  CHECK(c.tensors.find("early")->dtype == DType::i8);
  CHECK(c.tensors.find("early")->data[3] == std::byte{4});
  CHECK(late.data - reinterpret_cast<const std::byte*>(file.data()) == ptrdiff_t(data + 2 * alignment));
}
