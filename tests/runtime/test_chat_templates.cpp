// Where a model's chat templates and the special tokens they name are found, and which of several is taken.
#include "puna/base/error.h"
#include "puna/runtime/chat_templates.h"
#include "runtime/opening/folder_texts.h"
#include "support/catch.h"
#include "support/files.h"

using namespace puna;
using namespace puna::test;

namespace {

std::string first_message(const ChatTemplates& templates, std::string_view name = {}, bool with_tools = false) {
  return templates.choose(name, with_tools).render(R"({"messages": [{"role": "user", "content": "hi"}]})").text;
}

std::string error_of(FunctionRef<void()> call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::string marked(const char* mark) { return std::string(mark) + ":{{ messages[0].content }}"; }
std::string quoted_marked(const char* mark) { return "\"" + marked(mark) + "\""; }

struct Folder : TempFolder {
  Folder& with(const std::string& name, const std::string& bytes) {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    write_file(path, bytes);
    return *this;
  }
  ChatTemplates templates() const { return chat_templates_of_folder(path()); }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    const ChatTemplates t = templates();
    for (const ChatTemplates::Entry& e : t.entries()) out.push_back(e.name);
    return out;
  }
};

const std::string kList = R"([{"name": "default", "template": )" + quoted_marked("D") +
                          R"(}, {"name": "tool_use", "template": )" + quoted_marked("T") +
                          R"(}, {"name": "rag", "template": )" + quoted_marked("R") + "}]";
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a processor's chat_template.json is read, as a text and as a list", "[runtime]") {
  Folder f;
  CHECK(first_message(f.with("chat_template.json", "{\"chat_template\": " + quoted_marked("J") + "}").templates()) ==
        "J:hi");
  CHECK(first_message(f.with("chat_template.json", "{\"chat_template\": " + kList + "}").templates(), "rag") == "R:hi");
  Folder old;
  CHECK(
      first_message(old.with("processor_config.json", "{\"chat_template\": " + quoted_marked("P") + "}").templates()) ==
      "P:hi");
  CHECK(Folder().with("processor_config.json", R"({"patch_size": 14})").templates().empty());
}

TEST_CASE("tokenizer_config.json's list of templates has its default, and the one for tools when there are tools",
          "[runtime]") {
  Folder f;
  const ChatTemplates t = f.with("tokenizer_config.json", "{\"chat_template\": " + kList + "}").templates();
  CHECK(first_message(t) == "D:hi");
  CHECK(first_message(t, {}, /*with_tools=*/true) == "T:hi");
  CHECK(first_message(t, "default", /*with_tools=*/true) == "D:hi");
  CHECK(first_message(t, "rag") == "R:hi");
}

TEST_CASE("additional_chat_templates are named by their files and go with chat_template.jinja", "[runtime]") {
  Folder f;
  f.with("chat_template.jinja", marked("F"))
      .with("additional_chat_templates/tool_use.jinja", marked("T"))
      .with("additional_chat_templates/notes.txt", "no template");
  CHECK(f.names() == Names{"default", "tool_use"});
  CHECK(first_message(f.templates(), {}, true) == "T:hi");
  CHECK(first_message(f.templates()) == "F:hi");
}

TEST_CASE("the place of templates that transformers looks at first wins, whole", "[runtime]") {
  Folder f;
  CHECK(first_message(f.with("tokenizer_config.json", "{\"chat_template\": " + kList + "}").templates()) == "D:hi");
  CHECK(first_message(f.with("chat_template.json", "{\"chat_template\": " + quoted_marked("J") + "}").templates()) ==
        "J:hi");
  CHECK(first_message(f.with("chat_template.jinja", marked("F")).templates()) == "F:hi");
  CHECK(f.names() == Names{"default"});  // the list's others are gone with its default
}

TEST_CASE("without a template of its own for tools a chat with tools takes the default", "[runtime]") {
  CHECK(first_message(Folder().with("chat_template.jinja", marked("F")).templates(), {}, true) == "F:hi");
}

TEST_CASE("a GGUF's named templates are found, listed or not", "[runtime]") {
  Metadata m;
  m.set("tokenizer.chat_template", marked("D"));
  m.set("tokenizer.chat_template.tool_use", marked("T"));
  m.set("tokenizer.chat_templates", std::vector<std::string>{"tool_use", "rag"});
  m.set("tokenizer.chat_template_notes", std::string("{% no template"));
  const ChatTemplates t = chat_templates_of_gguf(m);
  CHECK(first_message(t) == "D:hi");
  CHECK(first_message(t, {}, true) == "T:hi");
  CHECK(error_of([&] { t.choose("rag", false); }) ==
        "metadata 'tokenizer.chat_templates' lists the template 'rag', but there is no 'tokenizer.chat_template.rag'");
}

