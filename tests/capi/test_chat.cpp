// From messages to a prompt's ids through the C ABI: what people say is text, templates are named, what is left out is
// said.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;
using nlohmann::ordered_json;

namespace {

using Ids = std::vector<int32_t>;

Chat chat_of(const ModelHandle& model, const ordered_json& chat, const puna_chat_options* options = nullptr) {
  return {model, chat.dump(), options};
}
Ids chat_tokens(const ModelHandle& model, const ordered_json& chat, const puna_chat_options* options = nullptr) {
  return chat_of(model, chat, options).ids();
}
Ids tokenize(const ModelHandle& model, std::string_view text, const puna_encode_options& options) {
  return encode(model, text, &options);
}

puna_encode_options parsing() {
  auto options = sized<puna_encode_options>();
  options.parse_special = 1;
  return options;
}

size_t specials(const ModelHandle& model, const Ids& ids) {
  size_t n = 0;
  for (const int32_t id : ids) {
    auto info = sized<puna_token_info>();
    ok(puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &info));
    n += info.is_special == 1;
  }
  return n;
}

// Names of the model's special tokens, joined: the worst that a user can type.
std::string all_specials(const ModelHandle& model) {
  std::string all;
  auto info = sized<puna_token_info>();
  for (int32_t id = 0;
       all.size() < 2000 && puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &info) == PUNA_OK; ++id)
    if (info.kind == PUNA_TOKEN_CONTROL) all.append(info.bytes, info.size) += " ";
  return all;
}

ordered_json user_says(const std::string& text) {
  return {{"messages", {{{"role", "user"}, {"content", text}}}}, {"add_generation_prompt", true}};
}

// A copy of the chat model whose templates are these files.
struct WithTemplates : TempFolder {
  using File = std::pair<const char*, const char*>;
  explicit WithTemplates(std::initializer_list<File> files) {
    for (const auto& entry : std::filesystem::directory_iterator(chat_model()))
      if (entry.is_regular_file() && entry.path().filename() != "chat_template.jinja")
        std::filesystem::copy_file(entry.path(), *this / entry.path().filename().string());
    std::filesystem::create_directory(*this / "additional_chat_templates");
    for (const auto& [name, text] : files) write_file(*this / name, text);
  }
};

}  // namespace

TEST_CASE("special tokens that a user types are text in a chat's ids", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::string hostile = all_specials(model);
  const Ids benign = chat_tokens(model, user_says("hello")), attacked = chat_tokens(model, user_says(hostile));
  CHECK(specials(model, attacked) == specials(model, benign));
  auto options = sized<puna_chat_options>();
  options.parse_content = 1;
  CHECK(specials(model, chat_tokens(model, user_says(hostile), &options)) > specials(model, benign) + 3);
  CHECK(chat_tokens(model, user_says("hello"), &options) == benign);
}

TEST_CASE("a chat's ids are those of its text with its content", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const ordered_json hostile = user_says("say " + all_specials(model));
  const Chat chat = chat_of(model, hostile);
  auto options = parsing();
  options.content = chat.info.content;
  options.content_count = chat.info.content_count;
  CHECK(tokenize(model, chat.text(), options) == chat_tokens(model, hostile));
  CHECK(chat.info.content_count > 0);
  CHECK(std::string(chat.info.text).size() == chat.info.size);
  auto parse = sized<puna_chat_options>();
  parse.parse_content = 1;
  CHECK(chat_of(model, hostile, &parse).info.content_count == 0);
}

TEST_CASE("special tokens inside content are text wherever it lies, and only there", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto token = sized<puna_token_info>();
  int32_t id = 0;
  while (puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &token) == PUNA_OK &&
         token.kind != PUNA_TOKEN_CONTROL)
    ++id;
  const std::string name(token.bytes, token.size), text = name + "a" + name + "b" + name;
  auto options = parsing();
  CHECK(specials(model, tokenize(model, text, options)) == 3);
  const puna_text_span middle{name.size() + 1, 2 * name.size() + 1};
  for (const puna_text_span& s :
       {middle, puna_text_span{middle.begin, middle.begin + 1}, puna_text_span{middle.end - 1, middle.end}}) {
    options.content = &s;
    options.content_count = 1;
    CHECK(specials(model, tokenize(model, text, options)) == 2);
  }
  const puna_text_span all{0, text.size()};
  options.content = &all;
  CHECK(specials(model, tokenize(model, text, options)) == 0);
  const puna_text_span nothing{3, 3};
  options.content = &nothing;
  CHECK(specials(model, tokenize(model, text, options)) == 3);
}

