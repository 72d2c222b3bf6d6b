// golden.h -- the golden sets: folders with a manifest.json under PUNA_GOLDEN_DIR (default tests/data/golden).
// Tests read every size and tolerance from the manifest, so another set of the same structure runs unchanged.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace puna::test {

// A NumPy .npy file, little-endian, C order.
struct Npy {
  std::string dtype;  // "<f4", "<i8", "|b1", "|u1", "<u2", ...
  std::vector<int64_t> shape;
  std::string bytes;
  int64_t count() const;
  std::vector<float> f32() const;    // from <f4 (exact) only
  std::vector<int64_t> i64() const;  // from any integer or bool type
  std::span<const uint8_t> u8() const { return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}; }
};
Npy load_npy(const std::string& path);

std::string read_text(const std::string& path);  // whole file; fails the test when it is not there

struct Tolerance {
  double atol = 0, rtol = 0;
};

class Golden {
 public:
  explicit Golden(std::string folder);
  const std::string& folder() const { return folder_; }
  std::string fixture() const { return manifest.value("fixture", ""); }
  bool has(const std::string& array) const { return manifest.contains("arrays") && manifest["arrays"].contains(array); }
  bool has_file(const std::string& relative) const;
  Npy array(const std::string& name) const;
  Tolerance tolerance(const std::string& name) const;   // 0,0 for "exact"
  nlohmann::json group(const std::string& name) const;  // a JSON file listed under "groups"
  // CHECKs every value: |got - want| <= atol + rtol * |want|; reports the worst one with its index.
  void check(const std::string& name, std::span<const float> got) const;
  nlohmann::json manifest;

 private:
  std::string folder_;
};

// A decoder's set: logits, and the residual stream behind every layer, or the streams where a model has several.
inline bool is_decoder(const Golden& g) {
  return g.has("logits") && (g.has("hidden_states") || g.has("altup_hidden_states"));
}
inline bool is_text_decoder(const Golden& g) {
  return is_decoder(g) && (g.has("embeddings") || g.has("altup_embeddings"));
}

void check_close(const std::string& what, std::span<const float> got, std::span<const float> want, Tolerance tolerance);

// Every golden set whose manifest's "fixture" satisfies the predicate; REQUIREs at least one.
std::vector<Golden> goldens(bool (*wanted)(const Golden&));

// A downloaded model or tokenizer: its path, or "" when it is not in the cache (then PUNA_SKIP).
// Looks in $PUNA_MODELS, else ${XDG_CACHE_HOME:-$HOME/.cache}/puna/models.
std::string model_file(const std::string& name);
inline std::string smollm2() { return model_file("SmolLM2-135M-Instruct.Q4_1.gguf"); }
inline std::string llama4_tokenizer() { return model_file("llama4-tokenizer.model"); }
inline std::string llama3_tokenizer() { return model_file("llama3-tokenizer.model"); }

}  // namespace puna::test
