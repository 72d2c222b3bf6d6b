#include "model/peft_config.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/nearest.h"
#include "model/leftovers.h"
#include "puna/base/error.h"

namespace puna {
namespace {

constexpr const char* kFile = "adapter_config.json";
constexpr size_t kMostPatterns = 1 << 14, kMostStatesOfAll = 1 << 14;  // of all expressions of a field together

// Used below.
constexpr std::string_view kUsed[] = {"peft_type",
                                      "r",
                                      "lora_alpha",
                                      "use_rslora",
                                      "alpha_pattern",
                                      "rank_pattern",
                                      "target_modules",
                                      "target_parameters",
                                      "exclude_modules",
                                      "layers_to_transform",
                                      "layers_pattern",
                                      "init_lora_weights",
                                      "bias"};
// They change the formula or the base model, unless they say no: null, false, 0, an empty list, text or object.
constexpr std::string_view kOnlyNo[] = {"use_dora",
                                        "lora_bias",
                                        "fan_in_fan_out",
                                        "modules_to_save",
                                        "trainable_token_indices",
                                        "alora_invocation_tokens",
                                        "layer_replication",
                                        "use_qalora",
                                        "use_bdlora",
                                        "arrow_config",
                                        "kasa_config",
                                        "velora_config",
                                        "monteclora_config",
                                        "megatron_config"};
// They say how the adapter was made or is trained on, or who made it.
constexpr std::string_view kHarmless[] = {"task_type",
                                          "base_model_name_or_path",
                                          "revision",
                                          "inference_mode",
                                          "lora_dropout",
                                          "auto_mapping",
                                          "peft_version",
                                          "loftq_config",
                                          "eva_config",
                                          "corda_config",
                                          "lora_ga_config",
                                          "qalora_group_size",
                                          "megatron_core",
                                          "ensure_weight_tying",
                                          "runtime_config",
                                          "lora_ga",
                                          "save_embedding_layers"};

template <class List>
bool holds(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool says_no(const OrderedJson& j) {
  return j.is_null() || (j.is_boolean() && !j.get<bool>()) || (j.is_number() && j.get<double>() == 0) ||
         ((j.is_object() || j.is_array()) && j.empty()) || (j.is_string() && j.get_ref<const std::string&>().empty());
}

std::string shown(const OrderedJson& j) {
  if (j.is_object()) return "an object";
  if (j.is_array()) return "a list";
  std::string text = j.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  return text.size() > 60 ? text.substr(0, 60) + "..." : text;
}

}  // namespace

class PeftConfig::Reader {
 public:
  Reader(PeftConfig& to, const OrderedJson& json) : to_(to), json_(json) {}

  void read() {
    if (!json_.is_object()) fail(Status::bad_file, "%s: expected an object", kFile);
    const OrderedJson* type = find("peft_type");
    if (!type || !is_text(*type, "LORA")) fail(Status::unsupported, "%s: peft_type is not LORA", kFile);
    for (const auto& [key, value] : json_.get_ref<const OrderedJson::object_t&>()) judge(key, value);
    const OrderedJson* alpha = find("lora_alpha");
    if (!alpha || !alpha->is_number()) wrong("lora_alpha", alpha, "a number");
    to_.alpha_ = alpha->get<double>();
    if (const OrderedJson* r = find("r")) to_.rank_ = whole("r", *r);
    if (const OrderedJson* stable = find("use_rslora")) {
      if (!stable->is_boolean()) wrong("use_rslora", stable, "true or false");
      to_.rank_stabilised_ = stable->get<bool>();
    }
    patterns("alpha_pattern", to_.alphas_, [&](const std::string& key, const OrderedJson& j) {
      if (!j.is_number()) wrong(("alpha_pattern '" + key + "'").c_str(), &j, "a number");
      return j.get<double>();
    });
    patterns("rank_pattern", to_.ranks_, [&](const std::string& key, const OrderedJson& j) {
      return whole(("rank_pattern '" + key + "'").c_str(), j);
    });
    if (const OrderedJson* all = find("target_modules"); all && is_text(*all, "all-linear"))
      to_.all_linear_ = true;
    else
      names("target_modules", to_.modules_);
    names("target_parameters", to_.parameters_);
    names("exclude_modules", to_.excluded_);
    layers();
    initial();
  }

