// Files to sequences: which tokens there are, and which of them count.
#include "puna/base/error.h"
#include "puna/train/data.h"
#include "support/catch.h"
#include "support/files.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

namespace {

// A token a byte, and an end.
class Bytes : public Tokenizer {
 public:
  Bytes() { specials_.eos = 256; }
  int32_t size() const noexcept override { return 257; }
  std::vector<int32_t> encode(std::string_view text, bool, const Watch&) const override {
    std::vector<int32_t> ids;
    for (const char c : text) ids.push_back(uint8_t(c));
    return ids;
  }
  std::string_view bytes(int32_t id) const override {
    static char all[256];
    if (id == 256) return "$";
    all[id] = char(id);
    return {&all[id], 1};
  }
  TokenKind kind(int32_t id) const override { return id == 256 ? TokenKind::control : TokenKind::normal; }
  int32_t find(std::string_view) const noexcept override { return -1; }
};

const Bytes kBytes;

TextCodec codec() {
  // "<u>hello<a>", the last part only where an answer is asked for.
  return {&kBytes, [](std::string_view json) {
            std::string out, text(json);
            for (size_t at = 0; (at = text.find("\"content\":\"", at)) != std::string::npos;) {
              at += 11;
              const std::string content = text.substr(at, text.find('"', at) - at);
              const bool user = text.find("\"role\":\"user\"", at) != std::string::npos && text.find("\"role\":\"user\"", at) < text.find('}', at);
              out += (user ? "<u>" : "<a>") + content + "\n";
            }
            if (text.find("\"add_generation_prompt\":true") != std::string::npos) out += "<a>";
            return out;
          }};
}

// Tokens as text; those that count in capitals where they are letters, others as they are.
std::string shown(const Sequence& s) {
  std::string out;
  for (size_t i = 0; i < s.tokens.size(); ++i) {
    const char c = kBytes.bytes(s.tokens[i])[0];
    out += s.counted[i] ? (c == '$' ? '$' : char(toupper(c))) : c;
  }
  return out;
}

std::vector<std::string> read(const std::string& lines, DataReport* report = nullptr, int64_t max_tokens = 100) {
  std::vector<Sequence> all;
  add_jsonl(all, codec(), lines, "lines.jsonl", {max_tokens, true}, report);
  std::vector<std::string> out;
  for (const Sequence& s : all) out.push_back(shown(s));
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("of a text all tokens count, of a prompt none, of a chat what the assistant says", "[train]") {
  CHECK(read("{\"text\": \"abc\"}\n\n{\"prompt\": \"ab\", \"completion\": \"cd\"}") == Lines{"ABC$", "abCD$"});
  CHECK(read(R"({"messages": [{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"so"},{"role":"assistant","content":"no"}]})") ==
        Lines{"<u>hi\n<a>YES\n<u>so\n<a>NO\n"});
}

TEST_CASE("long texts are cut, long answers left out and counted", "[train]") {
  DataReport report;
  CHECK(read("{\"text\": \"abcdefg\"}", &report, 3) == Lines{"ABC", "DEF", "G$"});
  CHECK(read("{\"prompt\": \"ab\", \"completion\": \"cd\"}", &report, 4).empty());
  CHECK((report.left_out == 1 && report.lines == 2 && report.tokens == 8));
}

TEST_CASE("preference pairs share their prompt and count their answers alone", "[train]") {
  std::vector<Preference> pairs;
  add_preferences(pairs, codec(), R"({"prompt": "ab", "chosen": "cd", "rejected": "e"}
{"prompt": [{"role":"user","content":"hi"},{"role":"assistant","content":"oh"},{"role":"user","content":"so"}], "chosen": "x", "rejected": "y"})", "pairs", {}, nullptr);
  REQUIRE(pairs.size() == 2);
  CHECK((shown(pairs[0].chosen) == "abCD$" && shown(pairs[0].rejected) == "abE$"));
  CHECK((shown(pairs[1].chosen) == "<u>hi\n<a>oh\n<u>so\n<a>X\n" && shown(pairs[1].rejected) == "<u>hi\n<a>oh\n<u>so\n<a>Y\n"));
}

TEST_CASE("a wrong line is named", "[train]") {
  for (const char* bad : {"{\"text\": 3}", "[1]", "{", "{\"prompt\": \"a\"}", "{\"messages\": []}", "{\"messages\": [{\"role\":\"user\",\"content\":\"x\"}]}", "{\"messages\": 7}"}) {
    CAPTURE(bad);
    try {
      read(std::string("{\"text\": \"fine\"}\n") + bad);
      FAIL("read");
    } catch (const Error& e) {
      CHECK(std::string(e.what()).find("lines.jsonl, line 2") != std::string::npos);
    }
  }
}
