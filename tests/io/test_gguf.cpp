// test_gguf.cpp -- what the writer wrote is what the reader reads, from a path, from memory and through a callback.
#include <chrono>
#include <cstring>

#include "io/gguf_format.h"
#include "puna/base/error.h"
#include "support/context.h"
#include "support/status.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace {

void check_tensors(const TensorMap& map, const std::vector<OwnedTensor>& want) {
  REQUIRE(map.size() == want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    const TensorEntry& got = map.entries()[i];
    CAPTURE(want[i].tensor.name);
    CHECK(got.name == want[i].tensor.name);
    CHECK(got.dtype == want[i].tensor.dtype);
    CHECK(got.shape == want[i].tensor.shape);
    REQUIRE(got.bytes == want[i].bytes.size());
    CHECK(memcmp(got.data, want[i].bytes.data(), got.bytes) == 0);
    CHECK(map.find(got.name) == &got);
  }
}

struct Reader {  // a host's pak file
  std::string bytes;
  uint64_t largest_read = 0;
  int32_t result = 0;
  SourcePtr source(const char* name = "pak:model") {
    return open_read_at_source({this, bytes.size(),
                                [](void* user, uint64_t offset, uint64_t n, void* dst) {
                                  auto* self = static_cast<Reader*>(user);
                                  REQUIRE(offset + n <= self->bytes.size());
                                  self->largest_read = std::max(self->largest_read, n);
                                  memcpy(dst, self->bytes.data() + offset, n);
                                  return self->result;
                                }},
                               name);
  }
};

}  // namespace

TEST_CASE("a GGUF file reads back as it was written", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  std::vector<OwnedTensor> tensors;
  for (int t = 0; t < kDTypeCount; ++t) {  // every type GGUF has, in rows of one and of two blocks
    if (!io::gguf::type_id_of(DType(t))) continue;
    tensors.emplace_back(std::string("one.") + name(DType(t)), DType(t), Shape{3, info(DType(t)).block});
    tensors.emplace_back(std::string("two.") + name(DType(t)), DType(t), Shape{2, 1, 2 * info(DType(t)).block});
  }
  tensors.emplace_back("scalar", DType::f32, Shape{});
  tensors.emplace_back("rank 4", DType::f32, Shape{2, 3, 4, 5});
  const TempFolder folder;
  const std::string path = folder / "model.gguf";
  REQUIRE(write_gguf(path, tiny_metadata(), outputs(tensors)) == std::vector<std::string>{path});
  const std::string bytes = read_text(path);

  const auto check = [&](const Checkpoint& c) {
    CHECK(c.format == Checkpoint::Format::gguf);
    CHECK(c.metadata.values() == tiny_metadata().values());
    CHECK(c.file_bytes == bytes.size());
    CHECK(c.folder.empty());
    check_tensors(c.tensors, tensors);
  };
  SECTION("mapped") { check(load_checkpoint(*context, path)); }
  SECTION("memory") { check(load_checkpoint(*context, open_memory_source(bytes.data(), bytes.size(), "block"))); }
  SECTION("memory at an odd address: types that need alignment are copied") {
    const std::string shifted = "x" + bytes;
    const Checkpoint c = load_checkpoint(*context, open_memory_source(shifted.data() + 1, bytes.size(), "block"));
    check(c);
    for (const TensorEntry& e : c.tensors.entries())
      CHECK(reinterpret_cast<uintptr_t>(e.data) % (is_quantised(e.dtype) ? 2 : info(e.dtype).bytes) == 0);
  }
  SECTION("callback") {
    Reader reader{bytes};
    {
      const Checkpoint c = load_checkpoint(*context, reader.source());
      reader.bytes.assign(bytes.size(), '\0');  // nothing is borrowed from the reader
      check(c);
      CHECK(context->allocator()->used() > 0);
    }
    CHECK(context->allocator()->used() == 0);
  }
}

