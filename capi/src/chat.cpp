// chat.cpp -- chats: from messages to a prompt's text and ids, by the model's own template, and an answer to them.
#include "puna_chat.h"

#include "answer.h"
#include "chat_handle.h"
#include "handles.h"
#include "puna/chat/dropped_fields.h"
#include "puna/chat/tool_parser.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

std::string_view optional_text(const char* text) { return text ? text : std::string_view(); }

// A list of messages alone stands for a chat with add_generation_prompt.
std::string chat_of(std::string_view json) {
  const size_t first = json.find_first_not_of(" \t\r\n");
  if (first == json.npos || json[first] != '[') return std::string(json);
  return "{\"messages\":" + std::string(json) + ",\"add_generation_prompt\":true}";
}

}  // namespace

puna_status puna_chat_create(const puna_model* model, const char* json, size_t bytes, const puna_chat_options* options,
                             puna_chat** chat) {
  return guard([&] {
    const Model& m = capi::use(model);
    PUNA_REQUIRE(chat != nullptr, "chat is NULL");
    const puna_chat_options o = read_options(options, "puna_chat_options");
    require_reserved(o.reserved, "puna_chat_options");
    require_reserved(o.reserved2, "puna_chat_options");
    const bool parse_content = flag(o.parse_content, "parse_content");
    const auto go_on = [&] { return o.watch(o.watch_user) == 0; };
    const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
    const std::string text = chat_of(text_view(json, bytes, "json"));

    auto out = std::make_unique<puna_chat>();
    out->model = model->impl;
    out->rendered = m.render_chat(text, optional_text(o.date), watch, optional_text(o.template_name));
    out->dropped = dropped_fields(text, out->rendered, watch);
    if (parse_content) out->rendered.content.clear();
    if (const Tokenizer* tokenizer = m.tokenizer()) out->tokens = tokenizer->encode_chat(out->rendered, watch);
    for (const std::string& name : out->dropped) out->names.push_back(name.c_str());
    for (const TextSpan& s : out->rendered.content) out->content.push_back({s.begin, s.end});
    *chat = out.release();
  });
}

puna_status puna_chat_get_info(const puna_chat* chat, puna_chat_info* info) {
  return guard([&] {
    const puna_chat& c = use(chat);
    puna_chat_info i{};
    i.tokens = c.tokens.data();
    i.token_count = c.tokens.size();
    i.text = c.rendered.text.c_str();
    i.size = c.rendered.text.size();
    i.content = c.content.data();
    i.content_count = c.content.size();
    i.dropped = c.names.data();
    i.dropped_count = c.names.size();
    i.in_thought = ends_in_thought(c.rendered.text);
    write_info(i, info, "puna_chat_info");
  });
}

puna_status puna_chat_generate(const puna_chat* chat, puna_session* session, const puna_generate_options* options,
                               puna_token_fn on_token, void* user, puna_generate_result* result) {
  return guard([&] {
    const puna_chat& c = use(chat);
    PUNA_REQUIRE(&use(session).model() == c.model.get(), "the chat was rendered for another model than the session's");
    c.model->require_tokenizer();
    puna_generate_options o = read_options(options, "puna_generate_options");
    o.keep_shared = 1;
    answer(session, o, on_token, user, result, [&](const puna_generate_options&) { return c.tokens; });
  });
}

void puna_chat_free(puna_chat* chat) {
  if (chat) free_handle(chat, chat->model->context());
}

puna_status puna_model_get_chat_template_info(const puna_model* model, int32_t index, puna_chat_template_info* info) {
  return guard([&] {
    const auto& entries = capi::use(model).chat_templates().entries();
    PUNA_REQUIRE(index >= 0 && size_t(index) < entries.size(), "chat template index is %d, the model has %zu", index,
                 entries.size());
    puna_chat_template_info i{};
    i.name = entries[size_t(index)].name.c_str();
    i.error = entries[size_t(index)].error.c_str();
    write_info(i, info, "puna_chat_template_info");
  });
}
