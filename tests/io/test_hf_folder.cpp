// test_hf_folder.cpp -- Hugging Face folders: the configuration flattened, one file or shards, and the golden
// checkpoints.
#include <cstring>
#include <fstream>

#include "io/hf_config.h"
#include "puna/base/error.h"
#include "support/context.h"
#include "support/other_forms.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;
using Catch::Contains;

TEST_CASE("a configuration is flattened with dots", "[io][hf]") {
  Metadata m;
  io::flatten_config(
      R"({"a": {"b": {"c": 1}, "d": null}, "yes": true, "real": 1e-05, "whole": 8.0, "neg": -3, "big": 18446744073709551615,
                         "text": "x", "ints": [1, 2], "bools": [true, false], "reals": [1, 2.5], "texts": ["p", "q"], "none": [],
                         "mixed": [1, "x"], "nested": [[1], [2]], "objects": [{"x": 1}], "nulls": [null], "empty": {}})",
      "config.json", "", m);
  CHECK(m.integer("a.b.c", 0, 9) == 1);
  REQUIRE(m.find("a.d") != nullptr);
  CHECK_FALSE(m.has("a.d"));
  CHECK(m.boolean("yes"));
  CHECK(m.number("real", 0, 1) == 1e-05);
  CHECK(*m.find("whole") == MetadataValue(8.0));
  CHECK(m.integer("neg", -9, 9) == -3);
  CHECK(*m.find("big") == MetadataValue(UINT64_MAX));
  CHECK(m.string("text") == "x");
  CHECK(*m.integers("ints") == std::vector<int64_t>{1, 2});
  CHECK(*m.integers("bools") == std::vector<int64_t>{1, 0});
  CHECK(*m.numbers("reals") == std::vector<double>{1, 2.5});
  CHECK(*m.strings("texts") == std::vector<std::string>{"p", "q"});
  CHECK(m.strings("none")->empty());
  for (const char* left_out : {"mixed", "nested", "objects", "nulls", "empty"}) CHECK(m.find(left_out) == nullptr);
  io::flatten_config(R"({"eos_token_id": [1, 2]})", "generation_config.json", "generation.", m);
  CHECK(*m.integers("generation.eos_token_id") == std::vector<int64_t>{1, 2});
}

TEST_CASE("every golden folder loads completely, and reads the same in shards", "[io][hf][golden]") {
  const auto context = test_context_without_kernels();
  size_t folders = 0;
  const auto sets =
      goldens([](const Golden& g) { return g.has_file("model.safetensors") && g.manifest.contains("arrays"); });
  for (const Golden& golden : sets)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(golden.folder())) {
      if (entry.path().filename() != "config.json") continue;
      const std::string folder = entry.path().parent_path().string();
      CAPTURE(folder);
      const Checkpoint c = load_checkpoint(*context, folder);
      ++folders;
      CHECK(c.format == Checkpoint::Format::huggingface);
      CHECK(c.folder == folder);
      CHECK(c.tensors.size() > 0);
      const auto config = nlohmann::json::parse(read_text(folder + "/config.json"));
      CHECK(c.metadata.string("model_type") == config["model_type"].get<std::string>());
      if (std::filesystem::exists(folder + "/generation_config.json")) CHECK(c.metadata.has("generation.eos_token_id"));
      if (folder != golden.folder()) continue;
      const TempFolder made;
      write_shards(folder, made / "sharded", 5);
      const Checkpoint shards = load_checkpoint(*context, made / "sharded");
      REQUIRE(shards.tensors.size() == c.tensors.size());
      for (const TensorEntry& want : c.tensors.entries()) {
        const TensorEntry* got = shards.tensors.find(want.name);
        CAPTURE(want.name);
        REQUIRE(got != nullptr);
        CHECK(got->shape == want.shape);
        REQUIRE(got->bytes == want.bytes);
        CHECK(memcmp(got->data, want.data, want.bytes) == 0);
      }
    }
  CHECK(folders >= sets.size());
}

TEST_CASE("a single model.safetensors is used even when an index lies beside it", "[io][hf]") {
  const TempFolder folder;
  write_file(folder / "config.json", "{}");
  write_file(folder / "model.safetensors", tiny_safetensors());
  write_file(folder / "model.safetensors.index.json", "not JSON");
  const Checkpoint c = load_checkpoint(*test_context_without_kernels(), folder.path());
  CHECK(c.tensors.size() == tiny_safetensors_tensors().size());
  CHECK(c.metadata.values().empty());
  CHECK(c.file_bytes == tiny_safetensors().size());
}

TEST_CASE("the error for a path that is no model says what would be one", "[io][hf]") {
  const auto context = test_context_without_kernels();
  const TempFolder folder;
  CHECK_THROWS_WITH(load_checkpoint(*context, folder.path()), Contains("config.json"));
  write_file(folder / "config.json", "{}");
  CHECK_THROWS_WITH(load_checkpoint(*context, folder.path()), Contains("model.safetensors"));
  write_file(folder / "lone.safetensors", tiny_safetensors());
  CHECK_THROWS_WITH(load_checkpoint(*context, folder / "lone.safetensors"), Contains("not a GGUF file"));
}