TEST_CASE("content that does not lie in the text is refused", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto options = parsing();
  const Output out;
  const auto refuse = [&](const std::vector<puna_text_span>& spans, const char* words) {
    options.content = spans.data();
    options.content_count = spans.size();
    refused(puna_tokenizer_encode(tokenizer_of(model.get()), "some text", 9, &options, out), PUNA_INVALID_ARGUMENT,
            words);
  };
  refuse({{0, 10}}, "content[0] is [0, 10), the text has 9 bytes");
  refuse({{5, 4}}, "content[0] is [5, 4)");
  refuse({{2, 5}, {4, 6}}, "content[1] begins before content[0] ends");
  refuse({{UINT64_MAX, UINT64_MAX}}, "content[0]");
  options.content = nullptr;
  options.content_count = 1;
  refused(puna_tokenizer_encode(tokenizer_of(model.get()), "some text", 9, &options, out), PUNA_INVALID_ARGUMENT,
          "content is NULL");
}

TEST_CASE("a long text is left when its watch says so", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  std::string text;
  while (text.size() < 1 << 20) text += "some words that take a while ";
  auto options = sized<puna_encode_options>();
  int asked = 0;
  options.watch = [](void* user) { return ++*static_cast<int*>(user) == 2 ? 1 : 0; };
  options.watch_user = &asked;
  const Output out;
  refused(puna_tokenizer_encode(tokenizer_of(model.get()), text.data(), text.size(), &options, out), PUNA_CANCELLED,
          "asked to stop");
  CHECK(asked == 2);
}

TEST_CASE("of several templates the one for tools is taken where there are tools, or the one that is named", "[capi]") {
  const WithTemplates folder{{"chat_template.jinja", "D:{{ messages[0].content }}"},
                             {"additional_chat_templates/tool_use.jinja", "T:{{ messages[0].content }}"},
                             {"additional_chat_templates/broken.jinja", "{% endfor %}"}};
  const ModelHandle model = open_model(folder.path());
  ordered_json chat = user_says("hi");
  CHECK(chat_of(model, chat).text() == "D:hi");
  chat["tools"] = nullptr;
  CHECK(chat_of(model, chat).text() == "D:hi");
  chat["tools"] = ordered_json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}});
  CHECK(chat_of(model, chat).text() == "T:hi");
  auto options = sized<puna_chat_options>();
  options.template_name = "default";
  CHECK(chat_of(model, chat, &options).text() == "D:hi");
  const Output out;
  options.template_name = "tool_user";
  refused(render(model, "{\"messages\":[]}", &options), PUNA_INVALID_ARGUMENT, "did you mean 'tool_use'?");
  options.template_name = "broken";
  refused(render(model, "{\"messages\":[]}", &options), PUNA_UNSUPPORTED, "broken.jinja");

  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  CHECK((info.chat_template_count == 3 && info.has_chat_template == 1));
  std::vector<std::string> names;
  for (int32_t i = 0; i < info.chat_template_count; ++i) {
    auto t = sized<puna_chat_template_info>();
    ok(puna_model_get_chat_template_info(model.get(), i, &t));
    names.push_back(std::string(t.name) + (*t.error ? "!" : ""));
  }
  CHECK(names == std::vector<std::string>{"default", "broken!", "tool_use"});
  auto t = sized<puna_chat_template_info>();
  refused(puna_model_get_chat_template_info(model.get(), 3, &t), PUNA_INVALID_ARGUMENT, "the model has 3");
}

TEST_CASE("a template that asks for today is told the date, or the error says how to give one", "[capi]") {
  const WithTemplates folder{{"chat_template.jinja", "{{ strftime_now('%d %b %Y') }}"}};
  const ModelHandle model = open_model(folder.path());
  auto options = sized<puna_chat_options>();
  options.date = "2026-02-03";
  CHECK(chat_of(model, user_says("x"), &options).text() == "03 Feb 2026");
  const Output out;
  refused(render(model, "{\"messages\":[]}", nullptr), PUNA_INVALID_ARGUMENT, "C: date of the options");
  options.date = "tomorrow";
  refused(render(model, "{\"messages\":[]}", &options), PUNA_INVALID_ARGUMENT, "YYYY-MM-DD");
}

TEST_CASE("what a template leaves out is in the chat's info", "[capi]") {
  const WithTemplates folder{
      {"chat_template.jinja", "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"}};
  const ModelHandle model = open_model(folder.path());
  ordered_json chat = user_says("What is the weather?");
  CHECK(chat_of(model, chat).info.dropped_count == 0);
  const ordered_json system = {{"role", "system"}, {"content", "Be brief, please."}};
  chat["messages"].insert(chat["messages"].begin(), system);
  chat["tools"] = ordered_json::array({{{"type", "function"}, {"function", {{"name", "look_outside"}}}}});
  const Chat dropped = chat_of(model, chat);
  REQUIRE(dropped.info.dropped_count == 2);
  CHECK(dropped.info.dropped[0] == std::string("messages[0].content"));
  CHECK(dropped.info.dropped[1] == std::string("tools"));
}