 private:
  [[noreturn]] void wrong(const char* field, const OrderedJson* found, const char* expected) const {
    fail(Status::bad_file, "%s: %.100s is %s, expected %s", kFile, field, found ? shown(*found).c_str() : "missing",
         expected);
  }
  // NULL: missing, or null.
  const OrderedJson* find(const char* key) const {
    const auto it = json_.find(key);
    return it == json_.end() || it->is_null() ? nullptr : &*it;
  }
  int64_t whole(const char* field, const OrderedJson& j) const {
    if (!j.is_number_integer() || (j.is_number_unsigned() && j.get<uint64_t>() > INT32_MAX) || j.get<int64_t>() < 1)
      wrong(field, &j, "a whole number above 0");
    return j.get<int64_t>();
  }

  void judge(const std::string& key, const OrderedJson& value) {
    if (holds(kUsed, key)) {
      if (key == "bias" && !value.is_null() && !is_text(value, "none"))
        fail(Status::unsupported, "%s: bias is %s, which is not supported; expected \"none\"", kFile,
             shown(value).c_str());
      return;
    }
    if (holds(kHarmless, key)) {
      if (!says_no(value)) to_.not_used_.push_back(key);
      return;
    }
    if (says_no(value)) return;
    if (holds(kOnlyNo, key)) {
      if (value.is_string() && std::find(std::begin(kFlags), std::end(kFlags), key) != std::end(kFlags))
        wrong(key.c_str(), &value, "true or false");
      fail(Status::unsupported, "%s: %s is %s, which is not supported", kFile, key.c_str(), shown(value).c_str());
    }
    std::vector<std::string_view> known(std::begin(kUsed), std::end(kUsed));
    known.insert(known.end(), std::begin(kOnlyNo), std::end(kOnlyNo));
    known.insert(known.end(), std::begin(kHarmless), std::end(kHarmless));
    fail(Status::unsupported, "%s: '%.100s' is %s, and no such field is known%s", kFile, key.c_str(),
         shown(value).c_str(), did_you_mean(key, known).c_str());
  }

  template <class T, class Read>
  void patterns(const char* field, Patterns<T>& list, Read read) {
    const OrderedJson* object = find(field);
    if (!object) return;
    if (!object->is_object()) wrong(field, object, "an object");
    if (object->size() > kMostPatterns)
      fail(Status::unsupported, "%s: %s has %zu keys, expected at most %zu", kFile, field, object->size(),
           kMostPatterns);
    size_t states = 0;
    for (const auto& [key, value] : object->get_ref<const OrderedJson::object_t&>()) {
      list.emplace_back(ModuleKey(key, (std::string(kFile) + ": " + field).c_str()), read(key, value));
      if ((states += list.back().first.states()) > kMostStatesOfAll)
        fail(Status::unsupported, "%s: the expressions of %s are longer than %zu states together", kFile, field,
             kMostStatesOfAll);
    }
  }

  void names(const char* field, Names& to) {
    const OrderedJson* j = find(field);
    if (!j) return;
    to.said = true;
    if (j->is_string()) {
      to.expression.emplace_back(j->get_ref<const std::string&>(), (std::string(kFile) + ": " + field).c_str());
      return;
    }
    if (!j->is_array()) wrong(field, j, "a list of names or an expression");
    for (const OrderedJson& name : *j) {
      if (!name.is_string()) wrong(field, &name, "names only");
      to.ends.push_back(name.get<std::string>());
    }
  }

