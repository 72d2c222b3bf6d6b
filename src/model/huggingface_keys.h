// huggingface_keys.h -- reading a flattened config.json: the text model's keys, wherever they are nested, and what the
// readers of several families share.
#pragma once
#include <optional>
#include <string>

#include "puna/base/function_ref.h"
#include "puna/model/config.h"
#include "puna/tensor/metadata.h"

namespace puna {

// The text model's keys, wherever they are nested.
struct HuggingFaceKeys {
  const Metadata& m;
  std::string prefix;
  std::string key(const char* k) const { return prefix + k; }
  int64_t integer(const char* k, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const {
    return m.integer(key(k), low, high, fallback);
  }
  double number(const char* k, double low, double high, std::optional<double> fallback = {}) const {
    return m.number(key(k), low, high, fallback);
  }
  bool boolean(const char* k, bool fallback) const { return m.boolean(key(k), fallback); }
  // A switch that first releases wrote as a number (Llama 4's attn_temperature_tuning is 4 there).
  bool truth(const char* k, bool fallback) const {
    const MetadataValue* v = m.find(key(k));
    const auto* number = v ? std::get_if<int64_t>(v) : nullptr;
    return number ? *number != 0 : boolean(k, fallback);
  }
};

// inverse_frequency, and what goes with it, from rope_theta and rope_scaling or from rope_parameters.
void read_huggingface_rope(LlamaConfig& c, const HuggingFaceKeys& k);
// Gemma 3: rope_parameters of each kind of layer, or rope_theta and rope_local_base_freq.
void read_huggingface_two_ropes(LlamaConfig& c, const HuggingFaceKeys& k, double local_theta);
// The sliding layers: layer_types, or where that is missing usual(layer). window 0: none slides.
void read_sliding_layers(LlamaConfig& c, const HuggingFaceKeys& k, int64_t window, FunctionRef<bool(int64_t)> usual);
// sliding_window, 0 when it is null; `usual` when it is missing.
int64_t read_window(const HuggingFaceKeys& k, int64_t usual);

}  // namespace puna
