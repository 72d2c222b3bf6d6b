// model_info.cpp -- what a model says about itself: sizes, and its metadata as JSON.
#include "base/json.h"
#include "buffer.h"
#include "handles.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

struct JsonOf {
  Json operator()(std::monostate) const { return nullptr; }
  template <class T>
  Json operator()(const T& value) const {
    return value;
  }
};

// As text: a tree of JSON values could not be destroyed without memory (base/json.h).
std::string list_of(const std::vector<NotUsed::Item>& items) {
  std::string list;
  for (const NotUsed::Item& item : items)
    list += (list.empty() ? "{\"name\":" : ",{\"name\":") + quoted(item.name) + ",\"note\":" + quoted(item.note) + "}";
  return "[" + list + "]";
}

}  // namespace

puna_status puna_model_get_info(const puna_model* model, puna_model_info* info) {
  return guard([&] {
    const Model& m = use(model);
    const LlamaConfig& c = m.config();
    puna_model_info i{};
    i.layers = int32_t(c.layers);
    i.architecture = c.architecture.c_str();
    i.parameters = m.parameter_count();
    i.file_bytes = m.checkpoint().file_bytes;
    i.max_positions = c.max_positions;
    i.attention_chunk = c.chunk;
    i.vocabulary = int32_t(c.vocab);
    i.hidden = int32_t(c.hidden);
    i.heads = int32_t(c.heads);
    i.kv_heads = int32_t(c.kv_heads);
    i.head_dim = int32_t(c.head_dim);
    i.experts = int32_t(c.experts);
    i.experts_used = int32_t(c.experts_per_token);
    i.has_tokenizer = m.tokenizer() != nullptr;
    i.has_chat_template = m.chat_template() != nullptr;
    i.chat_template_count = int32_t(m.chat_templates().entries().size());
    i.metadata_count = int32_t(m.checkpoint().metadata.values().size());
    i.tensor_count = int32_t(m.checkpoint().tensors.size());
    i.load_seconds = m.load_seconds();
    if (const VisionTower* vision = m.vision()) {
      i.image_tile = int32_t(vision->config.tile);
      i.image_tile_rows = int32_t(vision->config.features());
    }
    write_info(i, info, "puna_model_info");
  });
}

puna_status puna_model_get_metadata_key(const puna_model* model, int32_t index, const char** key) {
  return guard([&] {
    const auto& values = use(model).checkpoint().metadata.values();
    PUNA_REQUIRE(key != nullptr, "key is NULL");
    PUNA_REQUIRE(index >= 0 && size_t(index) < values.size(), "metadata index is %d, the model has %zu entries", index,
                 values.size());
    *key = std::next(values.begin(), index)->first.c_str();
  });
}

puna_status puna_model_get_unused(const puna_model* model, puna_buffer* json) {
  return guard([&] {
    const NotUsed& n = use(model).not_used();
    use(json, "json").store("{\"tensors\":" + list_of(n.tensors) + ",\"keys\":" + list_of(n.keys) + "}");
  });
}

puna_status puna_model_get_metadata(const puna_model* model, const char* key, puna_buffer* json) {
  return guard([&] {
    PUNA_REQUIRE(key != nullptr, "key is NULL");
    const MetadataValue* value = use(model).checkpoint().metadata.find(key);
    PUNA_REQUIRE(value != nullptr, "the model has no metadata key '%s'", key);
    const auto replace = Json::error_handler_t::replace;  // files may carry strings that are not UTF-8
    puna_buffer& out = use(json, "json");
    Json tree = std::visit(JsonOf{}, *value);
    const JsonGuard guard(tree);
    out.store(tree.dump(-1, ' ', false, replace));
  });
}

puna_status puna_model_get_tensor_info(const puna_model* model, int32_t index, puna_tensor_info* info) {
  return guard([&] {
    const auto& tensors = use(model).checkpoint().tensors.entries();
    PUNA_REQUIRE(index >= 0 && size_t(index) < tensors.size(), "tensor index is %d, the model has %zu tensors", index,
                 tensors.size());
    const TensorEntry& t = tensors[size_t(index)];
    puna_tensor_info i{};
    i.rank = t.shape.rank;
    i.name = t.name.c_str();
    i.dtype = name(t.dtype);
    for (int d = 0; d < kMaxRank; ++d) i.dims[d] = d < t.shape.rank ? t.shape.dim[d] : 1;
    i.bytes = t.bytes;
    write_info(i, info, "puna_tensor_info");
  });
}