TEST_CASE("a mapped or borrowed GGUF is not copied", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  const std::string bytes = tiny_gguf();
  void* aligned = aligned_alloc(64, (bytes.size() + 63) / 64 * 64);
  memcpy(aligned, bytes.data(), bytes.size());
  {
    const Checkpoint c = load_checkpoint(*context, open_memory_source(aligned, bytes.size(), "block"));
    CHECK(context->allocator()->peak() == 0);
    for (const TensorEntry& e : c.tensors.entries()) {
      CHECK(e.data > aligned);
      CHECK(e.data + e.bytes <= static_cast<std::byte*>(aligned) + bytes.size());
    }
  }
  free(aligned);
}

TEST_CASE("loading reports progress from 0 to the end and is cancelled by false", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  Reader reader{tiny_gguf()};
  const TempFolder folder;
  write_file(folder / "tiny.gguf", reader.bytes);
  const bool mapped = GENERATE(true, false);
  const auto load = [&](LoadProgress progress) {
    return mapped ? load_checkpoint(*context, folder / "tiny.gguf", progress)
                  : load_checkpoint(*context, reader.source(), progress);
  };
  std::vector<uint64_t> seen;
  const auto watch = [&](uint64_t done, uint64_t total) {
    CHECK(total == reader.bytes.size());
    CHECK((seen.empty() || done >= seen.back()));
    seen.push_back(done);
    return true;
  };
  load(watch);
  CHECK(seen.front() == 0);
  CHECK(seen.back() == reader.bytes.size());
  for (size_t calls = 0; calls < seen.size(); ++calls) {
    size_t left = calls;
    const auto stop = [&](uint64_t, uint64_t) { return left-- != 0; };
    CHECK(status_of([&] { load(stop); }) == Status::cancelled);
    CHECK(context->allocator()->used() == 0);
  }
}

TEST_CASE("a large tensor is read in pieces of at most 4 MiB", "[io][gguf]") {
  const auto context = test_context_without_kernels();
  const std::vector<OwnedTensor> tensors{{"large", DType::f32, Shape{3, 1 << 20}}};
  const TempFolder folder;
  Reader reader{read_text(write_gguf(folder / "large.gguf", {}, outputs(tensors)).at(0))};
  check_tensors(load_checkpoint(*context, reader.source()).tensors, tensors);
  CHECK(reader.largest_read == 4 << 20);
}

TEST_CASE("a failing reader and a reached memory limit have different statuses", "[io][gguf]") {
  Reader reader{tiny_gguf()};
  const auto limited = test_context_without_kernels(256);
  CHECK(status_of([&] { load_checkpoint(*limited, reader.source()); }) == Status::out_of_memory);
  CHECK(limited->allocator()->used() == 0);
  reader.result = -5;
  CHECK_THROWS_WITH(load_checkpoint(*limited, reader.source("game.pak")),
                    Catch::Contains("game.pak") && Catch::Contains("-5"));
  CHECK(status_of([&] { load_checkpoint(*limited, reader.source()); }) == Status::io);
}

TEST_CASE("sources refuse what cannot be one", "[io]") {
  CHECK(status_of([] { open_memory_source(nullptr, 10, "x"); }) == Status::invalid_argument);
  CHECK(status_of([] { open_read_at_source({}, "x"); }) == Status::invalid_argument);
  CHECK(status_of([] { open_path_source("/nonexistent/model.gguf"); }) == Status::io);
}

TEST_CASE("a real model opens fast", "[io][gguf]") {
  const std::string path = smollm2();
  if (path.empty()) PUNA_SKIP("SmolLM2 is not in the model cache");
  const auto context = test_context_without_kernels();
  load_checkpoint(*context, path);  // the header's pages are in memory now
  const auto start = std::chrono::steady_clock::now();
  const Checkpoint c = load_checkpoint(*context, path);
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  CAPTURE(ms);
  CHECK(ms < 1000);  // about 10 on the machine it was written on; generous for sanitizers
  CHECK(c.metadata.string("general.architecture") == "llama");
  CHECK(c.metadata.strings("tokenizer.ggml.tokens")->size() == 49152);
  CHECK(c.tensors.find("token_embd.weight")->shape[0] == 49152);
  CHECK(c.tensors.find("blk.0.attn_q.weight")->dtype == DType::q4_1);
  CHECK(context->allocator()->peak() == 0);
}
