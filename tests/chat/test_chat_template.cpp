// Templates of the golden sets render as transformers rendered them; 1431 small ones as jinja2 renders them.
#include <nlohmann/json.hpp>

#include "chat/golden_chats.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"

using namespace puna;
using namespace puna::test;

namespace test_chat_template {
namespace {

std::string render(std::string_view source, const std::string& variables = "{}", std::string_view now = {}) {
  return ChatTemplate::parse(source)->render(variables, now).text;
}

}  // namespace

TEST_CASE("Llama 4's Hugging Face template renders every golden dialog", "[chat][golden]") {
  for (const Golden& g : tokenizer_sets()) {
    const auto chat = ChatTemplate::parse(read_text(g.folder() + "/golden/llama4_hf_chat_template.jinja"));
    const ordered_json cases = read_json(g, "llama4_hf_template");
    REQUIRE(!cases.empty());
    for (const ordered_json& c : cases) {
      CAPTURE(c["name"].get<std::string>());
      ordered_json variables = {{"messages", c["messages"]},
                                {"add_generation_prompt", c["add_generation_prompt"]},
                                {"bos_token", "<|begin_of_text|>"}};
      variables["tools"] = c["tools"];
      for (const auto& [key, value] : c["kwargs"].items()) variables[key] = value;
      CHECK(chat->render(variables.dump()).text == c["text"].get<std::string>());
    }
  }
}

TEST_CASE("SmolLM2's template renders every golden dialog", "[chat][golden]") {
  for (const Golden& g : tokenizer_sets()) {
    const auto chat = ChatTemplate::parse(read_text(g.folder() + "/golden/smollm2_chat_template.jinja"));
    const ordered_json cases = read_json(g, "smollm2_template");
    REQUIRE(!cases.empty());
    for (const ordered_json& c : cases) {
      const ordered_json variables = {{"messages", c["messages"]},
                                      {"add_generation_prompt", c["add_generation_prompt"]}};
      CHECK(chat->render(variables.dump()).text == c["text"].get<std::string>());
    }
  }
}

TEST_CASE("the multimodal checkpoint's template parses and places images", "[chat][golden]") {
  for (const Golden& g : goldens([](const Golden& s) { return s.has_file("chat_template.jinja"); })) {
    const auto chat = ChatTemplate::parse(read_text(g.folder() + "/chat_template.jinja"));
    const char* variables =
        R"({"messages": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hi"}]}], "add_generation_prompt": true})";
    CHECK(chat->render(variables).text ==
          "<|header_start|>user<|header_end|>\n\n<|image|>Hi<|eot|><|header_start|>assistant<|header_end|>\n\n");
  }
}

TEST_CASE("a variable missing from the JSON has the caller's default, an unknown one is undefined", "[chat]") {
  const auto chat = ChatTemplate::parse("{{ bos_token }}{{ m.content }}{{ m == n }}{{ eos_token }}{{ nobody }}");
  CHECK(chat->render(R"({"m": {"content": "a"}, "n": {"content": "a"}, "eos_token": null})", {}, Watch(),
                     {{"bos_token", "<s>"}, {"eos_token", "</s>"}})
            .text == "<s>aTrueNone");
}

TEST_CASE("the cases of tests/data/jinja render as jinja2 rendered them", "[chat]") {
  const ordered_json cases =
      ordered_json::parse(read_text(std::string(PUNA_SOURCE_DIR) + "/tests/data/jinja/cases.json"));
  REQUIRE(cases.size() >= 250);
  for (const ordered_json& c : cases) {
    const std::string source = c["template"];
    CAPTURE(c["name"].get<std::string>(), source);
    const bool fails = c.contains("error");
    try {
      const std::string text = render(source, c["variables"].dump(), c.value("now", ""));
      if (fails) FAIL_CHECK("rendered '" << text << "', expected " << c["error"].get<std::string>());
      if (!fails) CHECK(text == c["expected"].get<std::string>());
    } catch (const Error& e) {
      CAPTURE(e.what());
      CHECK(fails);
      CHECK(e.status() != Status::internal);
      CHECK(std::string(e.what()).starts_with("chat template line "));
    }
  }
}

TEST_CASE("reads() is true for the variables that a render may give, not for the template's own or Jinja's", "[chat]") {
  const auto chat = ChatTemplate::parse(
      "{% set own = 1 %}{{ own }}{% if custom is defined %}{% set tools = custom %}{% endif %}{% if not tools is "
      "defined %}{% set tools = none %}{% endif %}"
      "{% for m in messages %}{{ loop.index }}{{ m.content }}{% endfor %}{% macro f(x) %}{{ x }}{{ inside }}{% "
      "endmacro %}{{ f(1) }}{{ range(2)|list }}{{ m }}"
      "{% set ns = namespace(n=0) %}{% set ns.n = 1 %}{{ strftime_now('%Y') if strftime_now is defined }}");
  for (const char* name : {"custom", "tools", "messages", "inside", "strftime_now", "m"}) {
    CAPTURE(name);
    CHECK(chat->reads(name));
  }
  for (const char* name : {"own", "loop", "x", "f", "range", "namespace", "ns", "content", "documents"}) {
    CAPTURE(name);
    CHECK(!chat->reads(name));
  }
  CHECK(!ChatTemplate::parse("{% for m in messages %}{{ m }}{% endfor %}")->reads("m"));
}

}  // namespace test_chat_template
