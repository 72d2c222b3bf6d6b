// tokenizer.cpp -- the text functions of a model: tokenize, detokenize, tokens one by one, chats.
#include <algorithm>

#include "handles.h"
#include "puna/runtime/prompt.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

puna_status puna_model_tokenize(const puna_model* model, const char* text, size_t bytes, const puna_tokenize_options* options,
                                int32_t* tokens, size_t capacity, size_t* count) {
  return guard([&] {
    const Tokenizer& tokenizer = use(model).require_tokenizer();
    const puna_tokenize_options o = read_options(options, "puna_tokenize_options");
    require_reserved(o.reserved, "puna_tokenize_options");
    const bool special = flag(o.parse_special, "parse_special"), bos = flag(o.add_bos, "add_bos");
    write_tokens(encode_prompt(tokenizer, text_view(text, bytes, "text"), special, bos), tokens, capacity, count);
  });
}

puna_status puna_model_detokenize(const puna_model* model, const int32_t* tokens, size_t count, int32_t keep_special, char* text,
                                  size_t capacity, size_t* size) {
  return guard([&] {
    const Tokenizer& tokenizer = use(model).require_tokenizer();
    const auto ids = array_view(tokens, count, "tokens");
    write_text(tokenizer.decode({ids.begin(), ids.end()}, flag(keep_special, "keep_special")), text, capacity, size);
  });
}

puna_status puna_model_token_info(const puna_model* model, int32_t token, puna_token_info* info) {
  return guard([&] {
    const Tokenizer& tokenizer = use(model).require_tokenizer();
    const std::string_view bytes = tokenizer.bytes(token);
    const auto& stop = tokenizer.specials().stop;
    puna_token_info i{};
    i.kind = int32_t(tokenizer.kind(token));
    i.bytes = bytes.data();
    i.size = bytes.size();
    i.is_special = tokenizer.is_special(token);
    i.is_stop = std::find(stop.begin(), stop.end(), token) != stop.end();
    write_info(i, info, "puna_token_info");
  });
}

static_assert(PUNA_TOKEN_NORMAL == int(TokenKind::normal) && PUNA_TOKEN_UNKNOWN == int(TokenKind::unknown) &&
              PUNA_TOKEN_CONTROL == int(TokenKind::control) && PUNA_TOKEN_USER_DEFINED == int(TokenKind::user_defined) &&
              PUNA_TOKEN_UNUSED == int(TokenKind::unused) && PUNA_TOKEN_BYTE == int(TokenKind::byte));

puna_status puna_model_find_token(const puna_model* model, const char* piece, size_t bytes, int32_t* token) {
  return guard([&] {
    const Tokenizer& tokenizer = use(model).require_tokenizer();
    PUNA_REQUIRE(token != nullptr, "token is NULL");
    *token = tokenizer.find(text_view(piece, bytes, "piece"));
  });
}

puna_status puna_model_render_chat(const puna_model* model, const char* chat_json, size_t bytes, const char* date, char* text,
                                   size_t capacity, size_t* size) {
  return guard([&] {
    write_text(use(model).render_chat(text_view(chat_json, bytes, "chat_json"), date ? date : ""), text, capacity, size);
  });
}
