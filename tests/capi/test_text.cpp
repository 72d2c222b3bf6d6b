// The text functions of a model: tokens and back, single tokens, chats.
#include "capi/fixture.h"

using namespace puna::test;

namespace {

std::vector<int32_t> tokenize(const ModelHandle& model, const std::string& text, bool parse_special = false, bool add_bos = false) {
  auto options = sized<puna_tokenize_options>();
  options.parse_special = parse_special;
  options.add_bos = add_bos;
  size_t count = 0;
  ok(puna_model_tokenize(model.get(), text.data(), text.size(), &options, nullptr, 0, &count));
  std::vector<int32_t> ids(count);
  ok(puna_model_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &count));
  CHECK(count == ids.size());
  return ids;
}

std::string detokenize(const ModelHandle& model, const std::vector<int32_t>& ids, bool keep_special) {
  size_t size = 0;
  ok(puna_model_detokenize(model.get(), ids.data(), ids.size(), keep_special, nullptr, 0, &size));
  std::string text(size + 1, '?');
  ok(puna_model_detokenize(model.get(), ids.data(), ids.size(), keep_special, text.data(), text.size(), &size));
  text.resize(size);
  return text;
}

std::string render(const ModelHandle& model, const std::string& json, const char* date = nullptr) {
  size_t size = 0;
  ok(puna_model_render_chat(model.get(), json.data(), json.size(), date, nullptr, 0, &size));
  std::string text(size + 1, '?');
  ok(puna_model_render_chat(model.get(), json.data(), json.size(), date, text.data(), text.size(), &size));
  text.resize(size);
  return text;
}

// The name of the first control token: another model names it otherwise.
std::string some_special(const ModelHandle& model, int32_t* id) {
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  auto token = sized<puna_token_info>();
  for (*id = 0; *id < info.vocabulary; ++*id)
    if (puna_model_token_info(model.get(), *id, &token) == PUNA_OK && token.kind == PUNA_TOKEN_CONTROL) return {token.bytes, token.size};
  FAIL("the model has no control token");
  return {};
}

}  // namespace

TEST_CASE("text survives the way to tokens and back", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  for (const std::string text : {"", "Hello, world!", "na\xc3\xafve \xf0\x9f\xa6\x99\n\ttabs  and   spaces", "zeros\0inside"}) {
    CAPTURE(text);
    CHECK(detokenize(model, tokenize(model, text), false) == text);
  }
  CHECK(detokenize(model, tokenize(model, std::string("a\0b", 3)), false) == std::string("a\0b", 3));
}

TEST_CASE("special tokens are text unless asked for", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  int32_t id = -1;
  const std::string name = some_special(model, &id);
  CHECK(tokenize(model, name, /*parse_special=*/true) == std::vector<int32_t>{id});
  CHECK(tokenize(model, name).size() > 1);
  CHECK(detokenize(model, {id}, /*keep_special=*/true) == name);
  CHECK(detokenize(model, {id}, /*keep_special=*/false) == "");

  int32_t found = -1;
  ok(puna_model_find_token(model.get(), name.data(), name.size(), &found));
  CHECK(found == id);
  ok(puna_model_find_token(model.get(), "no such token at all", 20, &found));
  CHECK(found == -1);

  auto info = sized<puna_token_info>();
  ok(puna_model_token_info(model.get(), id, &info));
  CHECK(info.is_special == 1);
  const std::vector<int32_t> plain = tokenize(model, "a");
  ok(puna_model_token_info(model.get(), plain.at(0), &info));
  CHECK(info.is_special == 0);
  CHECK(info.is_stop == 0);
  CHECK(std::string(info.bytes, info.size) == "a");
}

TEST_CASE("some token ends an answer", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  auto token = sized<puna_token_info>();
  int stops = 0;
  for (int32_t id = 0; puna_model_token_info(model.get(), id, &token) == PUNA_OK; ++id) stops += token.is_stop;
  CHECK(stops >= 1);
}

TEST_CASE("a chat becomes the template's text, and its tokens start with one beginning-of-text", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::string text = render(model, R"({"messages": [{"role": "user", "content": "What is a puna?"}], "add_generation_prompt": true})");
  CHECK_THAT(text, Catch::Matchers::Contains("What is a puna?") && Catch::Matchers::Contains("assistant"));
  CHECK(tokenize(model, text, true, /*add_bos=*/true) == tokenize(model, text, true, /*add_bos=*/false));
  const std::string closed = render(model, R"({"messages": [{"role": "user", "content": "What is a puna?"}], "add_generation_prompt": false})");
  CHECK(closed.size() < text.size());
}

TEST_CASE("text functions refuse what they cannot take", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  size_t n = 0;
  int32_t few[1] = {-7};
  refused(puna_model_tokenize(model.get(), "some words", 10, nullptr, few, 1, &n), PUNA_INVALID_ARGUMENT, "buffer");
  CHECK(n > 1);
  CHECK(few[0] == -7);
  refused(puna_model_tokenize(model.get(), nullptr, 3, nullptr, nullptr, 0, &n), PUNA_INVALID_ARGUMENT, "text");
  auto options = sized<puna_tokenize_options>();
  options.parse_special = 2;
  refused(puna_model_tokenize(model.get(), "x", 1, &options, nullptr, 0, &n), PUNA_INVALID_ARGUMENT, "parse_special");

  for (const int32_t id : {-1, INT32_MAX, INT32_MIN}) {
    refused(puna_model_detokenize(model.get(), &id, 1, 0, nullptr, 0, &n), PUNA_INVALID_ARGUMENT, std::to_string(id));
    auto info = sized<puna_token_info>();
    refused(puna_model_token_info(model.get(), id, &info), PUNA_INVALID_ARGUMENT, std::to_string(id));
  }
  const char no_json[] = "{\"messages\": [";
  refused(puna_model_render_chat(model.get(), no_json, strlen(no_json), nullptr, nullptr, 0, &n), PUNA_BAD_FILE, "chat");
  refused(puna_model_render_chat(model.get(), "[]", 2, nullptr, nullptr, 0, &n), PUNA_INVALID_ARGUMENT, "object");
}
