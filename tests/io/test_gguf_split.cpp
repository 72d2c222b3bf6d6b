// test_gguf_split.cpp -- a model in several files reads as one. (Sets that do not belong together: tests/attacks.)
#include <cstring>

#include "puna/base/error.h"
#include "support/context.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

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
  const auto watch = [&](uint64_t done, uint64_t all) {
    last_done = done;
    total = all;
    return true;
  };
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
