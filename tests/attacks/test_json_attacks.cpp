// test_json_attacks.cpp -- documents of millions of tiny values: a tree of them would take many times the text.
#include "attacks/heap_meter.h"
#include "base/json.h"
#include "io/safetensors_header.h"
#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;

namespace {

constexpr size_t kMore = 64 << 20;

std::string repeated(const std::string& front, const std::string& unit, const std::string& back, size_t bytes) {
  std::string text = front;
  text.reserve(bytes + unit.size() + back.size());
  while (text.size() < bytes) text += unit;
  return text + back;
}

// The text counts as once the file's size: what the reader adds may be as much again.
template <class Parse>
void check_memory(const char* what, const std::string& text, bool fits, Parse parse) {
  CAPTURE(what, text.size());
  const HeapMeter heap;
  std::string error;
  try {
    auto json = parse(text);
    const JsonGuard guard(json);
  } catch (const Error& e) {
    error = e.what();
  }
  CHECK(HeapMeter::peak() < text.size() + kMore);
  CHECK(error.empty() == fits);
  if (!fits) CHECK_THAT(error, Catch::Contains("doc: ") && Catch::Contains("more values"));
}

}  // namespace

TEST_CASE("a document of millions of tiny values takes its size and 64 MB, or is refused", "[attacks]") {
  struct Case {
    const char* what;
    std::string text;
    bool fits;
  };
  std::string keys = "{";
  for (int i = 0; i < 2'000'000; ++i) keys += "\"k" + std::to_string(i) + "\":1,";
  const Case cases[] = {
      {"empty objects", repeated("[", "{},", "1]", 10 << 20), false},
      {"empty lists", repeated("[", "[],", "1]", 10 << 20), false},
      {"empty texts", repeated("[", "\"\",", "1]", 10 << 20), false},
      {"digits", repeated("[", "1,", "1]", 10 << 20), false},
      {"objects of one key", repeated("[", "{\"a\":1},", "1]", 10 << 20), false},
      {"lists of one element", repeated("[", "[0],", "1]", 10 << 20), false},
      {"keys", keys + "\"\":1}", false},
      {"short texts", repeated("[", "\"0123456789abcdef\",", "1]", 20 << 20), false},
      {"messages", repeated("[", R"({"role":"user","content":"x"},)", "1]", 10 << 20), false},
      {"a list of numbers", repeated("[", "12345678,", "1]", 4 << 20), true},
      {"messages of some length",
       repeated("[", R"({"role":"user","content":")" + std::string(4000, 'x') + "\"},", "1]", 20 << 20), true},
      {"long texts", repeated("[", "\"" + std::string(1000, 'x') + "\",", "1]", 20 << 20), true},
      {"one long text", "[\"" + std::string(16 << 20, 'x') + "\"]", true},
  };
  for (const Case& c : cases) {
    check_memory(c.what, c.text, c.fits, [](const std::string& text) { return parse_json(text, "doc"); });
    check_memory(c.what, c.text, c.fits, [](const std::string& text) { return parse_ordered_json(text, "doc"); });
  }
}

TEST_CASE("a safetensors header of more tensors than any model has is refused on the way", "[attacks]") {
  std::string text = "{";
  for (int i = 0; i < 400'000; ++i)
    text += "\"t" + std::to_string(i) + R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
            std::to_string(i + 1) + "]},";
  text.back() = '}';
  const HeapMeter heap;
  CHECK_THROWS_WITH(io::parse_safetensors_header(text, "m.safetensors"), Catch::Contains("more than 262144 tensors"));
  CHECK(HeapMeter::peak() < text.size() + kMore);
}

TEST_CASE("a list that is handed over piece by piece takes no tree, and the others are as large as they are",
          "[attacks]") {
  // The shape of a published tokenizer.json of 200,000 tokens and 450,000 merges.
  std::string vocab, merges;
  for (int i = 0; i < 200'000; ++i)
    vocab += (i ? "," : "") + ("\"token" + std::to_string(i)) + "\":" + std::to_string(i);
  for (int i = 0; i < 450'000; ++i) merges += (i ? "," : "") + ("[\"token" + std::to_string(i)) + "\",\"x\"]";
  const std::string text =
      R"({"version":"1.0","model":{"type":"BPE","vocab":{)" + vocab + R"(},"merges":[)" + merges + "]}}";
  const std::string paths[] = {"model.vocab", "model.merges", "none"};
  size_t tokens = 0, pairs = 0;
  const HeapMeter heap;
  const Json tree = parse_json_parts(
      text, "doc", paths, [&](const std::string& path, bool of_object, const std::string& key, const Json& value) {
        tokens += path == "model.vocab" && of_object && key == "token" + std::to_string(tokens) && value == tokens;
        pairs += path == "model.merges" && !of_object && key == std::to_string(pairs) && value.size() == 2;
      });
  CHECK(HeapMeter::peak() < 1 << 20);
  CHECK(tokens == 200'000);
  CHECK(pairs == 450'000);
  CHECK(tree == Json::parse(R"({"version": "1.0", "model": {"type": "BPE", "vocab": {}, "merges": []}})"));
  CHECK_THROWS_WITH(parse_json(text, "doc"), Catch::Contains("more values"));
}
