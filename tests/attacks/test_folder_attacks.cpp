// test_folder_attacks.cpp -- hostile Hugging Face folders: configurations and shard indexes that lie, escape or
// explode.
#include "attacks/attack.h"
#include "attacks/repeated.h"
#include "io/hf_config.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace {

struct TextAttack {
  const char* name;
  std::string json;
  const char* field;
};

const TextAttack kConfigs[] = {
    {"empty", "", "JSON"},
    {"no JSON", "model_type: llama", "JSON"},
    {"an array", "[]", "expected a JSON object"},
    {"a number", "42", "expected a JSON object"},
    {"cut", R"({"a": {"b": 1)", "JSON"},
    {"not UTF-8", "{\"a\": \"\xFF\"}", "JSON"},
    {"a key twice", R"({"a": 1, "a": 2})", "'a' appears twice"},
    {"a key twice, deeper", R"({"x": {"a": 1, "a": 2}})", "'a' appears twice"},
    {"two keys that become one", R"({"a.b": 1, "a": {"b": 2}})", "'a.b' appears twice"},
    {"nesting without end", std::string(100000, '['), "nested"},
    {"objects without end", repeated(R"({"a":)", 10000), "nested"},
    {"a number outside all types", R"({"a": 1e999})", "JSON"},
    {"a giant key", "{\"" + std::string(1 << 20, 'k') + "\": 1}", "at most 256"},
    {"long keys inside each other", "{\"" + std::string(200, 'a') + "\": {\"" + std::string(200, 'b') + "\": 1}}",
     "at most 256"},
    {"something behind the object", "{} {}", "JSON"},
    {"a NaN", R"({"a": NaN})", "JSON"},
    {"a comment", "{ /* */ }", "JSON"},
};

const TextAttack kIndexes[] = {
    {"no JSON", "x", "JSON"},
    {"an array", "[]", "expected a JSON object"},
    {"no weight_map", "{}", "weight_map"},
    {"a weight_map that is an array", R"({"weight_map": []})", "weight_map"},
    {"an empty weight_map", R"({"weight_map": {}})", "weight_map"},
    {"a tensor twice", R"({"weight_map": {"t": "a.safetensors", "t": "b.safetensors"}})", "'t' appears twice"},
    {"a shard that is a number", R"({"weight_map": {"t": 1}})", "weight_map 't'"},
    {"a shard without a name", R"({"weight_map": {"t": ""}})", "weight_map 't'"},
    {"a shard above the folder", R"({"weight_map": {"t": "../secret.safetensors"}})", "'../secret.safetensors'"},
    {"a shard anywhere", R"({"weight_map": {"t": "/etc/secret.safetensors"}})", "'/etc/secret.safetensors'"},
    {"a shard below the folder", R"({"weight_map": {"t": "x/a.safetensors"}})", "'x/a.safetensors'"},
    {"a shard with a backslash", R"({"weight_map": {"t": "..\\a.safetensors"}})", "'..\\a.safetensors'"},
    {"a shard on a drive", R"({"weight_map": {"t": "C:a.safetensors"}})", "'C:a.safetensors'"},
    {"a hidden shard", R"({"weight_map": {"t": ".safetensors"}})", "'.safetensors'"},
    {"a shard cut by a NUL", "{\"weight_map\": {\"t\": \"a\\u0000.safetensors\"}}", "'a\\x00.safetensors'"},
    {"a shard that is the folder", R"({"weight_map": {"t": ".."}})", "'..'"},
    {"a shard that is another file", R"({"weight_map": {"t": "config.json"}})", "'config.json'"},
    {"a tensor without a name", R"({"weight_map": {"": "a.safetensors"}})", "tensor name is empty"},
};

// A valid folder with two shards.
struct Folder {
  TempFolder at;
  Folder() {
    write_file(at / "config.json", R"({"model_type": "llama"})");
    const OwnedTensor a("a", DType::f32, Shape{2, 3}), b("b", DType::f32, Shape{4});
    write_safetensors(at / "1.safetensors", {}, std::vector{a.output()});
    write_safetensors(at / "2.safetensors", {}, std::vector{b.output()});
    index(R"({"a": "1.safetensors", "b": "2.safetensors"})");
  }
  void index(const std::string& weight_map) const {
    write_file(at / "model.safetensors.index.json", R"({"weight_map": )" + weight_map + "}");
  }
  void expect_refused(const std::string& file, const std::string& field) const {
    const auto load = [&](const Context& context) { load_checkpoint(context, at.path()); };
    puna::test::expect_refused(1 << 16, Status::bad_file, file, field, load);
  }
};

}  // namespace

