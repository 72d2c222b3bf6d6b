// fuzz_shards.cpp -- any bytes as a model in several files, three parts that are behind their sizes: two GGUF files of
// a split model (the third part is not used), or model.safetensors.index.json and its two files. An Error, or tensors
// that can be read to their last byte.
#include <filesystem>

#include "expect_error.h"
#include "puna/io/checkpoint.h"
#include "scratch_folder.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(shards) {
  using namespace puna;
  static const test::ScratchFolder gguf, huggingface;
  std::string_view parts[3];
  test::split_by_sizes(test::text_of(data, size), parts);
  std::string path;
  if (parts[0].starts_with("GGUF")) {
    path = gguf.write("model-00001-of-00002.gguf", parts[0]);
    gguf.write("model-00002-of-00002.gguf", parts[1]);
  } else {
    path = huggingface.path();
    huggingface.write("config.json", "{}");
    huggingface.write("model.safetensors.index.json", parts[0]);
    huggingface.write("a.safetensors", parts[1]);
    huggingface.write("b.safetensors", parts[2]);
  }
  test::expect_error_only([&] { test::touch(load_checkpoint(test::fuzz_context(), path).tensors); });
  return 0;
}
