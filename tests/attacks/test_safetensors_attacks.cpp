// test_safetensors_attacks.cpp -- hostile safetensors files: headers that lie about types, shapes, places or
// themselves.
#include "attacks/attack.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace test_safetensors_attacks {
namespace {

// A file from a header as text and so many bytes of data.
std::string file_of(const std::string& json, size_t data) {
  const uint64_t n = json.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + json + std::string(data, '\1');
}

void expect_error(const std::string& bytes, Status status, const std::string& field) {
  for (const SourcePtr& source : sources_of(bytes))
    expect_refused(bytes.size(), status, kFile, field,
                   [&](const Context& context) { read_safetensors(context, source); });
}

constexpr Status bad = Status::bad_file, unsupported = Status::unsupported;

struct HeaderAttack {
  const char* name;
  std::string json;
  size_t data;  // bytes behind the header
  Status status;
  const char* field;
};

std::string tensor(const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}
std::string one(const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
  return R"({"t":)" + tensor(shape, offsets, dtype) + "}";
}

const HeaderAttack kAttacks[] = {
    // ---- the JSON
    {"not JSON", "{nonsense}", 0, bad, "JSON"},
    {"no object", "[1,2]", 0, bad, "does not start with '{'"},
    {"a space first: the format wants '{'", " {}", 0, bad, "does not start with '{'"},
    {"an empty header", "", 0, bad, "does not start with '{'"},
    {"something behind the object", "{}{}", 0, bad, "JSON"},
    {"a trailing comma", R"({"t":{},})", 0, bad, "'t': 'dtype' is missing"},
    {"not UTF-8", "{\"t\xFF\":{}}", 0, bad, "JSON"},
    {"an unfinished object", R"({"t":{"dtype":"F32")", 0, bad, "JSON"},
    {"nesting without end", std::string("{\"t\":") + std::string(100000, '['), 0, bad, "'t' has an array"},
    {"nesting without end in a shape", R"({"t":{"shape":)" + std::string(100000, '['), 0, bad,
     "'t': shape has an array"},

    // ---- an entry
    {"a tensor that is a number", R"({"t":1})", 0, bad, "'t' has a number"},
    {"a tensor that is null", R"({"t":null})", 0, bad, "'t' has null"},
    {"a tensor that is empty", R"({"t":{}})", 0, bad, "'t': 'dtype' is missing"},
    {"no shape", R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", 4, bad, "'t': 'shape' is missing"},
    {"no offsets", R"({"t":{"dtype":"F32","shape":[1]}})", 4, bad, "'t': 'data_offsets' is missing"},
    {"a key the format does not have", R"({"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, bad,
     "'t': unknown key 'x'"},
    {"the same key twice", R"({"t":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, bad,
     "'t': key 'dtype' appears twice"},
    {"the same tensor twice", R"({"t":)" + tensor("[1]", "[0,4]") + R"(,"t":)" + tensor("[1]", "[4,8]") + "}", 8, bad,
     "'t' appears twice"},
    {"an empty name", R"({"":{}})", 0, bad, "tensor name is empty"},
    {"a name with a NUL", "{\"t\\u0000\":{}}", 0, bad, "t\\x00"},
    {"a dtype that is a number", R"({"t":{"dtype":1}})", 0, bad, "'t': dtype has a number"},
    {"an unknown dtype", one("[1]", "[0,4]", "F31"), 4, unsupported, "'t': unsupported dtype 'F31'"},
    {"a dtype of another format", one("[32]", "[0,18]", "Q4_0"), 18, unsupported, "'t': unsupported dtype 'Q4_0'"},
    {"a shape that is a string", R"({"t":{"shape":"[1]"}})", 0, bad, "'t': shape has a string"},
    {"a negative dimension", one("[-1]", "[0,4]"), 4, bad, "'t': shape has a negative number"},
    {"a fractional dimension", one("[1.0]", "[0,4]"), 4, bad, "'t': shape has a number that is no"},
    {"a dimension of 2^64", one("[18446744073709551616]", "[0,4]"), 4, bad, "'t': shape has a number that is no"},
    {"a dimension of 1e999", one("[1e999]", "[0,4]"), 4, bad, "JSON"},
    {"a dimension of 0", one("[0]", "[0,0]"), 0, bad, "'t': dimension 0 is 0"},
    {"a dimension of 2^64-1", one("[18446744073709551615]", "[0,4]"), 4, bad, "'t': dimension 0 is -1"},
    {"five dimensions", one("[1,1,1,1,1]", "[0,4]"), 4, bad, "'t': shape has more than 4"},
    {"dimensions whose product is 2^64", one("[4294967296,4294967296]", "[0,0]"), 0, bad, "'t': the byte size"},
    {"dimensions whose bytes wrap to 4", one("[4611686018427387905]", "[0,4]"), 4, bad, "'t': the byte size"},
    {"one offset", one("[1]", "[4]"), 4, bad, "'t': data_offsets has 1"},
    {"three offsets", one("[1]", "[0,4,8]"), 8, bad, "'t': data_offsets has more than 2"},
    {"a negative offset", one("[1]", "[-4,0]"), 4, bad, "'t': data_offsets has a negative"},
    {"offsets the wrong way round", one("[1]", "[4,0]"), 4, bad, "'t': data_offsets [4,0]"},
    {"offsets whose difference wraps to the size", one("[1]", "[18446744073709551612,0]"), 4, bad, "'t': data_offsets"},
    {"offsets that do not hold the shape", one("[2]", "[0,4]"), 4, bad, "'t': data_offsets [0,4]"},
    {"offsets that hold more than the shape", one("[1]", "[0,8]"), 8, bad, "'t': data_offsets [0,8]"},

    // ---- all entries together
    {"a tensor outside the file", one("[2]", "[0,8]"), 7, bad, "'t'"},
    {"a tensor at the end of the address space", one("[1]", "[18446744073709551611,18446744073709551615]"), 4, bad,
     "'t'"},
    {"bytes in front that belong to nobody", one("[1]", "[4,8]"), 8, bad, "'t' starts at offset 4"},
    {"bytes at the end that belong to nobody", one("[1]", "[0,4]"), 5, bad, "end at offset 4"},
    {"data without a tensor", "{}", 1, bad, "end at offset 0"},
    {"a hole between two", R"({"a":)" + tensor("[1]", "[0,4]") + R"(,"b":)" + tensor("[1]", "[8,12]") + "}", 12, bad,
     "'b' starts at offset 8"},
    {"two tensors that overlap", R"({"a":)" + tensor("[2]", "[0,8]") + R"(,"b":)" + tensor("[1]", "[4,8]") + "}", 8,
     bad, "'b' at offset 4 overlaps tensor 'a'"},

    // ---- __metadata__
    {"metadata that is no object", R"({"__metadata__":"x"})", 0, bad, "'__metadata__' has a string"},
    {"metadata that is not text", R"({"__metadata__":{"k":1}})", 0, bad, "'__metadata__' key 'k' has a number"},
    {"metadata that is nested", R"({"__metadata__":{"k":{}}})", 0, bad, "'__metadata__' key 'k' has an object"},
    {"metadata twice", R"({"__metadata__":{},"__metadata__":{}})", 0, bad, "'__metadata__' appears twice"},
    {"a metadata key twice", R"({"__metadata__":{"k":"a","k":"b"}})", 0, bad, "key 'k' appears twice"},
};

}  // namespace

TEST_CASE("the safetensors files the attacks start from are valid", "[attacks][safetensors]") {
  for (const std::string& bytes :
       {tiny_safetensors(), file_of(one("[1]", "[0,4]"), 4), file_of(R"({"__metadata__":{"k":"v"}}   )", 0)})
    for (const SourcePtr& source : sources_of(bytes))
      CHECK_NOTHROW(read_safetensors(*test_context_without_kernels(), source));
}

TEST_CASE("hostile safetensors headers are refused by name", "[attacks][safetensors]") {
  for (const HeaderAttack& attack : kAttacks) {
    CAPTURE(attack.name);
    expect_error(file_of(attack.json, attack.data), attack.status, attack.field);
  }
}

TEST_CASE("a safetensors file cut anywhere is refused", "[attacks][safetensors]") {
  const std::string valid = tiny_safetensors();
  for (size_t n = 1; n < valid.size(); ++n) {
    CAPTURE(n, valid.size());
    expect_error(valid.substr(0, n), bad, "");
  }
}

TEST_CASE("a wrong header length is refused before memory is allocated for it", "[attacks][safetensors]") {
  for (const uint64_t length :
       {UINT64_MAX, UINT64_MAX - 8, uint64_t{1} << 63, uint64_t{100'000'001}, uint64_t{1} << 20}) {
    std::string bytes = tiny_safetensors();
    memcpy(bytes.data(), &length, 8);
    expect_error(bytes, bad, "header");
  }
  std::string short_by_one = file_of("{}", 0);
  --short_by_one[0];
  expect_error(short_by_one, bad, "JSON");
}

TEST_CASE("a safetensors header longer than 100 MB is refused even when it is all there", "[attacks][safetensors]") {
  const SourcePtr source = open_read_at_source({nullptr, uint64_t{1} << 30,
                                                [](void*, uint64_t offset, uint64_t n, void* dst) {
                                                  const uint64_t length = 100'000'001;
                                                  memset(dst, ' ', n);
                                                  if (offset == 0) memcpy(dst, &length, 8);
                                                  return 0;
                                                }},
                                               kFile);
  expect_refused(0, Status::bad_file, kFile, "header",
                 [&](const Context& context) { read_safetensors(context, source); });
}

TEST_CASE("a safetensors header costs memory in proportion to its size", "[attacks][safetensors]") {
  std::string json = "{";
  for (int i = 0; i < 20000; ++i)
    json += (i ? ",\"" : "\"") + std::to_string(i) +
            "\":" + tensor("[]", "[" + std::to_string(i) + "," + std::to_string(i + 1) + "]", "U8");
  const std::string bytes = file_of(json + "}", 20000),
                    zeros = file_of(R"({"t":{"shape":[)" + std::string(1 << 20, '0') + "]}}", 0),
                    numbers = file_of(R"({"t":{"data_offsets":[1)" + std::string(1 << 20, ',') + "]}}", 0);
  for (const std::string* b : {&bytes, &zeros, &numbers}) {
    const ContextPtr context = test_context_without_kernels();
    const SourcePtr source = open_memory_source(b->data(), b->size(), kFile);
    const HeapMeter heap;
    try {
      read_safetensors(*context, source);
    } catch (const Error& e) {
      CHECK(e.status() == Status::bad_file);
    }
    CAPTURE(b->size(), HeapMeter::peak());
    CHECK(HeapMeter::peak() < 12 * b->size());
  }
}

}  // namespace test_safetensors_attacks
