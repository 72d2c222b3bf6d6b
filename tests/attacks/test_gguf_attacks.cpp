// test_gguf_attacks.cpp -- hostile GGUF files, each a valid one with one thing spoilt. (Absurd hyper-parameters and vocabularies
// are well-formed files: the model refuses them.)
#include <array>
#include <random>

#include "attacks/attack.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace {

// Behind the header's magic and version: tensor count at 8, key count at 16.
// Behind a key's name: value type u32, then the value; an array: element type u32 at +4, count u64 at +8, elements at +16.
// Behind a tensor's name: rank u32, dims u64 (innermost first), type u32, offset u64.
constexpr size_t kTensorCount = 8, kKeyCount = 16, kValue = 4, kElementType = 4, kCount = 8, kElements = 16;
constexpr size_t kDims = 4;
size_t type_of(int rank) { return 4 + 8 * size_t(rank); }
size_t offset_of(int rank) { return type_of(rank) + 4; }

const Attack kAttacks[] = {
    // ---- the first bytes
    {"wrong magic", [](Victim& v) { v.put(0, 'X'); }, Status::bad_file, "not a GGUF file"},
    {"version 1", [](Victim& v) { v.put(4, uint32_t{1}); }, Status::unsupported, "version 1"},
    {"version 4", [](Victim& v) { v.put(4, uint32_t{4}); }, Status::unsupported, "version 4"},
    {"version 0", [](Victim& v) { v.put(4, uint32_t{0}); }, Status::unsupported, "version 0"},
    {"big-endian", [](Victim& v) { v.put(4, uint32_t{0x03000000}); }, Status::unsupported, "big-endian"},
    {"2^64-1 tensors", [](Victim& v) { v.put(kTensorCount, UINT64_MAX); }, Status::bad_file, "tensor count"},
    {"2^60 tensors: 16 bytes each overflow", [](Victim& v) { v.put(kTensorCount, uint64_t{1} << 60); }, Status::bad_file, "tensor count"},
    {"more tensors than bytes", [](Victim& v) { v.put(kTensorCount, uint64_t{1000}); }, Status::bad_file, "tensor count"},
    {"one tensor more than there is", [](Victim& v) { v.put(kTensorCount, uint64_t{4}); }, Status::bad_file, "tensor"},
    {"2^64-1 keys", [](Victim& v) { v.put(kKeyCount, UINT64_MAX); }, Status::bad_file, "metadata count"},
    {"one key more than there is", [](Victim& v) { v.put(kKeyCount, uint64_t{17}); }, Status::bad_file, "tensor name, element 0"},

    // ---- keys
    {"a key of 2^64-1 bytes", [](Victim& v) { v.put(24, UINT64_MAX); }, Status::bad_file, "metadata key, element 0"},
    {"an empty key", [](Victim& v) { v.put(24, uint64_t{0}); }, Status::bad_file, "metadata key is empty"},
    {"a key that is not UTF-8", [](Victim& v) { v.put(v.behind("test.text") - 1, '\xFF'); }, Status::bad_file, "test.tex\\xFF"},
    {"a key with a NUL", [](Victim& v) { v.put(v.behind("test.text") - 2, '\0'); }, Status::bad_file, "test.te\\x00t"},
    {"a key with an overlong UTF-8 form", [](Victim& v) { v.replace("test.text", "test.te\xC0\x80"); }, Status::bad_file, "test.te\\xC0\\x80"},
    {"the same key twice", [](Victim& v) { v.replace("test.longs", "test.types"); }, Status::bad_file, "'test.types' appears twice"},

    // ---- values
    {"value type 13", [](Victim& v) { v.put(v.behind("test.count"), uint32_t{13}); }, Status::bad_file, "'test.count' has value type 13"},
    {"value type 2^32-1", [](Victim& v) { v.put(v.behind("test.count"), UINT32_MAX); }, Status::bad_file, "test.count"},
    {"a bool of 2", [](Victim& v) { v.put(v.behind("test.flag") + kValue, '\2'); }, Status::bad_file, "test.flag"},
    {"a string of 2^64-1 bytes", [](Victim& v) { v.put(v.behind("test.text") + kValue, UINT64_MAX); }, Status::bad_file, "test.text"},
    {"a string of 1 GiB", [](Victim& v) { v.put(v.behind("test.text") + kValue, uint64_t{1} << 30); }, Status::bad_file, "test.text"},
    {"a number read as an array", [](Victim& v) { v.put(v.behind("test.count"), uint32_t{9}); }, Status::bad_file, "test.count"},
    {"an array of 2^64-1 integers", [](Victim& v) { v.put(v.behind("test.types") + kCount, UINT64_MAX); }, Status::bad_file, "test.types"},
    {"an array of 2^62 integers: 4 bytes each overflow", [](Victim& v) { v.put(v.behind("test.types") + kCount, uint64_t{1} << 62); }, Status::bad_file, "test.types"},
    {"an array of 2^31 integers", [](Victim& v) { v.put(v.behind("test.types") + kCount, uint64_t{1} << 31); }, Status::bad_file, "test.types"},
    {"an array of 2^61 doubles: 8 bytes each overflow", [](Victim& v) { v.put(v.behind("test.reals") + kCount, uint64_t{1} << 61); }, Status::bad_file, "test.reals"},
    {"an array of 2^64-1 strings", [](Victim& v) { v.put(v.behind("test.tokens") + kCount, UINT64_MAX); }, Status::bad_file, "test.tokens"},
    {"a giant string inside an array", [](Victim& v) { v.put(v.behind("test.tokens") + kElements, UINT64_MAX); }, Status::bad_file, "'test.tokens', element 0"},
    {"an array of arrays", [](Victim& v) { v.put(v.behind("test.types") + kElementType, uint32_t{9}); }, Status::unsupported, "test.types"},
    {"an array of type 99", [](Victim& v) { v.put(v.behind("test.types") + kElementType, uint32_t{99}); }, Status::bad_file, "'test.types' has value type 99"},
    {"an array of u64 above 2^63", [](Victim& v) { v.put(v.behind("test.longs") + kElementType, uint32_t{10}); }, Status::unsupported, "'test.longs', element 1"},
    {"an array of bools that are none", [](Victim& v) { v.put(v.behind("test.types") + kElementType, uint32_t{7}); v.put(v.behind("test.types") + kElements, '\2'); },
     Status::bad_file, "'test.types', element 0"},
    {"alignment 0", [](Victim& v) { v.put(v.behind("general.alignment") + kValue, uint32_t{0}); }, Status::bad_file, "general.alignment"},
    {"alignment 33", [](Victim& v) { v.put(v.behind("general.alignment") + kValue, uint32_t{33}); }, Status::bad_file, "general.alignment"},
    {"alignment 2^31", [](Victim& v) { v.put(v.behind("general.alignment") + kValue, uint32_t{1} << 31); }, Status::bad_file, "general.alignment"},
    {"an alignment that is a float", [](Victim& v) { v.put(v.behind("general.alignment"), uint32_t{6}); }, Status::bad_file, "general.alignment"},
    {"an alignment that is negative", [](Victim& v) { v.put(v.behind("general.alignment"), uint32_t{5}); v.put(v.behind("general.alignment") + kValue, int32_t{-32}); },
     Status::bad_file, "general.alignment"},
    {"a split count that is a float", [](Victim& v) { v.replace("test.single", "split.count"); }, Status::bad_file, "split.count"},
    {"a split count without the file's number", [](Victim& v) { v.replace("test.single", "split.count"); v.put(v.behind("split.count"), uint32_t{4}); v.put(v.behind("split.count") + kValue, uint32_t{3}); },
     Status::bad_file, "'split.no' is missing"},
    {"a negative split count", [](Victim& v) { v.replace("test.single", "split.count"); v.put(v.behind("split.count"), uint32_t{5}); v.put(v.behind("split.count") + kValue, int32_t{-1}); },
     Status::bad_file, "split.count"},

    // ---- tensors
    {"a tensor name of 2^64-1 bytes", [](Victim& v) { v.put(v.behind("first") - 13, UINT64_MAX); }, Status::bad_file, "tensor name, element 0"},
    {"a tensor name that is not UTF-8", [](Victim& v) { v.put(v.behind("first") - 1, '\xC3'); }, Status::bad_file, "firs\\xC3"},
    {"the same tensor twice", [](Victim& v) { v.replace("third", "first"); }, Status::bad_file, "'first' appears twice"},
    {"rank 5", [](Victim& v) { v.put(v.behind("first"), uint32_t{5}); }, Status::bad_file, "'first' has 5 dimensions"},
    {"rank 2^32-1", [](Victim& v) { v.put(v.behind("first"), UINT32_MAX); }, Status::bad_file, "'first' has 4294967295 dimensions"},
    {"a dimension of 0", [](Victim& v) { v.put(v.behind("first") + kDims, uint64_t{0}); }, Status::bad_file, "'first': dimension 1 is 0"},
    {"a dimension of -1", [](Victim& v) { v.put(v.behind("first") + kDims, int64_t{-1}); }, Status::bad_file, "'first': dimension 1 is -1"},
    {"a dimension of -2^63", [](Victim& v) { v.put(v.behind("first") + kDims + 8, INT64_MIN); }, Status::bad_file, "'first': dimension 0"},
    {"a dimension of 2^63-1", [](Victim& v) { v.put(v.behind("first") + kDims, INT64_MAX); }, Status::bad_file, "'first'"},
    {"dimensions whose product is 2^64", [](Victim& v) { v.put(v.behind("first") + kDims, uint64_t{1} << 32); v.put(v.behind("first") + kDims + 8, uint64_t{1} << 32); },
     Status::bad_file, "'first'"},
    {"dimensions whose byte size wraps to 512", [](Victim& v) { v.put(v.behind("first") + kDims, (uint64_t{1} << 62) + 128); v.put(v.behind("first") + kDims + 8, uint64_t{1}); },
     Status::bad_file, "'first'"},
    {"four dimensions of 2^16: the product is 2^64", [](Victim& v) { for (size_t i = 0; i < 4; ++i) v.put(v.behind("third") + kDims + 8 * i, uint64_t{1} << 16); },
     Status::bad_file, "'third'"},
    {"a dimension larger than the file", [](Victim& v) { v.put(v.behind("first") + kDims, uint64_t{1} << 20); }, Status::bad_file, "'first'"},
    {"a row that is no whole number of blocks", [](Victim& v) { v.put(v.behind("second") + kDims, uint64_t{31}); }, Status::bad_file, "'second': rows of 31"},
    {"a removed type", [](Victim& v) { v.put(v.behind("first") + type_of(2), uint32_t{4}); }, Status::unsupported, "'first' has type 4 (Q4_2)"},
    {"a type this build does not read", [](Victim& v) { v.put(v.behind("first") + type_of(2), uint32_t{16}); }, Status::unsupported, "'first' has type 16 (IQ2_XXS)"},
    {"type 2^32-1", [](Victim& v) { v.put(v.behind("first") + type_of(2), UINT32_MAX); }, Status::unsupported, "'first' has type 4294967295 (unknown)"},
    {"an offset of 2^64-32", [](Victim& v) { v.put(v.behind("first") + offset_of(2), uint64_t(-32)); }, Status::bad_file, "'first'"},
    {"an offset so that its end wraps to the start", [](Victim& v) { v.put(v.behind("first") + offset_of(2), uint64_t(-512)); }, Status::bad_file, "'first'"},
    {"an offset outside the file", [](Victim& v) { v.put(v.behind("third") + offset_of(4), uint64_t{1} << 40); }, Status::bad_file, "'third'"},
    {"an offset one unit too far", [](Victim& v) { v.put(v.behind("third") + offset_of(4), uint64_t{640 + 32}); }, Status::bad_file, "'third'"},
    {"an offset that is not aligned", [](Victim& v) { v.put(v.behind("third") + offset_of(4), uint64_t{641}); }, Status::bad_file, "'third': offset 641"},
    {"two tensors at the same place", [](Victim& v) { v.put(v.behind("third") + offset_of(4), uint64_t{0}); }, Status::bad_file, "overlaps"},
    {"two tensors that overlap by one unit", [](Victim& v) { v.put(v.behind("third") + offset_of(4), uint64_t{608}); }, Status::bad_file, "'third' at offset 608 overlaps tensor 'second'"},
};

