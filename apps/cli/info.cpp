// puna info: what a model is, and the metadata of its file.
#include <algorithm>

#include "about_family.h"
#include "base/json.h"
#include "common.h"
#include "model/scaled_weights.h"
#include "puna/chat/tools.h"
#include "puna/runtime/adapter_file.h"
#include "verbs.h"

namespace puna::cli {
namespace {

constexpr size_t kLongestArray = 16;  // vocabularies are metadata too

struct InfoFlags {
  ModelFlags model;
  std::string adapter;
  bool json = false;
};

struct JsonOf {
  OrderedJson operator()(std::monostate) const { return nullptr; }
  template <class T>
  OrderedJson operator()(const T& value) const {
    return value;
  }
  template <class T>
  OrderedJson operator()(const std::vector<T>& values) const {
    if (values.size() <= kLongestArray) return values;
    return "(" + std::to_string(values.size()) + " values)";
  }
};

OrderedJson list_of(const std::vector<NotUsed::Item>& items) {
  OrderedJson list = OrderedJson::array();
  for (const NotUsed::Item& item : items) {
    OrderedJson entry = {{"name", item.name}};
    if (!item.note.empty()) entry["note"] = item.note;
    list.push_back(std::move(entry));
  }
  return list;
}

OrderedJson describe(const Model& m, const std::string& path) {
  const LlamaConfig& c = m.config();
  OrderedJson types = OrderedJson::object();
  for (const TensorEntry& t : m.checkpoint().tensors.entries())
    types[name(t.dtype)] = types.value(name(t.dtype), 0) + 1;
  const AboutFamily family = about_family(c);
  const ChatTemplate* const tools = m.chat_templates().with_tools();
  OrderedJson info = {
      {"model", path},
      {"format", m.checkpoint().format == Checkpoint::Format::gguf ? "gguf" : "huggingface"},
      {"architecture", c.architecture},
      {"family", {{"name", family.name}, {"used", family.used}, {"not_used", family.unused}}},
      {"features", features(c)},
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
      {"chat_template", m.chat_template() != nullptr},
      {"tools", tools && tools->reads("tools") ? OrderedJson(tool_format_name(m.tool_format())) : OrderedJson()},
      {"not_used", {{"tensors", list_of(m.not_used().tensors)}, {"keys", list_of(m.not_used().keys)}}}};
  const std::string stored = scaled_layout(m.checkpoint().metadata, c.architecture == "gpt-oss").text;
  if (!stored.empty()) info["quantised"] = stored;
  info["tokenizer_notes"] = m.tokenizer() ? m.tokenizer()->notes() : std::vector<std::string>();
  info["chat_templates"] = OrderedJson::array();
  for (const ChatTemplates::Entry& e : m.chat_templates().entries())
    info["chat_templates"].push_back(e.program ? e.name : e.name + " (cannot be used: " + e.error + ")");
  for (const auto& [key, value] : m.checkpoint().metadata.values()) info["metadata"][key] = std::visit(JsonOf{}, value);
  return info;
}

OrderedJson describe_adapter(const Adapter& a, const std::string& path) {
  return {{"folder", path}, {"matrices", a.matrices()}, {"fields_not_used", a.not_used()}};
}

// One line a value; long texts (chat templates) are cut.
void print_lines(const OrderedJson& object, const char* indent) {
  for (const auto& [key, value] : object.items()) {
    if (key == "not_used" || key == "tokenizer_notes" || key == "features" || key == "family")
      continue;  // they have lines of their own
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

// What the files say about special tokens and is not so, a sentence a line.
void print_notes(const OrderedJson& notes) {
  if (!notes.empty()) print("tokenizer notes\n");
  for (const OrderedJson& note : notes) print("  " + printable(note.get_ref<const std::string&>()) + "\n");
}

// What the family is known for and this model has, what of it this one has not, and what else it has, one a line.
void print_family(const AboutFamily& about) {
  print("family: " + about.name + "\n");
  for (const std::string& feature : about.used) print("  " + feature + "\n");
  for (const std::string& feature : about.other) print("  " + feature + "\n");
  std::string unused;
  for (const std::string& what : about.unused) unused += (unused.empty() ? "" : "; ") + what;
  if (!unused.empty()) print("  not in this model: " + unused + "\n");
}

// Unused parts of the files: tensors one a line with their type, keys side by side. --json has all of them.
void print_not_used(const NotUsed& n) {
  constexpr size_t kShown = 12, kWidth = 100;
  if (n.tensors.empty() && n.keys.empty()) return;
  print("not used\n");
  for (size_t i = 0; i < std::min(n.tensors.size(), kShown); ++i)
    print("  tensor " + printable(n.tensors[i].name) + ": " + printable(n.tensors[i].note) + "\n");
  if (n.tensors.size() > kShown) print("  and " + std::to_string(n.tensors.size() - kShown) + " tensors more\n");
  std::string line = "  keys: ";
  const size_t empty = line.size();
  for (const NotUsed::Item& key : n.keys) {
    const std::string name = printable(key.name) + (key.note.empty() ? "" : " (" + printable(key.note) + ")");
    if (line.size() > empty && line.size() + name.size() > kWidth) {
      print(line + ",\n");
      line.assign(empty, ' ');
    }
    line += (line.size() > empty ? ", " : "") + name;
  }
  if (!n.keys.empty()) print(line + "\n");
}

void run_info(const InfoFlags& f) {
  const ModelPtr model = f.model.open();
  OrderedJson info = describe(*model, f.model.path);
  if (!f.adapter.empty()) info["adapter"] = describe_adapter(*load_adapter(*model, f.adapter), f.adapter);
  if (f.json) {
    print(info.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
    return;
  }
  print_lines(info, "");
  print_family(about_family(model->config()));
  print_notes(info["tokenizer_notes"]);
  print_not_used(model->not_used());
}

}  // namespace

void add_info(CLI::App& app) {
  const auto f = std::make_shared<InfoFlags>();
  const Verb verb(app, "info", "Print what a model is");
  f->model.add(verb);
  verb.option("--adapter", f->adapter, "a LoRA folder or GGUF file for this model: what it is, too");
  verb.flag("--json", f->json, "print JSON");
  verb.run([f] { run_info(*f); });
}

}  // namespace puna::cli
