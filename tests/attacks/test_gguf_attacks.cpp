// test_gguf_attacks.cpp -- hostile GGUF files, each a valid one with one thing corrupted. (Absurd hyper-parameters and
// vocabularies are well-formed files: the model refuses them.)
#include <array>
#include <random>

#include "attacks/attack.h"
#include "io/gguf_header.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace {

// Behind the header's magic and version: tensor count at 8, key count at 16.
// Behind a key's name: value type u32, then the value; an array: element type u32 at +4, count u64 at +8, elements at
// +16. Behind a tensor's name: rank u32, dims u64 (innermost first), type u32, offset u64.
constexpr int kTensorCount = 8, kKeyCount = 16, kType = 0, kValue = 4, kElementType = 4, kCount = 8, kElements = 16,
              kRank = 0, kDims = 4;
constexpr int type_of(int rank) { return kDims + 8 * rank; }
constexpr int offset_of(int rank) { return type_of(rank) + 4; }
constexpr Status bad = Status::bad_file, unsupported = Status::unsupported;

const Attack kAttacks[] = {
    // ---- the first bytes
    {"wrong magic", at(0, 'X'), bad, "not a GGUF file"},
    {"version 1", at(4, uint32_t{1}), unsupported, "version 1"},
    {"version 4", at(4, uint32_t{4}), unsupported, "version 4"},
    {"version 0", at(4, uint32_t{0}), unsupported, "version 0"},
    {"big-endian", at(4, uint32_t{0x03000000}), unsupported, "big-endian"},
    {"2^64-1 tensors", at(kTensorCount, UINT64_MAX), bad, "tensor count"},
    {"2^60 tensors: 16 bytes each overflow", at(kTensorCount, uint64_t{1} << 60), bad, "tensor count"},
    {"more tensors than bytes", at(kTensorCount, uint64_t{1000}), bad, "tensor count"},
    {"one tensor more than there is", at(kTensorCount, uint64_t{4}), bad, "tensor"},
    {"2^64-1 keys", at(kKeyCount, UINT64_MAX), bad, "metadata count"},
    {"one key more than there is", at(kKeyCount, uint64_t{17}), bad, "tensor name, element 0"},

    // ---- keys
    {"a key of 2^64-1 bytes", at(24, UINT64_MAX), bad, "metadata key, element 0"},
    {"an empty key", at(24, uint64_t{0}), bad, "metadata key is empty"},
    {"a key that is not UTF-8", behind("test.text", -1, '\xFF'), bad, "test.tex\\xFF"},
    {"a key with a NUL", behind("test.text", -2, '\0'), bad, "test.te\\x00t"},
    {"a key with an overlong UTF-8 form", renamed("test.text", "test.te\xC0\x80"), bad, "test.te\\xC0\\x80"},
    {"the same key twice", renamed("test.longs", "test.types"), bad, "'test.types' appears twice"},

    // ---- values
    {"value type 13", behind("test.count", kType, uint32_t{13}), bad, "'test.count' has value type 13"},
    {"value type 2^32-1", behind("test.count", kType, UINT32_MAX), bad, "test.count"},
    {"a bool of 2", behind("test.flag", kValue, '\2'), bad, "test.flag"},
    {"a string of 2^64-1 bytes", behind("test.text", kValue, UINT64_MAX), bad, "test.text"},
    {"a string of 1 GiB", behind("test.text", kValue, uint64_t{1} << 30), bad, "test.text"},
    {"a number read as an array", behind("test.count", kType, uint32_t{9}), bad, "test.count"},
    {"an array of 2^64-1 integers", behind("test.types", kCount, UINT64_MAX), bad, "test.types"},
    {"an array of 2^62 integers: 4 bytes each overflow", behind("test.types", kCount, uint64_t{1} << 62), bad,
     "test.types"},
    {"an array of 2^31 integers", behind("test.types", kCount, uint64_t{1} << 31), bad, "test.types"},
    {"an array of 2^61 doubles: 8 bytes each overflow", behind("test.reals", kCount, uint64_t{1} << 61), bad,
     "test.reals"},
    {"an array of 2^64-1 strings", behind("test.tokens", kCount, UINT64_MAX), bad, "test.tokens"},
    {"a giant string inside an array", behind("test.tokens", kElements, UINT64_MAX), bad, "'test.tokens', element 0"},
    {"an array of arrays", behind("test.types", kElementType, uint32_t{9}), unsupported, "test.types"},
    {"an array of type 99", behind("test.types", kElementType, uint32_t{99}), bad, "'test.types' has value type 99"},
    {"an array of u64 above 2^63", behind("test.longs", kElementType, uint32_t{10}), unsupported,
     "'test.longs', element 1"},
    {"an array of bools that are none",
     all({behind("test.types", kElementType, uint32_t{7}), behind("test.types", kElements, '\2')}), bad,
     "'test.types', element 0"},
    {"alignment 0", behind("general.alignment", kValue, uint32_t{0}), bad, "general.alignment"},
    {"alignment 33", behind("general.alignment", kValue, uint32_t{33}), bad, "general.alignment"},
    {"alignment 2^31", behind("general.alignment", kValue, uint32_t{1} << 31), bad, "general.alignment"},
    {"an alignment that is a float", behind("general.alignment", kType, uint32_t{6}), bad, "general.alignment"},
    {"an alignment that is negative",
     all({behind("general.alignment", kType, uint32_t{5}), behind("general.alignment", kValue, int32_t{-32})}), bad,
     "general.alignment"},
    {"a split count that is a float", renamed("test.single", "split.count"), bad, "split.count"},
    {"a split count without the file's number",
     all({renamed("test.single", "split.count"), behind("split.count", kType, uint32_t{4}),
          behind("split.count", kValue, uint32_t{3})}),
     bad, "'split.no' is missing"},
    {"a negative split count",
     all({renamed("test.single", "split.count"), behind("split.count", kType, uint32_t{5}),
          behind("split.count", kValue, int32_t{-1})}),
     bad, "split.count"},

    // ---- tensors
    {"a tensor name of 2^64-1 bytes", behind("first", -13, UINT64_MAX), bad, "tensor name, element 0"},
    {"a tensor name that is not UTF-8", behind("first", -1, '\xC3'), bad, "firs\\xC3"},
    {"the same tensor twice", renamed("third", "first"), bad, "'first' appears twice"},
    {"rank 5", behind("first", kRank, uint32_t{5}), bad, "'first' has 5 dimensions"},
    {"rank 2^32-1", behind("first", kRank, UINT32_MAX), bad, "'first' has 4294967295 dimensions"},
    {"a dimension of 0", behind("first", kDims, uint64_t{0}), bad, "'first': dimension 1 is 0"},
    {"a dimension of -1", behind("first", kDims, int64_t{-1}), bad, "'first': dimension 1 is -1"},
    {"a dimension of -2^63", behind("first", kDims + 8, INT64_MIN), bad, "'first': dimension 0"},
    {"a dimension of 2^63-1", behind("first", kDims, INT64_MAX), bad, "'first'"},
    {"dimensions whose product is 2^64",
     all({behind("first", kDims, uint64_t{1} << 32), behind("first", kDims + 8, uint64_t{1} << 32)}), bad, "'first'"},
    {"dimensions whose byte size wraps to 512",
     all({behind("first", kDims, (uint64_t{1} << 62) + 128), behind("first", kDims + 8, uint64_t{1})}), bad, "'first'"},
    {"dimensions of 2^32, 2, 2^31, 4: the product is 2^66",
     all({behind("third", kDims, uint64_t{1} << 32), behind("third", kDims + 16, uint64_t{1} << 31)}), bad, "'third'"},
    {"a dimension larger than the file", behind("first", kDims, uint64_t{1} << 20), bad, "'first'"},
    {"a row that is no whole number of blocks", behind("second", kDims, uint64_t{31}), bad, "'second': rows of 31"},
    {"a removed type", behind("first", type_of(2), uint32_t{4}), unsupported, "'first' has type 4 (Q4_2)"},
    {"a type this build does not read", behind("first", type_of(2), uint32_t{40}), unsupported,
     "'first' has type 40 (NVFP4)"},
    {"a type whose blocks do not fill a row", behind("first", type_of(2), uint32_t{16}), bad, "'first': rows of"},
    {"type 2^32-1", behind("first", type_of(2), UINT32_MAX), unsupported, "'first' has type 4294967295 (unknown)"},
    {"an offset of 2^64-32", behind("first", offset_of(2), uint64_t(-32)), bad, "'first'"},
    {"an offset so that its end wraps to the start", behind("first", offset_of(2), uint64_t(-512)), bad, "'first'"},
    {"an offset outside the file", behind("third", offset_of(4), uint64_t{1} << 40), bad, "'third'"},
    {"an offset one unit too far", behind("third", offset_of(4), uint64_t{640 + 32}), bad, "'third'"},
    {"an offset that is not aligned", behind("third", offset_of(4), uint64_t{641}), bad, "'third': offset 641"},
    {"two tensors at the same place", behind("third", offset_of(4), uint64_t{0}), bad, "overlaps"},
    {"two tensors that overlap by one unit", behind("third", offset_of(4), uint64_t{608}), bad,
     "'third' at offset 608 overlaps tensor 'second'"},
};

