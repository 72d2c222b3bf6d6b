// formats.cpp -- the table of tool-call formats. A new family is an entry here (and a notation, where it has one of its
// own).
#include <algorithm>

#include "base/nearest.h"
#include "chat/tools/format.h"
#include "puna/base/error.h"

namespace puna {
namespace {

using namespace tools;

constexpr unsigned kAny = kJsonObject | kJsonList | kPythonList | kPythonCall;

// Llama 3 and 4 answer in any of their notations, whichever they were asked for.
constexpr Opener kLlama[] = {{"<|python_tag|>", kAny, "", true},
                             {"<|python_start|>", kAny, "", true},
                             {"<|python_end|>", kAny, ""},
                             {"<function=", kNamed, ">"}};

constexpr Opener kHermes[] = {{"<tool_call>", kJsonObject | kJsonList, ""}};

constexpr Opener kMistral[] = {{"[TOOL_CALLS]", kJsonObject | kJsonList | kNamed, "[ARGS]"}};

constexpr Opener kGranite[] = {{"<|tool_call|>", kJsonObject | kJsonList, ""},
                               {"<tool_call>", kJsonObject | kJsonList, ""}};

constexpr Opener kPhi[] = {{"<|tool_call|>", kJsonObject | kJsonList, ""}, {"functools", kJsonList, ""}};

// Gemma 3 has no form of its own: it answers as it was asked to, by Google's examples in fenced code.
constexpr Opener kToolCode[] = {{"```tool_code\n", kPythonList | kPythonCall, ""},
                                {"```json\n", kJsonObject | kJsonList, ""}};

constexpr Opener kGemma4[] = {{"<|tool_call>", kGemma, ""}};

// What free text may not have in it: harmony_reader reads headers, not openers.
constexpr Opener kHarmony[] = {{"to=functions.", 0, ""}};

constexpr std::string_view kHarmonySpecials[] = {"<|channel|>", "<|constrain|>", "<|message|>",
                                                 "<|call|>",    "<|start|>",     "<|end|>"};
constexpr std::string_view kMistralSpecials[] = {"[TOOL_CALLS]", "[ARGS]"};
constexpr std::string_view kGraniteSpecials[] = {"<|tool_call|>"};
constexpr std::string_view kPhiSpecials[] = {"<|tool_call|>", "<|/tool_call|>"};
constexpr std::string_view kGemmaSpecials[] = {"<|tool_call>", "<tool_call|>", kGemmaQuote};
constexpr std::string_view kLlama4Specials[] = {"<|python_start|>", "<|python_end|>"};

constexpr unsigned kBareLlama = kJsonObject | kJsonList | kPythonList;

// In the order in which templates are looked at: the first whose texts are all there.
constexpr ToolFormat kFormats[] = {
    {.name = "mistral_args",
     .in_template = {"[TOOL_CALLS]", "[ARGS]"},
     .token = "[ARGS]",
     .bare = kJsonList,
     .openers = kMistral,
     .closers = {},
     .before = "[TOOL_CALLS]",
     .between = "[ARGS]",
     .specials = kMistralSpecials},
    {.name = "mistral",
     .in_template = {"[TOOL_CALLS]"},
     .token = "[TOOL_CALLS]",
     .bare = kJsonList,
     .openers = kMistral,
     .closers = {},
     .begin = "[TOOL_CALLS][",
     .before = R"({"name": ")",
     .between = R"(", "arguments": )",
     .after = "}",
     .separator = ", ",
     .end = "]",
     .specials = kMistralSpecials},
    {.name = "harmony",
     .in_template = {"<|channel|>", "<|message|>"},
     .token = "<|constrain|>",
     .openers = kHarmony,
     .before = "<|channel|>commentary to=functions.",
     .between = " <|constrain|>json<|message|>",
     .separator = "<|call|><|start|>assistant",
     .specials = kHarmonySpecials,
     .messages = true},
    {.name = "gemma",
     .in_template = {"<|tool_call>call:"},
     .token = "<|tool_call>",
     .openers = kGemma4,
     .closers = {"<tool_call|>"},
     .before = "<|tool_call>call:",
     .between = "{",
     .after = "}<tool_call|>",
     .arguments = ArgumentForm::gemma,
     .specials = kGemmaSpecials},
    {.name = "tool_code",
     .in_template = {"<start_of_turn>"},
     .token = "<start_of_turn>",
     .bare = kJsonObject | kJsonList | kPythonList,
     .openers = kToolCode,
     .closers = {"```"},
     .begin = "```tool_code\n[",
     .between = "(",
     .after = ")",
     .separator = ", ",
     .end = "]\n```",
     .arguments = ArgumentForm::python},
    {.name = "phi",
     .in_template = {"<|/tool|>"},
     .token = "<|/tool_call|>",
     .bare = kJsonObject | kJsonList,
     .openers = kPhi,
     .closers = {"<|/tool_call|>"},
     .begin = "<|tool_call|>[",
     .before = R"({"name": ")",
     .between = R"(", "arguments": )",
     .after = "}",
     .separator = ", ",
     .end = "]<|/tool_call|>",
     .specials = kPhiSpecials},
    {.name = "granite",
     .in_template = {"<|tool_call|>"},
     .token = "<|tool_call|>",
     .bare = kJsonObject | kJsonList,
     .openers = kGranite,
     .closers = {"</tool_call>"},
     .begin = "<|tool_call|>[",
     .before = R"({"name": ")",
     .between = R"(", "arguments": )",
     .after = "}",
     .separator = ", ",
     .end = "]",
     .specials = kGraniteSpecials},
    {.name = "hermes",
     .in_template = {"<tool_call>", "\"arguments"},
     .token = "<tool_call>",
     .bare = kJsonObject,
     .openers = kHermes,
     .closers = {"</tool_call>"},
     .before = "<tool_call>\n{\"name\": \"",
     .between = R"(", "arguments": )",
     .after = "}\n</tool_call>",
     .separator = "\n"},
    {.name = "function_tag",
     .in_template = {"<function="},
     .token = "",
     .bare = kBareLlama,
     .openers = kLlama,
     .closers = {"</function>", "<|python_end|>"},
     .before = "<function=",
     .between = ">",
     .after = "</function>",
     .separator = "\n"},
    {.name = "pythonic",
     .in_template = {"func_name1("},
     .token = "",
     .bare = kBareLlama,
     .openers = kLlama,
     .closers = {"</function>", "<|python_end|>"},
     .begin = "[",
     .between = "(",
     .after = ")",
     .separator = ", ",
     .end = "]",
     .arguments = ArgumentForm::python},
    {.name = "llama4_json",
     .in_template = {"<|header_start|>"},
     .token = "<|python_start|>",
     .bare = kBareLlama,
     .openers = kLlama,
     .closers = {"</function>", "<|python_end|>"},
     .begin = "<|python_start|>",
     .before = R"({"name": ")",
     .between = R"(", "parameters": )",
     .after = "}",
     .separator = "; ",
     .end = "<|python_end|>",
     .specials = kLlama4Specials},
    {.name = "llama3_json",
     .in_template = {},  // what everything else is asked for
     .token = "<|python_tag|>",
     .bare = kBareLlama,
     .openers = kLlama,
     .closers = {"</function>", "<|python_end|>"},
     .before = R"({"name": ")",
     .between = R"(", "parameters": )",
     .after = "}",
     .separator = "; "},
};

}  // namespace

