// chat.cpp -- chats: from messages to a prompt's text or ids, by the model's own template.
#include "handles.h"
#include "puna/text/dropped_fields.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

struct puna_chat {
  RenderedChat rendered;
  std::vector<puna_text_span> content;
  std::vector<std::string> dropped;
  std::vector<const char*> names;  // of dropped
};

namespace {

std::string_view optional_text(const char* text) { return text ? text : std::string_view(); }

// `work(json, date, watch, name)` of the checked options.
template <class Work>
auto with_options(const char* chat_json, size_t bytes, const puna_render_options& o, Work&& work) {
  require_reserved(o.reserved, "puna_render_options");
  require_reserved(o.reserved2, "puna_render_options");
  const auto go_on = [&] { return o.watch(o.watch_user) == 0; };
  const Watch watch(o.watch ? FunctionRef<bool()>(go_on) : FunctionRef<bool()>());
  return work(text_view(chat_json, bytes, "chat_json"), optional_text(o.date), watch, optional_text(o.template_name));
}

RenderedChat render(const Model& model, const char* chat_json, size_t bytes, const puna_render_options& o) {
  RenderedChat chat = with_options(chat_json, bytes, o, [&](const auto&... of) { return model.render_chat(of...); });
  if (flag(o.parse_content, "parse_content")) chat.content.clear();
  return chat;
}

}  // namespace

puna_status puna_model_chat_tokens(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options, int32_t* tokens,
                                   size_t capacity, size_t* count) {
  return guard([&] {
    const Model& m = use(model);
    const puna_render_options o = read_options(options, "puna_render_options");
    const bool parse_content = flag(o.parse_content, "parse_content");
    write_tokens(with_options(chat_json, bytes, o, [&](std::string_view json, std::string_view date, const Watch& watch, std::string_view name) {
      return parse_content ? m.require_tokenizer().encode(m.render_chat(json, date, watch, name).text, true, watch) : m.chat_tokens(json, date, watch, name);
    }), tokens, capacity, count);
  });
}

puna_status puna_model_render(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options, char* text,
                              size_t capacity, size_t* size) {
  return guard([&] { write_text(render(use(model), chat_json, bytes, read_options(options, "puna_render_options")).text, text, capacity, size); });
}

puna_status puna_model_render_chat(const puna_model* model, const char* chat_json, size_t bytes, const char* date, char* text, size_t capacity,
                                   size_t* size) {
  return guard([&] {
    puna_render_options o{};
    o.date = date;
    write_text(render(use(model), chat_json, bytes, o).text, text, capacity, size);
  });
}

puna_status puna_chat_render(const puna_model* model, const char* chat_json, size_t bytes, const puna_render_options* options, puna_chat** chat) {
  return guard([&] {
    const Model& m = use(model);
    PUNA_REQUIRE(chat != nullptr, "chat is NULL");
    const puna_render_options o = read_options(options, "puna_render_options");
    auto out = std::make_unique<puna_chat>();
    out->rendered = with_options(chat_json, bytes, o, [&](std::string_view json, std::string_view date, const Watch& watch, std::string_view name) {
      RenderedChat rendered = m.render_chat(json, date, watch, name);
      out->dropped = dropped_fields(json, rendered, watch);
      return rendered;
    });
    for (const std::string& name : out->dropped) out->names.push_back(name.c_str());
    if (!flag(o.parse_content, "parse_content"))
      for (const TextSpan& s : out->rendered.content) out->content.push_back({s.begin, s.end});
    *chat = out.release();
  });
}

puna_status puna_chat_get_info(const puna_chat* chat, puna_chat_info* info) {
  return guard([&] {
    PUNA_REQUIRE(chat != nullptr, "chat is NULL");
    puna_chat_info i{};
    i.text = chat->rendered.text.c_str();
    i.size = chat->rendered.text.size();
    i.content = chat->content.data();
    i.content_count = chat->content.size();
    i.dropped = chat->names.data();
    i.dropped_count = chat->names.size();
    write_info(i, info, "puna_chat_info");
  });
}

void puna_chat_free(puna_chat* chat) { delete chat; }

puna_status puna_model_chat_template_info(const puna_model* model, int32_t index, puna_chat_template_info* info) {
  return guard([&] {
    const auto& entries = use(model).chat_templates().entries();
    PUNA_REQUIRE(index >= 0 && size_t(index) < entries.size(), "chat template index is %d, the model has %zu", index, entries.size());
    puna_chat_template_info i{};
    i.name = entries[size_t(index)].name.c_str();
    i.error = entries[size_t(index)].error.c_str();
    write_info(i, info, "puna_chat_template_info");
  });
}