void expect_error(const std::string& bytes, Status status, const std::string& field) {
  for (const SourcePtr& source : sources_of(bytes))
    expect_refused(bytes.size(), status, kFile, field,
                   [&](const Context& context) { load_checkpoint(context, source); });
}

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

}  // namespace

TEST_CASE("the file the attacks start from is valid", "[attacks][gguf]") {
  const std::string bytes = tiny_gguf();
  for (const SourcePtr& source : sources_of(bytes))
    CHECK(load_checkpoint(*test_context_without_kernels(), source).tensors.size() == 3);
}

TEST_CASE("hostile GGUF files are refused by name", "[attacks][gguf]") {
  const std::string valid = tiny_gguf();
  for (const Attack& attack : kAttacks) {
    CAPTURE(attack.name);
    AttackedFile file{valid};
    attack.mutate(file);
    REQUIRE(file.bytes != valid);
    expect_error(file.bytes, attack.status, attack.field);
  }
}

TEST_CASE("a GGUF file cut anywhere is refused", "[attacks][gguf]") {
  const std::string valid = tiny_gguf();
  for (size_t n = 1; n < valid.size(); ++n) {
    CAPTURE(n, valid.size());
    expect_error(valid.substr(0, n), bad, "");
  }
}

TEST_CASE("a file cut to nothing is refused", "[attacks][gguf]") {
  const TempFolder folder;
  write_file(folder / kFile, "");
  expect_refused(0, Status::bad_file, kFile, "empty",
                 [&](const Context& context) { load_checkpoint(context, folder / kFile); });
}