const ToolFormat& tool_format(std::string_view name) {
  for (const ToolFormat& f : kFormats)
    if (f.name == name) return f;
  const std::vector<std::string_view> names = tool_format_names();
  const std::string_view near = nearest_word(name, names);
  std::string known;
  for (const std::string_view n : names) known += (known.empty() ? "" : ", ") + std::string(n);
  fail(Status::invalid_argument, "tool format '%.40s' is not known%s%s, expected one of %s", std::string(name).c_str(),
       near.empty() ? "" : "; meant: ", std::string(near).c_str(), known.c_str());
}

std::string_view tool_format_name(const ToolFormat& format) { return format.name; }

std::vector<std::string_view> tool_format_names() {
  std::vector<std::string_view> names;
  for (const ToolFormat& f : kFormats) names.push_back(f.name);
  return names;
}

const ToolFormat& find_tool_format(std::string_view chat_template, FunctionRef<bool(std::string_view)> has_token) {
  for (const ToolFormat& f : kFormats) {
    const bool of_template = std::all_of(f.in_template.begin(), f.in_template.end(), [&](std::string_view text) {
      return chat_template.find(text) != chat_template.npos;  // "" is everywhere
    });
    if (!chat_template.empty() && of_template) return f;
    if (chat_template.empty() && !f.token.empty() && has_token(f.token)) return f;
  }
  return kFormats[std::size(kFormats) - 1];
}

}  // namespace puna
