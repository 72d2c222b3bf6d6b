// The text functions of a model: tokens and back, single tokens, chats.
#include "capi/fixture.h"

using namespace puna::test;

namespace {

std::vector<int32_t> tokenize(const ModelHandle& model, const std::string& text, bool parse_special = false,
                              bool add_bos = false) {
  auto options = sized<puna_encode_options>();
  options.parse_special = parse_special;
  options.add_bos = add_bos;
  return encode(model, text, &options);
}

std::string detokenize(const ModelHandle& model, const std::vector<int32_t>& ids, bool keep_special) {
  const Output text;
  ok(puna_tokenizer_decode(tokenizer_of(model.get()), ids.data(), ids.size(), keep_special, text));
  CHECK(static_cast<const char*>(puna_buffer_data(text))[text.size()] == '\0');
  return text.text();
}

// The name of the first control token: another model names it otherwise.
std::string some_special(const ModelHandle& model, int32_t* id) {
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  auto token = sized<puna_token_info>();
  for (*id = 0; *id < info.vocabulary; ++*id)
    if (puna_tokenizer_get_token_info(tokenizer_of(model.get()), *id, &token) == PUNA_OK &&
        token.kind == PUNA_TOKEN_CONTROL)
      return {token.bytes, token.size};
  FAIL("the model has no control token");
  return {};
}

}  // namespace

TEST_CASE("text survives the way to tokens and back", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  for (const std::string text :
       {"", "Hello, world!", "na\xc3\xafve \xf0\x9f\xa6\x99\n\ttabs  and   spaces", "zeros\0inside"}) {
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
  ok(puna_tokenizer_find_token(tokenizer_of(model.get()), name.data(), name.size(), &found));
  CHECK(found == id);
  ok(puna_tokenizer_find_token(tokenizer_of(model.get()), "no such token at all", 20, &found));
  CHECK(found == -1);

  auto info = sized<puna_token_info>();
  ok(puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &info));
  CHECK(info.is_special == 1);
  const std::vector<int32_t> plain = tokenize(model, "a");
  ok(puna_tokenizer_get_token_info(tokenizer_of(model.get()), plain.at(0), &info));
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
  for (int32_t id = 0; puna_tokenizer_get_token_info(tokenizer_of(model.get()), id, &token) == PUNA_OK; ++id)
    stops += token.is_stop;
  CHECK(stops >= 1);
}

TEST_CASE("a chat becomes the template's text, and its tokens start with one beginning-of-text", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::string text =
      Chat(model, R"({"messages": [{"role": "user", "content": "What is a puna?"}], "add_generation_prompt": true})")
          .text();
  CHECK_THAT(text, Catch::Matchers::Contains("What is a puna?") && Catch::Matchers::Contains("assistant"));
  CHECK(tokenize(model, text, true, /*add_bos=*/true) == tokenize(model, text, true, /*add_bos=*/false));
  const std::string closed =
      Chat(model, R"({"messages": [{"role": "user", "content": "What is a puna?"}], "add_generation_prompt": false})")
          .text();
  CHECK(closed.size() < text.size());
}

TEST_CASE("a list of messages alone is a chat that asks for an answer", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const Chat whole(model, R"({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true})"),
      list(model, R"( [{"role": "user", "content": "Hi"}])");
  CHECK(list.text() == whole.text());
  CHECK(list.ids() == whole.ids());
}

TEST_CASE("text functions refuse what they cannot take, and leave the buffer as it was", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const puna_tokenizer* tokenizer = tokenizer_of(model.get());
  const Output out;
  CHECK(out.size() == 0);
  CHECK(puna_buffer_data(out) != nullptr);
  ok(puna_tokenizer_encode(tokenizer, "some words", 10, nullptr, out));
  const std::vector<int32_t> before = out.ids();
  CHECK(before.size() > 1);
  refused(puna_tokenizer_encode(tokenizer, nullptr, 3, nullptr, out), PUNA_INVALID_ARGUMENT, "text");
  auto options = sized<puna_encode_options>();
  options.parse_special = 2;
  refused(puna_tokenizer_encode(tokenizer, "x", 1, &options, out), PUNA_INVALID_ARGUMENT, "parse_special");
  refused(puna_tokenizer_encode(tokenizer, "x", 1, nullptr, nullptr), PUNA_INVALID_ARGUMENT, "tokens is NULL");

  for (const int32_t id : {-1, INT32_MAX, INT32_MIN}) {
    refused(puna_tokenizer_decode(tokenizer, &id, 1, 0, out), PUNA_INVALID_ARGUMENT, std::to_string(id));
    auto info = sized<puna_token_info>();
    refused(puna_tokenizer_get_token_info(tokenizer, id, &info), PUNA_INVALID_ARGUMENT, std::to_string(id));
  }
  CHECK(out.ids() == before);
  ok(puna_tokenizer_decode(tokenizer, before.data(), before.size(), 0, out));
  CHECK(out.text() == "some words");
  CHECK(puna_buffer_size(nullptr) == 0);
  refused(render(model, "{\"messages\": ["), PUNA_BAD_FILE, "chat");
  refused(render(model, "7"), PUNA_INVALID_ARGUMENT, "object");
}
