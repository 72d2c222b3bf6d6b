// test_tokenizer_attacks.cpp -- tokenizers of tens of megabytes: a published one opens, a hostile one is refused, and
// neither takes more memory than its text (which the caller holds) and 64 MB.
#include "attacks/heap_meter.h"
#include "puna/base/error.h"
#include "puna/text/tokenizer.h"
#include "support/catch.h"
#include "text/model_files.h"

using namespace puna;
using namespace puna::test;

namespace {

std::string filled_with(const std::string& unit, size_t bytes) {
  std::string text;
  text.reserve(bytes + unit.size());
  while (text.size() < bytes) text += unit;
  return text;
}

// How reading ended, "" when well.
template <class Read>
std::string cost(const std::string& text, Read read) {
  const HeapMeter heap;
  std::string error;
  try {
    read();
  } catch (const Error& e) {
    error = e.what();
  }
  CAPTURE(error);
  CHECK(HeapMeter::peak() < text.size() + (64 << 20));
  return error;
}
std::string json_cost(const std::string& text) {
  return cost(text, [&] { tokenizer_from_json(text, "", ""); });
}

}  // namespace

TEST_CASE("a tokenizer.json as large as published ones opens within its size and 64 MB", "[attacks]") {
  // Every letter, pairs of them, pairs of pairs, ...: 350,000 tokens and as many merges, indented as Hugging Face
  // writes them.
  std::vector<std::string> tokens;
  std::string vocab, merges;
  for (int c = 0; c < 64; ++c) tokens.push_back(std::string(1, char('0' + c)));
  const auto add = [&](const std::string a, const std::string b) {
    tokens.push_back(a + b);
    merges += "      [\n        \"" + a + "\",\n        \"" + b + "\"\n      ],\n";
  };
  const auto plain = [](const std::string& s) { return s.find('\\') == std::string::npos; };
  for (size_t a = 0; a < 64; ++a)
    for (size_t b = 0; b < 64; ++b) add(tokens[a], tokens[b]);
  for (size_t a = 64; tokens.size() < 350'000; ++a)
    for (size_t b = 0; b < 64; ++b) add(tokens[a], tokens[b]);
  std::string kept_merges;
  int id = 0;
  for (const std::string& t : tokens)
    if (plain(t)) vocab += "      \"" + t + "\": " + std::to_string(id++) + ",\n";
  for (size_t at = 0; at < merges.size();) {
    const size_t end = merges.find("],\n", at) + 3;
    if (plain(merges.substr(at, end - at))) kept_merges += merges.substr(at, end - at);
    at = end;
  }
  const std::string text =
      R"({"added_tokens": [], "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {)" +
      vocab.substr(0, vocab.size() - 2) + R"(}, "merges": [)" + kept_merges.substr(0, kept_merges.size() - 2) + "]}}";
  REQUIRE(text.size() > 20 << 20);
  CHECK(json_cost(text) == "");
}

TEST_CASE("a tokenizer of millions of nothings takes its size and 64 MB, or is refused", "[attacks]") {
  const std::string front = R"({"model": {"type": "BPE", "vocab": {"a": 0, "aa": 1)",
                    middle = R"(}, "merges": [["a", "a"])", end = "]}}";
  CHECK(json_cost("[" + filled_with("{},", 14 << 20) + "1]") != "");
  CHECK(json_cost(front + middle + filled_with(R"(,["",""])", 14 << 20) + end) != "");
  CHECK(json_cost(front + middle + filled_with(R"(,"")", 14 << 20) + end) != "");
  CHECK(json_cost(front + middle + filled_with(R"(,["a","a"])", 14 << 20) + end) != "");
  CHECK(json_cost(R"({"added_tokens": [{})" + filled_with(",{}", 14 << 20) + "]," + (front + middle + end).substr(1)) !=
        "");
  CHECK(json_cost(R"({"added_tokens": [], "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"})" +
                  filled_with(R"(,{"type": "NFC"})", 14 << 20) + "]}," + (front + middle + end).substr(1)) != "");
  const auto with_tokens = [&](int n) {
    std::string keys;
    for (int i = 0; i < n; ++i) keys += ",\"" + std::to_string(i) + "\":" + std::to_string(i + 2);
    return front + keys + middle + end;
  };
  CHECK(json_cost(with_tokens(1'500'000)) != "");
  CHECK(json_cost(with_tokens((1 << 19) - 2)) == "");  // as many as there may be

  const std::string lines(24 << 20, '\n'), ranks = "IQ== 0\n" + lines;
  CHECK(cost(lines, [&] { tokenizer_from_tiktoken(lines); }) != "");
  CHECK(cost(ranks, [&] { tokenizer_from_tiktoken(ranks); }) != "");
}

TEST_CASE("a Unigram vocabulary of any size is an error that names Unigram", "[attacks]") {
  const std::string text = R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0])" +
                           filled_with(R"(,["piece", -3.5])", 8 << 20) + "]}}";
  CHECK_THAT(json_cost(text), Catch::Contains("Unigram"));
}

TEST_CASE("a normalizer that makes much of a long text is stopped on the way", "[attacks]") {
  const std::string text = R"({"normalizer": {"type": "Replace", "pattern": {"String": "a"}, "content": ")" +
                           std::string(1 << 20, 'b') +
                           R"("}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}})";
  const TokenizerPtr t = tokenizer_from_json(text, "", "");
  const std::string prompt(1 << 20, 'a');
  const HeapMeter heap;
  CHECK_THROWS_AS(t->encode(prompt, false), Error);
  CHECK(HeapMeter::peak() < 64 << 20);
}

TEST_CASE("a tokenizer.model or tekken.json of millions of nothings takes its size and 64 MB, or is refused",
          "[attacks]") {
  const auto spm = [](const std::string& text) { return cost(text, [&] { tokenizer_from_model_file(text); }); };
  const auto tekken = [](const std::string& text) { return cost(text, [&] { tokenizer_from_tekken(text); }); };
  const std::string model = sentencepiece_model();
  CHECK(spm(model + filled_with(piece("c", 0), 20 << 20)) != "");
  CHECK(spm(model + filled_with(field(1, ""), 20 << 20)) != "");
  CHECK(spm(model + filled_with(field(7, uint64_t(0)), 20 << 20)) == "");  // fields that nobody knows
  CHECK(spm(model + filled_with(field(2, ""), 20 << 20)) == "");
  CHECK(spm(model + field(2, filled_with(field(30, "[x]"), 20 << 20))) == "");
  CHECK(spm(model + piece(std::string(8 << 20, 'a'), 0)) == "");
  CHECK(spm(model + piece(std::string(20 << 20, 'a'), 0, 4)) != "");  // an added token of 20 MB
  const std::string file = tekken_json(), front = file.substr(0, file.size() - 2);
  CHECK(tekken(front + filled_with(",{}", 20 << 20) + "]}") != "");
  CHECK(tekken(front + filled_with(",0", 20 << 20) + "]}") != "");
  CHECK(tekken(front + "," + tekken_entry(259, std::string(10 << 20, 'a')) + "]}") == "");
  CHECK(tekken(tekken_json(",\"special_tokens\":[{}" + filled_with(",{}", 20 << 20) + "]")) != "");
  CHECK(tekken(tekken_json("", 1 << 19, 1 << 19)) != "");
}
