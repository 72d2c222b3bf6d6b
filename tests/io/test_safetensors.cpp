// test_safetensors.cpp -- what the writer wrote is what the reader reads, and what the writers refuse leaves the old
// file alone.
#include <cstring>

#include "puna/base/error.h"
#include "support/context.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

TEST_CASE("a safetensors file reads back as it was written", "[io][safetensors]") {
  const auto context = test_context_without_kernels();
  std::vector<OwnedTensor> tensors;  // one byte first: what follows is unaligned in the file
  tensors.emplace_back("byte \"quoted\"", DType::boolean, Shape{1});
  for (const DType t :
       {DType::f32, DType::f16, DType::bf16, DType::i8, DType::u8, DType::i16, DType::i32, DType::i64, DType::f64})
    tensors.emplace_back(std::string("t.") + name(t), t, Shape{2, 3});
  tensors.emplace_back("scalar", DType::f32, Shape{});
  tensors.emplace_back("r\xC3\xA9sum\xC3\xA9", DType::f32, Shape{1, 2, 3, 4});
  const TempFolder folder;
  const std::map<std::string, std::string> metadata{{"format", "pt"}, {"note", "\"quoted\" \xE2\x82\xAC"}};
  write_safetensors(folder / "t.safetensors", metadata, outputs(tensors));
  const SafetensorsFile file = read_safetensors(*context, open_path_source(folder / "t.safetensors"));
  CHECK(file.metadata == metadata);
  REQUIRE(file.tensors.size() == tensors.size());
  for (const OwnedTensor& want : tensors) {
    const TensorEntry* got = file.tensors.find(want.tensor.name);
    CAPTURE(want.tensor.name);
    REQUIRE(got != nullptr);
    CHECK(got->dtype == want.tensor.dtype);
    CHECK(got->shape == want.tensor.shape);
    REQUIRE(got->bytes == want.bytes.size());
    CHECK(memcmp(got->data, want.bytes.data(), got->bytes) == 0);
    CHECK(reinterpret_cast<uintptr_t>(got->data) % info(got->dtype).bytes == 0);
  }
}

TEST_CASE("an empty safetensors file is valid", "[io][safetensors]") {
  const TempFolder folder;
  write_safetensors(folder / "t.safetensors", {}, {});
  CHECK(read_safetensors(*test_context_without_kernels(), open_path_source(folder / "t.safetensors")).tensors.size() ==
        0);
}

TEST_CASE("tensors can be produced piece by piece, and the sum is checked", "[io][gguf][safetensors]") {
  const bool gguf = GENERATE(true, false);
  const TempFolder folder;
  const std::string path = folder / "file";
  const auto write = [&](std::span<const OutputTensor> tensors) {
    if (gguf)
      write_gguf(path, {}, tensors);
    else
      write_safetensors(path, {}, tensors);
  };
  const OwnedTensor whole("t", DType::f32, Shape{1000, 100});
  const auto producer = [&](size_t bytes, size_t piece) {
    OutputTensor t = whole.tensor;
    t.produce = [&, bytes, piece](FunctionRef<void(const void*, uint64_t)> write_piece) {
      for (size_t i = 0; i < bytes; i += piece)
        write_piece(whole.bytes.data() + i % whole.bytes.size(), std::min(piece, bytes - i));
    };
    return t;
  };
  write(std::vector{whole.output()});
  const std::string expected = read_text(path);
  const size_t n = whole.bytes.size();
  for (const size_t piece : {size_t{1000}, size_t{4096}, n}) {
    write(std::vector{producer(n, piece)});
    CHECK(read_text(path) == expected);
  }
  CHECK_THROWS_WITH(write(std::vector{producer(n - 1000, 1000)}), Contains("'t'") && Contains("399000"));
  CHECK_THROWS_WITH(write(std::vector{producer(n + 1000, 1000)}), Contains("'t'") && Contains("more than"));
  CHECK_THROWS_WITH(write(std::vector{whole.tensor}), Contains("'t'") && Contains("neither"));
  CHECK_THROWS_WITH(write(std::vector{whole.output(), whole.output()}), Contains("'t'") && Contains("twice"));
  CHECK_THROWS_WITH(write(std::vector{OwnedTensor("", DType::f32, Shape{1}).output()}), Contains("empty"));
  OutputTensor negative = whole.output();
  negative.shape.dim[1] = -100;
  CHECK_THROWS_WITH(write(std::vector{negative}), Contains("'t'") && Contains("-100"));
  CHECK(read_text(path) == expected);  // each refusal left the old file
  CHECK(folder.file_count() == 1);     // and no temporary
}

TEST_CASE("each format refuses the types it does not have", "[io][gguf][safetensors]") {
  const TempFolder folder;
  const OwnedTensor byte("b", DType::u8, Shape{4}), block("q", DType::q8_0, Shape{32}),
      ragged("r", DType::q8_0, Shape{32});
  CHECK_THROWS_WITH(write_gguf(folder / "f", {}, std::vector{byte.output()}), Contains("'b'") && Contains("U8"));
  CHECK_THROWS_WITH(write_safetensors(folder / "f", {}, std::vector{block.output()}),
                    Contains("'q'") && Contains("Q8_0"));
  OutputTensor odd = ragged.output();
  odd.shape = Shape{33};
  CHECK_THROWS_WITH(write_gguf(folder / "f", {}, std::vector{odd}), Contains("'r'") && Contains("33"));
  Metadata null;
  null.set("k", std::monostate());
  CHECK_THROWS_WITH(write_gguf(folder / "f", null, {}), Contains("'k'") && Contains("null"));
  Metadata alignment;
  alignment.set("general.alignment", int64_t{33});
  CHECK_THROWS_WITH(write_gguf(folder / "f", alignment, {}), Contains("general.alignment"));
  CHECK(folder.file_count() == 0);
}