void expect_error(const std::string& bytes, Status status, const std::string& field) {
  for (const SourcePtr& source : sources_of(bytes))
    expect_refused(bytes.size(), status, kFile, field, [&](const Context& context) { load_checkpoint(context, source); });
}

template <class T>
std::string raw(T value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

}  // namespace

TEST_CASE("the file the attacks start from is valid", "[attacks][gguf]") {
  const std::string bytes = tiny_gguf();
  for (const SourcePtr& source : sources_of(bytes)) CHECK(load_checkpoint(*test_context_without_kernels(), source).tensors.size() == 3);
}

TEST_CASE("hostile GGUF files are refused by name", "[attacks][gguf]") {
  const std::string valid = tiny_gguf();
  for (const Attack& attack : kAttacks) {
    CAPTURE(attack.name);
    Victim victim{valid};
    attack.spoil(victim);
    REQUIRE(victim.bytes != valid);
    expect_error(victim.bytes, attack.status, attack.field);
  }
}

TEST_CASE("a GGUF file cut anywhere is refused", "[attacks][gguf]") {
  const std::string valid = tiny_gguf();
  for (size_t n = 1; n < valid.size(); ++n) {
    CAPTURE(n, valid.size());
    expect_error(valid.substr(0, n), Status::bad_file, "");
  }
}

