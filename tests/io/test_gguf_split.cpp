// test_gguf_split.cpp -- models in several files: the set reads as one, and anything that does not belong together is refused.
#include <cstring>

#include "puna/base/error.h"
#include "support/context.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

namespace {

// Overwrites the 16-bit value of a split key in place.
void set_split_value(const std::string& path, const std::string& key, uint16_t value) {
  std::string bytes = read_text(path);
  const size_t at = bytes.find(key);
  REQUIRE(at != std::string::npos);
  memcpy(bytes.data() + at + key.size() + 4, &value, 2);  // behind the value type
  write_file(path, bytes);
}

}  // namespace

TEST_CASE("a split model reads like the whole one", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  const auto tensors = tiny_gguf_tensors();
  const uint64_t each = GENERATE(1, 2, 3, 100);
  const TempFolder folder;
  const auto paths = write_gguf(folder / "m.gguf", tiny_metadata(), outputs(tensors), {each});
  CAPTURE(each);
  REQUIRE(paths.size() == (tensors.size() + each - 1) / each);
  uint64_t total = 0, last_done = 0, bytes = 0;
  for (const std::string& p : paths) bytes += std::filesystem::file_size(p);
  const auto watch = [&](uint64_t done, uint64_t all) { last_done = done; total = all; return true; };
  const Checkpoint c = load_checkpoint(*context, paths[0], watch);
  CHECK(c.metadata.values() == tiny_metadata().values());  // without the split's own keys
  CHECK(c.file_bytes == bytes);
  CHECK(total == bytes);
  CHECK(last_done == bytes);
  REQUIRE(c.tensors.size() == tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    CHECK(c.tensors.entries()[i].name == tensors[i].tensor.name);
    CHECK(memcmp(c.tensors.entries()[i].data, tensors[i].bytes.data(), tensors[i].bytes.size()) == 0);
  }
}

TEST_CASE("a split model that is not complete is refused by name", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  const auto tensors = tiny_gguf_tensors();
  const TempFolder folder;
  const auto paths = write_gguf(folder / "m.gguf", tiny_metadata(), outputs(tensors), {1});
  REQUIRE(paths.size() == 3);
  const auto load = [&](size_t i = 0) { load_checkpoint(*context, paths[i]); };
  REQUIRE_NOTHROW(load());

  SECTION("opened at another file than the first") {
    CHECK_THROWS_WITH(load(1), Contains("file 2 of") && Contains("-00001-of-00003.gguf"));
  }
  SECTION("a file is missing") {
    std::filesystem::remove(paths[1]);
    CHECK_THROWS_WITH(load(), Contains("00002-of-00003") && Contains("missing"));
  }
  SECTION("two files are exchanged") {
    std::filesystem::rename(paths[1], folder / "x");
    std::filesystem::rename(paths[2], paths[1]);
    std::filesystem::rename(folder / "x", paths[2]);
    CHECK_THROWS_WITH(load(), Contains("00002-of-00003") && Contains("file 3 of 3"));
  }
  SECTION("a file appears twice: a cycle") {
    std::filesystem::copy_file(paths[0], paths[1], std::filesystem::copy_options::overwrite_existing);
    CHECK_THROWS_WITH(load(), Contains("00002-of-00003") && Contains("file 1 of 3"));
  }
  SECTION("a file of another set with the same number") {
    const auto other = write_gguf(folder / "o.gguf", {}, outputs(tensors), {2});
    std::filesystem::copy_file(other[1], paths[1], std::filesystem::copy_options::overwrite_existing);
    CHECK_THROWS_WITH(load(), Contains("00002-of-00003") && Contains("split.count"));
  }
  SECTION("the count is larger than the set") {
    set_split_value(paths[0], "split.count", 65535);
    CHECK_THROWS_WITH(load(), Contains("-00001-of-65535.gguf"));
  }
  SECTION("the number is outside the count") {
    set_split_value(paths[0], "split.no", 3);
    CHECK_THROWS_WITH(load(), Contains("split.no"));
  }
  SECTION("the tensors do not add up") {
    for (const std::string& p : paths) set_split_value(p, "split.tensors.count", 4);
    CHECK_THROWS_WITH(load(), Contains("split.tensors.count") && Contains("hold 3"));
  }
  SECTION("the files disagree about the number of tensors") {
    set_split_value(paths[2], "split.tensors.count", 4);
    CHECK_THROWS_WITH(load(), Contains("00003-of-00003") && Contains("split.tensors.count"));
  }
  SECTION("one tensor is in two files") {
    std::string third = read_text(paths[2]);
    memcpy(third.data() + third.find("third"), "first", 5);
    write_file(paths[2], third);
    CHECK_THROWS_WITH(load(), Contains("00003-of-00003") && Contains("'first'") && Contains("another file"));
  }
  SECTION("renamed so that the others cannot be found") {
    std::filesystem::rename(paths[0], folder / "renamed.gguf");
    CHECK_THROWS_WITH(load_checkpoint(*context, folder / "renamed.gguf"), Contains("-00001-of-00003.gguf"));
  }
  SECTION("given as memory") {
    const std::string bytes = read_text(paths[0]);
    CHECK_THROWS_WITH(load_checkpoint(*context, open_memory_source(bytes.data(), bytes.size(), "block")), Contains("split"));
  }
  CHECK(context->allocator()->used() == 0);
}
