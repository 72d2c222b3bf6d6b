#include "about_family.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace puna::cli {
namespace {

struct Trait {
  std::string_view feature;  // how features() begins to say it
  std::string_view what;     // where a model has it not
};

constexpr Trait kWindows{"sliding window", "sliding windows"}, kYarn{"YaRN", "YaRN"},
    kLlama3Rope{"RoPE scaling of Llama 3", "Llama 3's scaling of RoPE"}, kHeadNorm{"QK norm of each head", "QK norm"},
    kBiases{"biases of q, k", "biases of attention"}, kGeglu{"GeGLU", "GeGLU"},
    kBothNorms{"norms before and behind", "norms behind the blocks"},
    kEmbeddings{"embeddings times", "scaled embeddings"}, kLogitCap{"logits soft-capped", "soft-capped logits"},
    kOwnRope{"RoPE of its own", "RoPE of its own in sliding layers"}, kNoRope{"no RoPE", "layers without RoPE"},
    kMixture{"mixture of", "a mixture of experts"}, kSharedKeys{"keys and values of layers before", "shared keys"},
    kPerLayer{"embeddings of", "embeddings for every layer"}, kGrowth{"queries that grow", "queries that grow"};

constexpr Trait kLlama[] = {kLlama3Rope, kWindows};  // Mistral's files have this name as well
constexpr Trait kLlama4[] = {
    {"chunks of", "attention in chunks"}, kNoRope, {"QK norm behind RoPE", "QK norm"}, kGrowth, kMixture, kLlama3Rope};
constexpr Trait kQwen2[] = {kBiases, kWindows, kYarn};
constexpr Trait kQwen3[] = {kHeadNorm, kWindows, kYarn};
constexpr Trait kQwen3Moe[] = {kHeadNorm, kMixture, kWindows, kYarn};
constexpr Trait kMistral3[] = {kYarn, kGrowth};
constexpr Trait kOlmo2[] = {{"QK norm over all heads", "QK norm"}, {"norms behind", "norms behind the blocks"}, kYarn};
constexpr Trait kGranite[] = {kEmbeddings,
                              {"scores times", "a scale of scores"},
                              {"blocks times", "a scale of blocks"},
                              {"logits times", "a scale of logits"}};
constexpr Trait kSmolLm3[] = {kNoRope, kYarn};
constexpr Trait kPhi3[] = {{"LongRoPE", "LongRoPE"}, kWindows, {"RoPE of", "RoPE of a part of each head"}};
constexpr Trait kGemma2[] = {kWindows,   {"scores soft-capped", "soft-capped scores"}, kLogitCap, kBothNorms, kGeglu,
                             kEmbeddings};
constexpr Trait kGemma3[] = {kWindows,   kHeadNorm, kOwnRope,    {"RoPE slowed down", "a linear scaling of RoPE"},
                             kBothNorms, kGeglu,    kEmbeddings, kLogitCap};
constexpr Trait kGemma3n[] = {{"AltUp", "AltUp"},
                              {"LAuReL", "LAuReL"},
                              kPerLayer,
                              kSharedKeys,
                              {"gates kept above", "sparse gates"},
                              kWindows,
                              kHeadNorm,
                              kOwnRope,
                              kGeglu,
                              kLogitCap};
constexpr Trait kGemma4[] = {kPerLayer,
                             kSharedKeys,
                             {"heads of", "other heads in sliding layers"},
                             {"keys taken as values", "keys taken as values"},
                             kMixture,
                             {"a scale behind", "a scale behind every layer"},
                             kWindows,
                             kHeadNorm,
                             kOwnRope,
                             kGeglu,
                             kLogitCap};
constexpr Trait kGptOss[] = {{"attention sinks", "attention sinks"}, kBiases, kWindows, kMixture,
                             {"SwiGLU clamped", "a clamped SwiGLU"}, kYarn};

constexpr struct {
  std::string_view architecture, name;
  std::span<const Trait> traits;
} kFamilies[] = {{"llama", "Llama 2 and 3, Mistral, Ministral, SmolLM2", kLlama},
                 {"llama4", "Llama 4", kLlama4},
                 {"qwen2", "Qwen 2 and 2.5", kQwen2},
                 {"qwen3", "Qwen 3", kQwen3},
                 {"qwen3moe", "Qwen 3, mixture of experts", kQwen3Moe},
                 {"mistral3", "Ministral 3", kMistral3},
                 {"olmo2", "OLMo 2", kOlmo2},
                 {"granite", "Granite 3", kGranite},
                 {"smollm3", "SmolLM3", kSmolLm3},
                 {"phi3", "Phi-3 and Phi-4-mini", kPhi3},
                 {"gemma2", "Gemma 2", kGemma2},
                 {"gemma3", "Gemma 3", kGemma3},
                 {"gemma3n", "Gemma 3n", kGemma3n},
                 {"gemma4", "Gemma 4", kGemma4},
                 {"gpt-oss", "gpt-oss", kGptOss}};

}  // namespace

bool knows_family(const std::string& architecture) {
  return std::any_of(std::begin(kFamilies), std::end(kFamilies),
                     [&](const auto& f) { return f.architecture == architecture; });
}

AboutFamily about_family(const LlamaConfig& config) {
  AboutFamily about{config.architecture, {}, {}, features(config)};
  for (const auto& family : kFamilies) {
    if (family.architecture != config.architecture) continue;
    about.name = family.name;
    for (const Trait& trait : family.traits) {
      const auto has =
          std::find_if(about.other.begin(), about.other.end(), [&](auto& f) { return f.starts_with(trait.feature); });
      if (has == about.other.end()) {
        about.unused.emplace_back(trait.what);
      } else {
        about.used.push_back(std::move(*has));
        about.other.erase(has);
      }
    }
  }
  return about;
}

}  // namespace puna::cli
