// gguf_keys.h -- reading a GGUF file's keys, and what the readers of several families share.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "puna/base/error.h"
#include "puna/base/function_ref.h"
#include "puna/model/config.h"
#include "puna/tensor/metadata.h"

namespace puna {

// "llama4." + name. Some converters write one value a layer; we take it when all agree.
struct GgufKeys {
  const Metadata& m;
  std::string prefix;
  std::string key(const char* k) const { return prefix + k; }
  int64_t integer(const char* k, int64_t low, int64_t high, std::optional<int64_t> fallback = {}) const {
    const MetadataValue* v = m.find(key(k));
    if (const auto* array = v ? std::get_if<std::vector<int64_t>>(v) : nullptr; array && !array->empty()) {
      for (const int64_t x : *array)
        if (x != array->front())
          fail(Status::unsupported, "metadata '%s' differs by layer, which is not supported", key(k).c_str());
      Metadata one;
      one.set(key(k), array->front());
      return one.integer(key(k), low, high);
    }
    return m.integer(key(k), low, high, fallback);
  }
  // A number a layer, or one for all of them.
  std::vector<int64_t> of_layers(const char* k, int64_t layers, int64_t low, int64_t high) const {
    const MetadataValue* v = m.find(key(k));
    const auto* list = v ? std::get_if<std::vector<int64_t>>(v) : nullptr;
    if (!list) return std::vector<int64_t>(size_t(layers), m.integer(key(k), low, high));
    if (int64_t(list->size()) != layers)
      fail(Status::bad_file, "metadata '%s' has %zu entries, the model has %jd layers", key(k).c_str(), list->size(),
           layers);
    for (size_t i = 0; i < list->size(); ++i)
      if ((*list)[i] < low || (*list)[i] > high)
        fail(Status::bad_file, "metadata '%s'[%zu] is %jd, expected %jd to %jd", key(k).c_str(), i, (*list)[i], low,
             high);
    return *list;
  }
  double number(const char* k, double low, double high, std::optional<double> fallback = {}) const {
    return m.number(key(k), low, high, fallback);
  }
};

// A list of one number a layer as flags; empty when it is missing.
std::vector<uint8_t> layer_flags(const Metadata& m, const char* key, int64_t layers);
// The sliding layers: our own keys, or `window` and usual(layer).
void read_sliding_layers(LlamaConfig& c, const GgufKeys& k, int64_t window, FunctionRef<bool(int64_t)> usual);

}  // namespace puna