TEST_CASE("a name that no template has is an error that lists the names and the nearest one", "[runtime]") {
  Folder f;
  const ChatTemplates t = f.with("tokenizer_config.json", "{\"chat_template\": " + kList + "}").templates();
  CHECK(error_of([&] { t.choose("tool-use", false); }) ==
        "the model has no chat template 'tool-use', did you mean 'tool_use'? (there are: default, tool_use, rag)");
  const ChatTemplates none = Folder().with("additional_chat_templates/rag.jinja", "x").templates();
  CHECK(error_of([&] { none.choose({}, false); }) ==
        "none of the model's chat templates is the default: name one of rag");
}

TEST_CASE("a template that cannot be parsed does not keep the others from working", "[runtime]") {
  Folder f;
  f.with("chat_template.jinja", marked("F")).with("additional_chat_templates/tool_use.jinja", "{% for %}");
  const ChatTemplates t = f.templates();
  CHECK(first_message(t) == "F:hi");
  CHECK_THAT(
      error_of([&] { t.choose({}, true); }),
      Catch::Matchers::Contains("additional_chat_templates/tool_use.jinja: ") && Catch::Matchers::Contains("line 1"));
  CHECK(first_message(t, "default", true) == "F:hi");
}

TEST_CASE("a chat template of a wrong type is named, not passed over", "[runtime]") {
  for (const char* wrong :
       {"{\"chat_template\": 5}", "{\"chat_template\": [\"x\"]}", "{\"chat_template\": [{\"name\": \"default\"}]}"}) {
    Folder f;
    const ChatTemplates t = f.with("tokenizer_config.json", wrong).templates();
    CHECK_THAT(error_of([&] { t.choose({}, false); }),
               Catch::Matchers::Contains("tokenizer_config.json: chat_template is") &&
                   Catch::Matchers::Contains("{name, template}"));
  }
  Folder f;
  CHECK_THAT(error_of([&] { f.with("chat_template.json", "{").templates().choose({}, false); }),
             Catch::Matchers::Contains("chat_template.json"));
  CHECK(Folder().with("tokenizer_config.json", R"({"chat_template": null})").templates().empty());
}

TEST_CASE("a template finds the special tokens of tokenizer_config.json and special_tokens_map.json", "[runtime]") {
  Folder f;
  f.with(
      "tokenizer_config.json",
      R"({"pad_token": "<pad>", "unk_token": {"content": "<unk>", "lstrip": false}, "bos_token": "<old>", "eos_token": null,
                                      "extra_special_tokens": {"image_token": "<img>"}, "additional_special_tokens": ["<a>"], "model_max_length": 9})");
  f.with(
      "special_tokens_map.json",
      R"({"bos_token": {"content": "<s>"}, "sep_token": "<sep>", "mask_token": "<mask>", "additional_special_tokens": ["<a>", {"content": "<b>"}]})");
  const ChatTemplate::Texts t = template_tokens_of_folder(f.path());
  CHECK(t == ChatTemplate::Texts{{"additional_special_tokens", Names{"<a>", "<b>"}},
                                 {"bos_token", "<s>"},
                                 {"image_token", "<img>"},
                                 {"mask_token", "<mask>"},
                                 {"pad_token", "<pad>"},
                                 {"sep_token", "<sep>"},
                                 {"unk_token", "<unk>"}});
  f.with(
      "tokenizer_config.json",
      R"({"bos_token": "<new>", "added_tokens_decoder": {}})");  // as transformers: then the map is the older of the two
  CHECK(std::get<std::string>(template_tokens_of_folder(f.path())["bos_token"]) == "<new>");
}

TEST_CASE("special tokens that the caller gives are tokens if they are the model's, and text if not", "[runtime]") {
  const auto t = ChatTemplate::parse("{{ bos_token }}{{ additional_special_tokens[1] }}{{ messages[0].content }}");
  const ChatTemplate::Texts tokens = {
      {"bos_token", "<s>"}, {"eos_token", "</s>"}, {"additional_special_tokens", Names{"<a>", "<b>"}}};
  const auto content = [&](const std::string& variables) {
    const RenderedChat chat = t->render(variables, {}, Watch(), tokens);
    std::string out;
    for (const TextSpan& s : chat.content) out += chat.text.substr(s.begin, s.end - s.begin) + "|";
    return chat.text + " " + out;
  };
  const std::string messages = R"("messages": [{"role": "user", "content": "<s>"}]})";
  CHECK(content("{" + messages) == "<s><b><s> <s>|");
  CHECK(content(R"({"bos_token": "</s>", )" + messages) == "</s><b><s> <s>|");
  CHECK(content(R"({"bos_token": "<|im_start|>system", )" + messages) ==
        "<|im_start|>system<b><s> <|im_start|>system|<s>|");
}
