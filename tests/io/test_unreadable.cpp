// Tensors of a Hugging Face folder that this library cannot hold, or that its index does not list: they keep nobody
// from reading the others, and who needs one is told its name and why.
#include "puna/base/error.h"
#include "support/context.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace test_unreadable {
namespace {

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, size_t begin,
                  size_t end) {
  return "\"" + name + R"(": {"dtype": ")" + dtype + R"(", "shape": )" + shape + R"(, "data_offsets": [)" +
         std::to_string(begin) + "," + std::to_string(end) + "]}";
}
std::string file_of(const std::string& entries, size_t data) {
  const std::string json = "{" + entries + "}";
  const uint64_t n = json.size();
  return std::string(reinterpret_cast<const char*>(&n), 8) + json + std::string(data, '\1');
}
Checkpoint load(const std::string& bytes) {
  const TempFolder folder;
  write_file(folder / "config.json", "{}");
  write_file(folder / "model.safetensors", bytes);
  return load_checkpoint(*test_context_without_kernels(), folder.path());
}

}  // namespace

TEST_CASE("a tensor of unsupported type, rank or size is an error only when it is needed", "[io][hf]") {
  struct Case {
    const char *dtype, *shape;
    size_t bytes;
    const char* why;
  };
  const Case cases[] = {{"F8_E8M0", "[2]", 2, "F8_E8M0"},
                        {"F6_E3M2", "[2]", 2, "F6_E3M2"},
                        {"U16", "[2]", 4, "U16"},
                        {"U32", "[2]", 8, "U32"},
                        {"U64", "[2]", 16, "U64"},
                        {"F4", "[4]", 2, "F4"},
                        {"C64", "[1]", 8, "C64"},
                        {"F31", "[1]", 4, "F31"},
                        {"F32", "[1,1,1,1,1]", 4, "5 dimensions"},
                        {"F32", "[1,2,1,2,1,1]", 16, "6 dimensions"},
                        {"F32", "[0]", 0, "empty"},
                        {"F32", "[3,0,4]", 0, "empty"},
                        {"F8_E8M0", "[0]", 0, "F8_E8M0"}};
  for (const Case& c : cases)
    for (const bool first : {false, true}) {
      CAPTURE(c.dtype, c.shape, first);
      const std::string odd = entry("odd", c.dtype, c.shape, first ? 0 : 8, (first ? 0 : 8) + c.bytes);
      const std::string good = entry("good", "F32", "[2]", first ? c.bytes : 0, (first ? c.bytes : 0) + 8);
      const Checkpoint checkpoint = load(file_of(odd + "," + good, 8 + c.bytes));
      REQUIRE(checkpoint.tensors.size() == 1);
      CHECK(checkpoint.tensors.find("good") != nullptr);
      REQUIRE(checkpoint.tensors.unreadable().size() == 1);
      CHECK(checkpoint.tensors.unreadable()[0].name == "odd");
      CHECK(checkpoint.tensors.contains("odd"));
      CHECK_THROWS_WITH(checkpoint.tensors.find("odd"), Contains("'odd'") && Contains(c.why));
      CHECK(checkpoint.tensors.find("other") == nullptr);
      // Adapters, training states and rankers read every tensor of their files.
      const std::string bytes = file_of(odd + "," + good, 8 + c.bytes);
      CHECK_THROWS_AS(
          read_safetensors(*test_context_without_kernels(), open_memory_source(bytes.data(), bytes.size(), "x")),
          Error);
    }
}

TEST_CASE("an unreadable tensor has its place in the file all the same", "[io][hf]") {
  const std::string good = entry("good", "F32", "[2]", 0, 8);
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("odd", "F8_E8M0", "[4]", 4, 8), 8)), Contains("overlaps"));
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("odd", "F8_E8M0", "[4]", 12, 16), 16)),
                    Contains("belong to no tensor"));
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("odd", "F8_E8M0", "[4]", 8, 100), 12)), Contains("outside"));
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("odd", "F8_E8M0", "[4]", 12, 8), 12)), Contains("'odd'"));
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("odd", "F32", "[0]", 8, 12), 12)), Contains("'odd'"));
  CHECK_THROWS_WITH(load(file_of(good + "," + entry("good", "F8_E8M0", "[4]", 8, 12), 12)), Contains("twice"));
}

TEST_CASE("metadata knows of objects and lists that it cannot hold, and no getter takes them for a missing key",
          "[io][hf]") {
  const TempFolder folder;
  write_file(folder / "config.json", R"({"object": {}, "full": {"a": 1}, "mixed": [1, "x"], "nothing": null})");
  write_file(folder / "model.safetensors", tiny_safetensors());
  const Metadata m = load_checkpoint(*test_context_without_kernels(), folder.path()).metadata;
  for (const char* key : {"object", "full", "mixed"}) {
    CAPTURE(key);
    CHECK(m.has(key));
    CHECK(m.find(key) == nullptr);
    CHECK_THROWS_WITH(m.integer(key, 0, 9, 5), Contains(key) && Contains("expected an integer"));
    CHECK_THROWS_WITH(m.number(key, 0, 9, 5.0), Contains(key) && Contains("expected a number"));
    CHECK_THROWS_WITH(m.boolean(key, true), Contains(key));
    CHECK_THROWS_WITH(m.string(key, "x"), Contains(key));
    CHECK_THROWS_WITH(m.integers(key), Contains(key));
  }
  CHECK((m.has_group("object") && m.has_group("full") && !m.has_group("mixed") && !m.has_group("nothing") &&
         !m.has_group("other")));
  CHECK(m.integer("nothing", 0, 9, 5) == 5);
  CHECK(m.unread() == std::vector<std::string>{"full.a", "mixed"});
}

}  // namespace test_unreadable