TEST_CASE("a GGUF header costs memory in proportion to its size", "[attacks][gguf]") {
  constexpr uint64_t n = 1 << 20;
  const std::string start = std::string("GGUF") + raw(uint32_t{3});
  const std::string array = raw(uint64_t{0}) + raw(uint64_t{1}) + raw(uint64_t{1}) + "k" + raw(uint32_t{9});
  const std::string many_strings = start + array + raw(uint32_t{8}) + raw(n) + std::string(8 * n, '\0');
  const std::string many_bytes = start + array + raw(uint32_t{0}) + raw(8 * n) + std::string(8 * n, '\0');
  std::string many_keys = start + raw(uint64_t{0}) + raw(n / 4), many_tensors = start + raw(n / 8) + raw(uint64_t{0});
  const auto name = [](uint64_t i) { return raw(uint64_t{7}) + std::to_string(1000000 + i); };
  for (uint64_t i = 0; i < n / 4; ++i) many_keys += name(i) + raw(uint32_t{0}) + '\0';
  for (uint64_t i = 0; i < n / 8; ++i) many_tensors += name(i) + raw(uint32_t{0}) + raw(uint32_t{0}) + raw(uint64_t{0});
  for (const std::string* bytes :
       std::initializer_list<const std::string*>{&many_strings, &many_bytes, &many_keys, &many_tensors}) {
    const ContextPtr context = test_context_without_kernels();
    const SourcePtr source = open_memory_source(bytes->data(), bytes->size(), kFile);
    const auto begin = std::chrono::steady_clock::now();
    const HeapMeter heap;
    try {
      load_checkpoint(*context, source);
    } catch (const Error& e) {
      CHECK(e.status() == Status::bad_file);
    }
    CAPTURE(bytes->size(), HeapMeter::peak());
    CHECK(HeapMeter::peak() < 12 * bytes->size());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
  }
}

