// `puna verify` knows every family's blocks: it agrees with the golden numbers, and names the block in which one value
// was changed.
#include <filesystem>

#include "apps/cli/verifier.h"
#include "model/family.h"
#include "puna/base/error.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace test_verify {
namespace {

bool is_text_model(const Golden& g) {
  return g.has("logits") && g.has("embeddings") && g.has("hidden_states") && g.has("attn_out") &&
         g.has_file("config.json") && g.has_file("model.safetensors");
}

struct Report {
  bool agrees = false;
  std::string first;
  std::vector<std::string> blocks;
};

Report verify(const ModelPtr& model, const std::string& folder) {
  Report r;
  r.agrees = cli::verify(model, folder, [&](const std::string& line) {
    const std::string_view differs = "the first block that differs: ";
    if (line.starts_with(differs)) r.first = line.substr(differs.size(), line.size() - differs.size() - 1);
    if (line.starts_with("ok      ") || line.starts_with("DIFFERS "))
      r.blocks.push_back(line.substr(8, line.find("  ", 8) - 8));
  });
  return r;
}

// The set's numbers, with one value of one array changed.
struct Changed {
  TempFolder at;
  Changed(const Golden& g, const std::string& array, size_t value) {
    write_file(at / "manifest.json", read_text(g.folder() + "/manifest.json"));
    for (const auto& [name, what] : g.manifest["arrays"].items()) {
      const std::string file = what["file"], path = at / file;
      std::filesystem::create_directories(std::filesystem::path(path).parent_path());
      std::string bytes = read_text(g.folder() + "/" + file);
      if (name == array) {
        const size_t data = 10 + uint8_t(bytes[8]) + 256 * uint8_t(bytes[9]);
        float changed = 1000;
        std::memcpy(&bytes[data + 4 * value], &changed, 4);
      }
      write_file(path, bytes);
    }
  }
};

}  // namespace

TEST_CASE("puna verify agrees with every family's golden numbers, block by block", "[runtime][golden]") {
  for (const Golden& g : goldens(is_text_model)) {
    INFO("golden set " << g.folder());
    const ModelPtr model = Model::open(make_context({}), g.folder());
    const LlamaConfig& c = model->config();
    const Report r = verify(model, g.folder());
    CHECK(r.agrees);
    CHECK(r.first.empty());
    const auto count = [&](std::string_view word) {
      return std::count_if(r.blocks.begin(), r.blocks.end(),
                           [&](const std::string& b) { return b.find(word) != b.npos; });
    };
    int64_t sliding = 0, moe = 0;
    for (int64_t l = 0; l < c.layers; ++l) sliding += c.sliding(l), moe += c.is_moe[size_t(l)];
    CHECK(count(", attention (") == c.layers);
    CHECK(count(", attention (sliding window") == sliding);
    CHECK(count(", experts") == moe);
    CHECK(count(", choice of experts") == moe);
    CHECK(count(", feed-forward") == c.layers - moe);
    CHECK(r.blocks.back() == "text: logits");
  }
}

TEST_CASE("puna verify names the block in which a value is another", "[runtime][golden]") {
  const Golden g = goldens([](const Golden& s) { return is_text_model(s) && s.has("router_logits"); }).front();
  const ModelPtr model = Model::open(make_context({}), g.folder());
  const LlamaConfig& c = model->config();
  const size_t T = size_t(g.array("input_ids").shape.back()), layer = T * size_t(c.hidden);
  const int64_t moe = std::find(c.is_moe.begin(), c.is_moe.end(), 1) - c.is_moe.begin();
  const std::vector<std::pair<std::pair<const char*, size_t>, std::string>> cases = {
      {{"embeddings", 3}, "text: embeddings"},
      {{"attn_out", layer + 5}, "text: layer 1, attention"},
      {{"ffn_out", 5}, "text: layer 0, "},
      {{"hidden_states", 2 * layer}, "text: layer 2"},
      {{"router_logits", 1}, "text: layer " + std::to_string(moe) + ", router"},
      {{"router_scores", 1}, "text: layer " + std::to_string(moe) + ", scores of experts"},
      {{"final_norm", 0}, "text: last norm"},
      {{"logits", 7}, "text: logits"},
      {{"rope_inv_freq", 1}, "text: RoPE frequencies"}};
  for (const auto& [where, block] : cases) {
    if (!g.has(where.first)) continue;
    CAPTURE(where.first, where.second);
    const Changed changed(g, where.first, where.second);
    const Report r = verify(model, changed.at.path());
    CHECK_FALSE(r.agrees);
    CHECK(r.first.starts_with(block));
  }
}

}  // namespace test_verify