TEST_CASE("hostile configurations are refused by name", "[attacks][hf]") {
  for (const TextAttack& attack : kConfigs) {
    CAPTURE(attack.name);
    expect_refused(attack.json.size(), Status::bad_file, "config.json", attack.field, [&](const Context&) {
      Metadata metadata;
      io::flatten_config(attack.json, "config.json", "", metadata);
    });
  }
}

TEST_CASE("hostile shard indexes are refused by name", "[attacks][hf]") {
  for (const TextAttack& attack : kIndexes) {
    CAPTURE(attack.name);
    expect_refused(attack.json.size(), Status::bad_file, "index.json", attack.field,
                   [&](const Context&) { io::parse_shard_index(attack.json, "index.json"); });
  }
}

TEST_CASE("a configuration costs memory in proportion to its size", "[attacks][hf]") {
  std::string flat = "{", list = "{\"a\":[0", texts = "{\"a\":[\"\"";
  for (int i = 0; i < 100000; ++i) flat += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
  for (int i = 0; i < 500000; ++i) list += ",0", texts += ",\"\"";
  for (const std::string& json : {flat + "}", list + "]}", texts + "]}"}) {
    Metadata metadata;
    const HeapMeter heap;
    io::flatten_config(json, "config.json", "", metadata);
    CAPTURE(json.size(), HeapMeter::peak());
    CHECK(HeapMeter::peak() < 64 * json.size());
  }
}

TEST_CASE("a folder whose files contradict each other is refused by name", "[attacks][hf]") {
  const Folder folder;
  REQUIRE(load_checkpoint(*test_context_without_kernels(), folder.at.path()).tensors.size() == 2);

  SECTION("a shard that is not there") {
    folder.index(R"({"a": "1.safetensors", "b": "3.safetensors"})");
    folder.expect_refused("3.safetensors", "missing");
  }
  SECTION("a tensor that is not in its shard") {
    folder.index(R"({"a": "1.safetensors", "b": "2.safetensors", "c": "2.safetensors"})");
    folder.expect_refused("2.safetensors", "'c'");
  }
  SECTION("tensors in exchanged shards") {
    folder.index(R"({"a": "2.safetensors", "b": "1.safetensors"})");
    folder.expect_refused("1.safetensors", "'b'");
  }
  SECTION("a tensor that the index does not know is there for nobody") {
    const OwnedTensor b("b", DType::f32, Shape{4}), c("c", DType::f32, Shape{4});
    write_safetensors(folder.at / "2.safetensors", {}, std::vector{b.output(), c.output()});
    const Checkpoint loaded = load_checkpoint(*test_context_without_kernels(), folder.at.path());
    CHECK(loaded.tensors.size() == 2);
    CHECK_THROWS_WITH(loaded.tensors.find("c"),
                      Catch::Contains("'c'") && Catch::Contains("index.json does not list it"));
  }
  SECTION("a tensor in two shards") {
    const OwnedTensor a("a", DType::f32, Shape{4}), b("b", DType::f32, Shape{4});
    write_safetensors(folder.at / "2.safetensors", {}, std::vector{a.output(), b.output()});
    folder.expect_refused("index.json", "'a'");
  }
  SECTION("a shard that is cut") {
    const std::string bytes = read_text(folder.at / "2.safetensors");
    write_file(folder.at / "2.safetensors", bytes.substr(0, bytes.size() - 1));
    folder.expect_refused("2.safetensors", "'b'");
  }
  SECTION("a shard that is another format") {
    write_file(folder.at / "2.safetensors", tiny_gguf());
    folder.expect_refused("2.safetensors", "header");
  }
  SECTION("a shard that is a folder") {
    std::filesystem::remove(folder.at / "2.safetensors");
    std::filesystem::create_directory(folder.at / "2.safetensors");
    folder.expect_refused("2.safetensors", "missing");
  }
  SECTION("a configuration that is too long to be one") {
    write_file(folder.at / "config.json", "{\"a\":\"" + std::string(5 << 20, 'x') + "\"}");
    folder.expect_refused("config.json", "bytes");
  }
  SECTION("a generation configuration that is broken") {
    write_file(folder.at / "generation_config.json", "{");
    folder.expect_refused("generation_config.json", "JSON");
  }
  SECTION("a configuration that pretends to be the generation's") {
    write_file(folder.at / "config.json", R"({"generation": {"eos_token_id": 1}})");
    write_file(folder.at / "generation_config.json", R"({"eos_token_id": 2})");
    folder.expect_refused("generation_config.json", "'generation.eos_token_id'");
  }
}
