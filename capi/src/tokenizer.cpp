// tokenizer.cpp -- text and token ids, of a model or of a tokenizer alone.
#include <algorithm>

#include "buffer.h"
#include "handles.h"
#include "puna/runtime/prompt.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

// The text of a rendered chat, of which the caller says what its template did not write.
RenderedChat chat_from_c(std::string_view text, const puna_encode_options& o) {
  RenderedChat chat{std::string(text), {}};
  for (const puna_text_span& s : array_view(o.content, o.content_count, "content")) {
    const size_t i = chat.content.size();
    PUNA_REQUIRE(s.begin <= s.end && s.end <= text.size(), "content[%zu] is [%ju, %ju), the text has %zu bytes", i,
                 s.begin, s.end, text.size());
    PUNA_REQUIRE(i == 0 || chat.content.back().end <= s.begin, "content[%zu] begins before content[%zu] ends", i,
                 i - 1);
    chat.content.push_back({size_t(s.begin), size_t(s.end)});
  }
  std::erase_if(chat.content, [](const TextSpan& s) { return s.begin == s.end; });
  return chat;
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, const char* text, size_t bytes,
                            const puna_encode_options* options) {
  const puna_encode_options o = read_options(options, "puna_encode_options");
  require_reserved(o.reserved, "puna_encode_options");
  const bool special = flag(o.parse_special, "parse_special"), bos = flag(o.add_bos, "add_bos");
  const std::string_view view = text_view(text, bytes, "text");
  const auto go_on = [&] { return o.watch(o.watch_user) == 0; };
  const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
  const RenderedChat chat = special ? chat_from_c(view, o) : RenderedChat();
  std::vector<int32_t> ids =
      chat.content.empty() ? tokenizer.encode(view, special, watch) : tokenizer.encode_chat(chat, watch);
  if (bos) put_bos_first(tokenizer, ids);
  return ids;
}

}  // namespace

puna_status puna_model_get_tokenizer(const puna_model* model, const puna_tokenizer** tokenizer) {
  return guard([&] {
    use(model).require_tokenizer();
    PUNA_REQUIRE(tokenizer != nullptr, "tokenizer is NULL");
    *tokenizer = &model->tokenizer;
  });
}

puna_status puna_tokenizer_open(const char* path, puna_tokenizer** tokenizer) {
  return guard([&] {
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    PUNA_REQUIRE(tokenizer != nullptr, "tokenizer is NULL");
    *tokenizer = new puna_tokenizer{open_tokenizer(path)};
  });
}

void puna_tokenizer_free(puna_tokenizer* tokenizer) { delete tokenizer; }

puna_status puna_tokenizer_get_info(const puna_tokenizer* tokenizer, puna_tokenizer_info* info) {
  return guard([&] {
    const Tokenizer& t = use(tokenizer);
    puna_tokenizer_info i{};
    i.size = t.size();
    i.bos = t.specials().bos;
    i.eos = t.specials().eos;
    i.add_bos = t.specials().add_bos;
    write_info(i, info, "puna_tokenizer_info");
  });
}

puna_status puna_tokenizer_encode(const puna_tokenizer* tokenizer, const char* text, size_t bytes,
                                  const puna_encode_options* options, puna_buffer* tokens) {
  return guard([&] {
    puna_buffer& out = use(tokens, "tokens");
    out.store(encode(use(tokenizer), text, bytes, options));
  });
}

puna_status puna_tokenizer_decode(const puna_tokenizer* tokenizer, const int32_t* tokens, size_t count,
                                  int32_t keep_special, puna_buffer* text) {
  return guard([&] {
    puna_buffer& out = use(text, "text");
    const auto ids = array_view(tokens, count, "tokens");
    out.store(use(tokenizer).decode({ids.begin(), ids.end()}, flag(keep_special, "keep_special")));
  });
}

puna_status puna_tokenizer_get_token_info(const puna_tokenizer* tokenizer, int32_t token, puna_token_info* info) {
  return guard([&] {
    const Tokenizer& t = use(tokenizer);
    const std::string_view bytes = t.bytes(token);
    const auto& stop = t.specials().stop;
    puna_token_info i{};
    i.kind = int32_t(t.kind(token));
    i.bytes = bytes.data();
    i.size = bytes.size();
    i.is_special = t.is_special(token);
    i.is_stop = std::find(stop.begin(), stop.end(), token) != stop.end();
    write_info(i, info, "puna_token_info");
  });
}

puna_status puna_tokenizer_find_token(const puna_tokenizer* tokenizer, const char* piece, size_t bytes,
                                      int32_t* token) {
  return guard([&] {
    PUNA_REQUIRE(token != nullptr, "token is NULL");
    *token = use(tokenizer).find(text_view(piece, bytes, "piece"));
  });
}