TEST_CASE("a GGUF header longer than any real one is refused unread", "[attacks][gguf]") {
  struct Endless {  // a 1 TB file of one array, from a host that makes it up as it is read
    uint64_t read = 0;
    std::string start = std::string("GGUF") + raw(uint32_t{3}) + raw(uint64_t{0}) + raw(uint64_t{1}) +
                        raw(uint64_t{1}) + "k" + raw(uint32_t{9}) + raw(uint32_t{0}) + raw(uint64_t{1} << 39);
  } endless;
  const SourcePtr source = open_read_at_source({&endless, uint64_t{1} << 40,
                                                [](void* user, uint64_t offset, uint64_t n, void* dst) {
                                                  auto* e = static_cast<Endless*>(user);
                                                  e->read += n;
                                                  memset(dst, 0, n);
                                                  if (offset == 0) memcpy(dst, e->start.data(), e->start.size());
                                                  return 0;
                                                }},
                                               kFile);
  expect_refused(0, Status::bad_file, kFile, "'k'", [&](const Context& context) { load_checkpoint(context, source); });
  CHECK(endless.read < 1 << 20);
}

TEST_CASE("a GGUF file with random damage is read or refused, and never leads outside itself", "[attacks][gguf]") {
  const std::string valid = tiny_gguf();
  const ContextPtr context = test_context_without_kernels();
  std::mt19937 random(20240229);
  size_t read = 0, refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = valid;
    for (uint32_t hits = 1 + random() % 3; hits > 0; --hits) {
      const size_t at = random() % bytes.size();
      bytes[at] = static_cast<char>(random() % 4 ? random() : std::array<int, 4>{0, 255, 127, 128}[random() % 4]);
    }
    try {
      const Checkpoint c = load_checkpoint(*context, open_memory_source(bytes.data(), bytes.size(), kFile));
      for (const TensorEntry& e : c.tensors.entries()) {
        const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
        const bool inside = e.data >= begin && e.data + e.bytes <= begin + bytes.size();
        REQUIRE((inside || context->allocator()->used() >= e.bytes));
      }
      ++read;
    } catch (const Error& e) {
      REQUIRE((e.status() == Status::bad_file || e.status() == Status::unsupported));
      REQUIRE(std::string(e.what()).find(kFile) != std::string::npos);
      ++refused;
    }
  }
  CHECK(read > 0);
  CHECK(refused > 0);
}

TEST_CASE("arrays that become many times their size are refused before they are read", "[attacks][gguf]") {
  const auto file = [](uint32_t type, uint64_t n, size_t bytes) {
    std::string out("GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0a\x09\0\0\0", 37);
    out.append(reinterpret_cast<const char*>(&type), 4).append(reinterpret_cast<const char*>(&n), 8);
    return out + std::string(bytes, '\0');
  };
  struct Case {
    const char* what;
    uint32_t type;
    size_t element;
  };
  for (const Case& c : {Case{"u8", 0, 1}, {"i8", 1, 1}, {"u16", 2, 2}, {"bool", 7, 1}, {"texts", 8, 8}}) {
    const uint64_t n = (40 << 20) / c.element;
    const std::string bytes = file(c.type, n, 40 << 20);
    CAPTURE(c.what);
    const HeapMeter heap;
    std::string error;
    try {
      io::read_gguf_header(*open_memory_source(bytes.data(), bytes.size(), kFile));
    } catch (const Error& e) {
      error = e.what();
    }
    CHECK_THAT(error, Catch::Contains("metadata 'a' has " + std::to_string(n) + " elements"));
    CHECK(HeapMeter::peak() < 1 << 20);
  }
  const std::string fits = file(0, 1 << 20, 1 << 20);
  CHECK(io::read_gguf_header(*open_memory_source(fits.data(), fits.size(), kFile)).metadata.integers("a")->size() ==
        1 << 20);
}

TEST_CASE("more tensors than any model has are refused before memory is allocated for them", "[attacks][gguf]") {
  const uint64_t n = (1 << 18) + 1;
  std::string bytes("GGUF\3\0\0\0", 8);
  bytes.append(reinterpret_cast<const char*>(&n), 8).append(8 + 24 * n, '\0');
  const HeapMeter heap;
  CHECK_THROWS_WITH(io::read_gguf_header(*open_memory_source(bytes.data(), bytes.size(), kFile)),
                    Catch::Contains("262145 tensors, expected at most 262144"));
  CHECK(HeapMeter::peak() < 1 << 20);
}
