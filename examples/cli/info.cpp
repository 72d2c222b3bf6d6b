// puna info: what a model is, and the metadata of its file.
#include "base/json.h"
#include "common.h"
#include "verbs.h"

namespace puna::cli {
namespace {

constexpr size_t kLongestArray = 16;  // vocabularies are metadata too

struct Flags {
  ModelFlags model;
  bool json = false;
};

struct JsonOf {
  OrderedJson operator()(std::monostate) const { return nullptr; }
  template <class T>
  OrderedJson operator()(const T& value) const { return value; }
  template <class T>
  OrderedJson operator()(const std::vector<T>& values) const {
    if (values.size() <= kLongestArray) return values;
    return "(" + std::to_string(values.size()) + " values)";
  }
};

OrderedJson describe(const Model& m, const std::string& path) {
  const LlamaConfig& c = m.config();
  OrderedJson types = OrderedJson::object();
  for (const TensorEntry& t : m.checkpoint().tensors.entries()) types[name(t.dtype)] = types.value(name(t.dtype), 0) + 1;
  OrderedJson info = {{"model", path},
                      {"format", m.checkpoint().format == Checkpoint::Format::gguf ? "gguf" : "huggingface"},
                      {"architecture", c.architecture},
                      {"parameters", m.parameter_count()},
                      {"file_bytes", m.checkpoint().file_bytes},
                      {"tensors", types},
                      {"layers", c.layers},
                      {"hidden", c.hidden},
                      {"heads", c.heads},
                      {"kv_heads", c.kv_heads},
                      {"head_dim", c.head_dim},
                      {"vocabulary", c.vocab},
                      {"max_positions", c.max_positions},
                      {"attention_chunk", c.chunk},
                      {"experts", c.experts},
                      {"experts_used", c.experts_per_token},
                      {"tied_embeddings", c.tied},
                      {"tokenizer", m.tokenizer() != nullptr},
                      {"chat_template", m.chat_template() != nullptr}};
  info["chat_templates"] = OrderedJson::array();
  for (const ChatTemplates::Entry& e : m.chat_templates().entries()) info["chat_templates"].push_back(e.program ? e.name : e.name + " (cannot be used: " + e.error + ")");
  for (const auto& [key, value] : m.checkpoint().metadata.values()) info["metadata"][key] = std::visit(JsonOf{}, value);
  return info;
}

// One line a value; long texts (chat templates) are cut.
void print_lines(const OrderedJson& object, const char* indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      print(indent + key + "\n");
      print_lines(value, "  ");
      continue;
    }
    std::string text = value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    if (text.size() > 100) text = text.substr(0, text.find_last_not_of("\x80\x81\x82\x83", 97)) + "...";
    print(indent + key + ": " + text + "\n");
  }
}

void run(const Flags& f) {
  const OrderedJson info = describe(*f.model.open(), f.model.path);
  if (f.json) print(info.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
  else print_lines(info, "");
}

}  // namespace

void add_info(CLI::App& app) {
  const auto f = std::make_shared<Flags>();
  const Verb verb(app, "info", "Print what a model is");
  f->model.add(verb);
  verb.flag("--json", f->json, "print JSON");
  verb.run([f] { run(*f); });
}

}  // namespace puna::cli