  void layers() {
    if (const OrderedJson* j = find("layers_to_transform")) {
      const auto layer = [&](const OrderedJson& x) {
        if (!x.is_number_integer() || (x.is_number_unsigned() && x.get<uint64_t>() > INT32_MAX))
          wrong("layers_to_transform", &x, "whole numbers");
        to_.layers_.push_back(x.get<int64_t>());
      };
      if (j->is_array())
        for (const OrderedJson& x : *j) layer(x);
      else
        layer(*j);
    }
    const OrderedJson* j = find("layers_pattern");
    if (!j) return;
    const auto ours = [&](const OrderedJson& x) {
      if (!x.is_string()) wrong("layers_pattern", &x, "names");
      const auto& name = x.get_ref<const std::string&>();
      return name.empty() || ModulePattern(name, "adapter_config.json: layers_pattern").matches("layers");
    };
    to_.layers_are_ours_ = j->is_array() ? j->empty() || std::any_of(j->begin(), j->end(), ours) : ours(*j);
  }

  // Some ways to begin change the base model, and the adapter is the difference to the changed one.
  void initial() {
    const OrderedJson* j = find("init_lora_weights");
    if (!j || j->is_boolean()) return;
    if (!j->is_string()) wrong("init_lora_weights", j, "true, false or a name");
    const auto& name = j->get_ref<const std::string&>();
    constexpr std::string_view kKeepBase[] = {"gaussian", "eva", "orthogonal"};
    if (holds(kKeepBase, name)) return;
    fail(Status::unsupported,
         "%s: init_lora_weights is '%.40s', which changes the base model or is not known; known: true, false, "
         "gaussian, eva, orthogonal",
         kFile, name.c_str());
  }

  static constexpr std::string_view kFlags[] = {"use_dora", "lora_bias", "fan_in_fan_out", "use_qalora"};
  PeftConfig& to_;
  const OrderedJson& json_;
};

PeftConfig::PeftConfig(std::string_view text) {
  OrderedJson json;
  const JsonGuard guard(json);
  json = parse_ordered_json(text, kFile);
  Reader(*this, json).read();
}

double PeftConfig::alpha_of(const std::string& module) const {
  for (const auto& [key, alpha] : alphas_)
    if (key.matches(module)) return alpha;
  return alpha_;
}

std::optional<int64_t> PeftConfig::rank_of(const std::string& module) const {
  for (const auto& [key, rank] : ranks_)
    if (key.matches(module)) return rank;
  return rank_;
}

bool PeftConfig::Names::fit(const std::string& module) const {
  if (!expression.empty()) return expression[0].matches(module);
  return std::any_of(ends.begin(), ends.end(), [&](const std::string& end) {
    return module == end ||
           (module.size() > end.size() && module.ends_with(end) && module[module.size() - end.size() - 1] == '.');
  });
}

void PeftConfig::require_target(const std::string& module, bool is_parameter) const {
  const auto refuse = [&](const char* field) {
    fail(Status::bad_file, "adapter: '%.200s' has LoRA matrices, but %s of adapter_config.json leaves it out",
         module.c_str(), field);
  };
  if (excluded_.said && excluded_.fit(module)) refuse("exclude_modules");
  if (is_parameter) {
    if (parameters_.said || modules_.said) {
      if (!parameters_.fit(module)) refuse("target_parameters");
    }
    return;
  }
  if (all_linear_ && module == "lm_head") refuse("target_modules");
  if (modules_.said && !modules_.fit(module)) refuse("target_modules");
  if (layers_.empty() || !modules_.expression.empty() ||
      std::find(modules_.ends.begin(), modules_.ends.end(), module) != modules_.ends.end())
    return;
  if (!layers_are_ours_) refuse("layers_pattern");
  const int64_t layer = layer_of(module, "model.layers.");
  if (std::find(layers_.begin(), layers_.end(), layer) == layers_.end()) refuse("layers_to_transform");
}

}  // namespace puna