TEST_CASE("a file cut to nothing is refused", "[attacks][gguf]") {
  const TempFolder folder;
  write_file(folder / kFile, "");
  expect_refused(0, Status::bad_file, kFile, "empty", [&](const Context& context) { load_checkpoint(context, folder / kFile); });
}

TEST_CASE("a GGUF header costs memory in proportion to its size", "[attacks][gguf]") {
  constexpr uint64_t n = 1 << 20;
  const std::string start = std::string("GGUF") + raw(uint32_t{3});
  const std::string array = raw(uint64_t{0}) + raw(uint64_t{1}) + raw(uint64_t{1}) + "k" + raw(uint32_t{9});
  std::string many_strings = start + array + raw(uint32_t{8}) + raw(n) + std::string(8 * n, '\0');
  std::string many_bytes = start + array + raw(uint32_t{0}) + raw(8 * n) + std::string(8 * n, '\0');
  std::string many_keys = start + raw(uint64_t{0}) + raw(n / 4);
  for (uint64_t i = 0; i < n / 4; ++i) many_keys += raw(uint64_t{4}) + std::to_string(1000000 + i).substr(1).substr(0, 4) + raw(uint32_t{0}) + '\0';
  std::string many_tensors = start + raw(n / 8) + raw(uint64_t{0});
  for (uint64_t i = 0; i < n / 8; ++i) many_tensors += raw(uint64_t{7}) + std::to_string(1000000 + i) + raw(uint32_t{0}) + raw(uint32_t{0}) + raw(uint64_t{0});
  for (const std::string* bytes : {&many_strings, &many_bytes, &many_keys, &many_tensors}) {
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

TEST_CASE("a GGUF header longer than any honest one is refused unread", "[attacks][gguf]") {
  struct Endless {  // a 1 TB file of one array, from a host that makes it up as it is read
    uint64_t read = 0;
    std::string start = std::string("GGUF") + raw(uint32_t{3}) + raw(uint64_t{0}) + raw(uint64_t{1}) + raw(uint64_t{1}) + "k" +
                        raw(uint32_t{9}) + raw(uint32_t{0}) + raw(uint64_t{1} << 39);
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