TEST_CASE("a template finds the model's special tokens, and those that the chat gives win", "[capi]") {
  const WithTemplates folder{{"chat_template.jinja", "[{{ bos_token }}][{{ pad_token }}][{{ eos_token }}]"}};
  ordered_json config = ordered_json::parse(read_text(folder / "tokenizer_config.json"));
  config["pad_token"] = {{"content", "<pad>"}};
  write_file(folder / "tokenizer_config.json", config.dump());
  write_file(folder / "special_tokens_map.json", R"({"eos_token": "<|eot|>", "bos_token": "<|begin_of_text|>"})");
  const ModelHandle model = open_model(folder.path());
  CHECK(chat_of(model, user_says("x")).text() == "[<|begin_of_text|>][<pad>][<|eot|>]");
  ordered_json given = user_says("x");
  given["pad_token"] = "mine";
  CHECK(chat_of(model, given).text() == "[<|begin_of_text|>][mine][<|eot|>]");
}

TEST_CASE("a turn that is rendered otherwise later costs what follows it, and nothing before", "[capi]") {
  // As templates that leave out what a model thought do: of an answer that is not the last, one word is left.
  const WithTemplates folder{
      {"chat_template.jinja",
       "{% for m in messages %}[{{ m.role }}]{{ m.content.split(' ')[0] if m.role == 'assistant' "
       "and not loop.last else m.content }}{% endfor %}[assistant]"}};
  const ModelHandle model = open_model(folder.path());
  const SessionHandle session = make_session(model);
  auto options = sized<puna_generate_options>();
  options.max_tokens = 3;
  options.ignore_eos = 1;
  ordered_json messages = ordered_json::array({{{"role", "user"}, {"content", "A question that is rather long"}}});
  size_t kept_in_all = 0;
  for (const char* said : {"thinking and then an answer", "another thought, another answer", "no more"}) {
    const Chat chat(model, messages.dump());
    const std::vector<int32_t> before = tokens_of(session), all = chat.ids();
    const size_t most = std::min(before.size(), all.size() - 1);
    const size_t shared =
        size_t(std::mismatch(before.begin(), before.begin() + ptrdiff_t(most), all.begin()).first - before.begin());
    auto result = sized<puna_generate_result>();
    ok(puna_chat_generate(chat.handle.get(), session.get(), &options, nullptr, nullptr, &result));
    CHECK(result.prompt_tokens == int64_t(all.size() - shared));
    kept_in_all += shared;
    messages.push_back({{"role", "assistant"}, {"content", said}});
    messages.push_back({{"role", "user"}, {"content", "And then?"}});
  }
  CHECK(kept_in_all > 30);
}

TEST_CASE("a conversation by its messages goes on where the session is, and answers as a fresh one does", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  auto options = sized<puna_generate_options>();
  options.max_tokens = 6;
  options.ignore_eos = 1;
  ordered_json messages = ordered_json::array();
  const auto answer = [&](puna_session* s, puna_generate_result* result) {
    std::string said;
    const puna_token_fn add = [](void* user, const puna_generated_token* t) {
      static_cast<std::string*>(user)->append(t->text, t->size);
      return int32_t(0);
    };
    ok(puna_chat_generate(Chat(model, messages.dump()).handle.get(), s, &options, add, &said, result));
    return said;
  };
  int64_t held = 0;
  for (int turn = 0; turn < 4; ++turn) {
    CAPTURE(turn);
    messages.push_back({{"role", "user"}, {"content", "Question " + std::to_string(turn)}});
    auto result = sized<puna_generate_result>(), fresh_result = sized<puna_generate_result>();
    const SessionHandle fresh = make_session(model);
    const std::string said = answer(session.get(), &result);
    CHECK(said == answer(fresh.get(), &fresh_result));
    CHECK(tokens_of(session) == tokens_of(fresh));
    CHECK(result.prompt_tokens <=
          fresh_result.prompt_tokens - (turn > 0 ? held / 2 : 0));  // most of what was said before is kept
    held = length(session);
    messages.push_back({{"role", "assistant"}, {"content", said}});
  }
  // Another conversation in the same session shares little with the last one: that is kept, the rest replaced.
  messages = ordered_json::array({{{"role", "user"}, {"content", "Something else"}}});
  auto result = sized<puna_generate_result>();
  const SessionHandle fresh = make_session(model);
  CHECK(answer(session.get(), &result) == answer(fresh.get(), &result));
  CHECK(tokens_of(session) == tokens_of(fresh));
  const ModelHandle other = open_model(chat_model());
  refused(
      puna_chat_generate(Chat(other, messages.dump()).handle.get(), session.get(), &options, nullptr, nullptr, nullptr),
      PUNA_INVALID_ARGUMENT, "another model");
}
