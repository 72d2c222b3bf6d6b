// tiny_files.h -- a small valid GGUF and a small valid safetensors file, made by our own writers: what tests read back,
// and what attacks start from. Every type of metadata and every tensor type that a writer takes is in them.
#pragma once
#include <string>
#include <vector>

#include "puna/io/gguf.h"
#include "puna/io/safetensors.h"
#include "support/files.h"
#include "support/golden.h"

namespace puna::test {

// A tensor with bytes 1, 2, 3, ... of its own.
struct OwnedTensor {
  OwnedTensor(std::string name, DType dtype, Shape shape)
      : bytes(size_t(bytes_of(info(dtype), uint64_t(shape.count()))), '\0'), tensor{std::move(name), dtype, shape} {
    unsigned char x = static_cast<unsigned char>(dtype);
    for (char& c : bytes) c = static_cast<char>(++x);
  }
  OutputTensor output() const {
    OutputTensor t = tensor;
    t.data = bytes.data();
    return t;
  }
  std::string bytes;
  OutputTensor tensor;
};

inline std::vector<OutputTensor> outputs(const std::vector<OwnedTensor>& tensors) {
  std::vector<OutputTensor> out;
  for (const OwnedTensor& t : tensors) out.push_back(t.output());
  return out;
}

inline Metadata tiny_metadata() {
  Metadata m;
  m.set("general.architecture", std::string("llama"));
  m.set("general.alignment", int64_t{32});
  m.set("test.count", int64_t{7});
  m.set("test.negative", int64_t{-7});
  m.set("test.long", int64_t{1} << 40);
  m.set("test.huge", UINT64_MAX);
  m.set("test.real", 0.1);
  m.set("test.single", 0.5);
  m.set("test.flag", true);
  m.set("test.text", std::string("puna \xF0\x9F\xA6\x99 with a NUL: ") + '\0');
  m.set("test.tokens", std::vector<std::string>{"a", "", "\xFF\xFE", "ccc"});
  m.set("test.types", std::vector<int64_t>{1, -2, 3});
  m.set("test.longs", std::vector<int64_t>{1, INT64_MIN});
  m.set("test.scores", std::vector<double>{0.5, -1.25});
  m.set("test.reals", std::vector<double>{0.1});
  m.set("test.none", std::vector<int64_t>{});
  return m;
}

inline std::vector<OwnedTensor> tiny_gguf_tensors() {
  std::vector<OwnedTensor> tensors;
  tensors.emplace_back("first", DType::f32, Shape{2, 64});
  tensors.emplace_back("second", DType::q8_0, Shape{3, 32});
  tensors.emplace_back("third", DType::f16,
                       Shape{4, 2, 2, 4});  // 128 bytes: the file ends with the tensor, not with padding
  return tensors;
}

inline std::string tiny_gguf() {
  const TempFolder folder;
  const auto tensors = tiny_gguf_tensors();
  return read_text(write_gguf(folder / "tiny.gguf", tiny_metadata(), outputs(tensors)).at(0));
}

inline std::vector<OwnedTensor> tiny_safetensors_tensors() {
  std::vector<OwnedTensor> tensors;
  tensors.emplace_back("first", DType::f32, Shape{2, 64});
  tensors.emplace_back("second", DType::bf16, Shape{3, 5});
  tensors.emplace_back("third", DType::u8, Shape{7});
  tensors.emplace_back("scalar", DType::i64, Shape{});
  return tensors;
}

inline std::string tiny_safetensors() {
  const TempFolder folder;
  const auto tensors = tiny_safetensors_tensors();
  write_safetensors(folder / "tiny.safetensors", {{"format", "pt"}}, outputs(tensors));
  return read_text(folder / "tiny.safetensors");
}

}  // namespace puna::test
