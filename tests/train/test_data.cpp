// Files to sequences: which tokens there are, and which of them count.
#include "puna/train/data.h"
#include "train/data_fixture.h"

using namespace puna;
using namespace puna::test;
using namespace puna::train;

TEST_CASE("loss masks: all tokens of a text, none of a prompt, the assistant's of a chat", "[train]") {
  Reading r;
  CHECK(r.rows("{\"text\": \"abc\"}\n\n{\"prompt\": \"ab\", \"completion\": \"cd\"}") == Lines{"{abc$}", "ab{cd$}"});
  CHECK(
      r.rows(
          R"({"messages": [{"role":"user","content":"hi"},{"role":"assistant","content":"yes"},{"role":"user","content":"so"},{"role":"assistant","content":"no"}]})") ==
      Lines{"<user>hi;<assistant>{yes;}<user>so;<assistant>{no;}"});
}

TEST_CASE("long texts are cut, long answers left out and counted", "[train]") {
  Reading r;
  r.options.max_tokens = 3;
  CHECK(r.rows("{\"text\": \"abcdefg\"}") == Lines{"{abc}", "{def}", "{g$}"});
  r.options.max_tokens = 4;
  CHECK(r.rows("{\"prompt\": \"ab\", \"completion\": \"cd\"}").empty());
  CHECK((r.report.left_out == 1 && r.report.lines == 2 && r.report.tokens == 8));
  r.options.skip_long = false;
  CHECK(says(r.refusal("{\"prompt\": \"ab\", \"completion\": \"cd\"}"),
             {"data.jsonl, line 1", "longer than max_tokens"}));
}

TEST_CASE("a chat that is too long is left out without being written to its end", "[train]") {
  std::string messages;
  for (int i = 0; i < 3000; ++i)
    messages += R"({"role":"user","content":"question"},{"role":"assistant","content":"answer"},)";
  messages.pop_back();
  Reading r;
  int renders = 0;
  TextCodec codec = codec_with(kTemplate);
  codec.render_chat = [&, render = codec.render_chat](std::string_view json, std::string_view date) {
    return ++renders, render(json, date);
  };
  std::vector<Sequence> all;
  r.options.max_tokens = 64;
  add_data(all, codec, R"({"messages":[)" + messages + "]}", r.name, r.options, &r.report);
  CHECK((all.empty() && r.report.left_out == 1 && renders < 10));
  // One message of megabytes is not written at all.
  renders = 0;
  add_data(all, codec,
           R"({"messages":[{"role":"user","content":")" + std::string(1 << 20, 'x') +
               R"("},{"role":"assistant","content":"y"}]})",
           r.name, r.options, &r.report);
  CHECK((all.empty() && r.report.left_out == 2 && renders == 0));
}

TEST_CASE("preference pairs share their prompt and count their answers alone", "[train]") {
  Reading r;
  CHECK(r.pairs(R"({"prompt": "ab", "chosen": "cd", "rejected": "e"}
{"prompt": [{"role":"user","content":"hi"},{"role":"assistant","content":"oh"},{"role":"user","content":"so"}], "chosen": "x", "rejected": "y"})") ==
        Lines{"ab{cd$}", "ab{e$}", "<user>hi;<assistant>oh;<user>so;<assistant>{x;}",
              "<user>hi;<assistant>oh;<user>so;<assistant>{y;}"});
}

TEST_CASE("a wrong line is named", "[train]") {
  for (const char* bad : {"{\"text\": 3}",
                          "[1]",
                          "{",
                          "{\"prompt\": \"a\"}",
                          "{\"messages\": []}",
                          "{\"messages\": [{\"role\":\"user\",\"content\":\"x\"}]}",
                          "{\"messages\": 7}",
                          "3",
                          "\"text\"",
                          "{\"text\": \"a\"",
                          "{\"text\": \"a}",
                          "nonsense",
                          "{}",
                          "{\"text\": null}",
                          "{'text': 'a'}",
                          "{\"text\": \"\\ud800\"}",
                          "{\"text\": \"a\", \"text\": \"b\"}",
                          "{\"messages\": [3]}",
                          "{\"messages\": [{\"role\": \"user\"}]}",
                          "{\"messages\": [{\"content\": \"x\"}]}"}) {
    CAPTURE(bad);
    Reading r;
    CHECK(says(r.refusal(std::string("{\"text\": \"fine\"}\n") + bad), {"data.jsonl, line 2"}));
  }
}

TEST_CASE("reading is cancelled within a long line and within long prose", "[train]") {
  const std::string long_line = R"({"text": ")" + std::string(4 << 20, 'a') + R"("})", many = [] {
    std::string all;
    for (int i = 0; i < 30000; ++i) all += "{\"prompt\": \"a\", \"completion\": \"b\", \"n\": [1, 2, 3]}\n";
    return all;
  }();
  for (const std::string& text :
       {long_line, std::string(4 << 20, 'a'), std::string(4 << 20, '\n'), many, "[" + std::string(4 << 20, ' ')}) {
    int asked = 0;
    const auto go_on = [&] { return ++asked < 3; };
    const Watch watch(go_on, std::chrono::microseconds(0));
    std::vector<Sequence> all;
    DataReport report;
    try {
      add_data(all, codec_with("", &watch), text, "x", {}, &report);
      FAIL("read to its end");
    } catch (const Error& e) {
      CHECK(e.status() == Status::cancelled);
    }
  }
}
