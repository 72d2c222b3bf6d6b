// test_json_attacks.cpp -- documents of millions of tiny values: a tree of them would take many times the text.
#include "attacks/heap_meter.h"
#include "base/json.h"
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
  } catch (const Error& e) { error = e.what(); }
  CHECK(HeapMeter::peak() < text.size() + kMore);
  CHECK(error.empty() == fits);
  if (!fits) CHECK_THAT(error, Catch::Contains("doc: ") && Catch::Contains("more values"));
}

}  // namespace

TEST_CASE("a document of millions of tiny values takes its size and 64 MB, or is refused", "[attacks]") {
  struct Case { const char* what; std::string text; bool fits; };
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
      {"messages of some length", repeated("[", R"({"role":"user","content":")" + std::string(4000, 'x') + "\"},", "1]", 20 << 20), true},
      {"long texts", repeated("[", "\"" + std::string(1000, 'x') + "\",", "1]", 20 << 20), true},
      {"one long text", "[\"" + std::string(16 << 20, 'x') + "\"]", true},
  };
  for (const Case& c : cases) {
    check_memory(c.what, c.text, c.fits, [](const std::string& text) { return parse_json(text, "doc"); });
    check_memory(c.what, c.text, c.fits, [](const std::string& text) { return parse_ordered_json(text, "doc"); });
  }
}
