// What `puna info` says of families: every one that we run has its row, and what it says of a model is so.
#include "apps/cli/about_family.h"
#include "model/family.h"
#include "puna/runtime/model.h"
#include "support/catch.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("every family has its row in what puna info says", "[runtime]") {
  for (const Family& f : families()) {
    CAPTURE(f.name);
    CHECK(cli::knows_family(f.name));
  }
  CHECK_FALSE(cli::knows_family("gpt2"));
}

TEST_CASE("what a golden model has of its family is what its configuration says", "[runtime][golden]") {
  const auto is_model = [](const Golden& g) {
    return g.has("logits") && g.has("hidden_states") && g.has_file("config.json") && g.has_file("model.safetensors");
  };
  size_t used = 0;
  for (const Golden& g : goldens(is_model)) {
    INFO("golden set " << g.folder());
    const ModelPtr model = Model::open(make_context({}), g.folder());
    const std::vector<std::string> all = features(model->config());
    const cli::AboutFamily about = cli::about_family(model->config());
    std::vector<std::string> said = about.used;
    said.insert(said.end(), about.other.begin(), about.other.end());
    CHECK(std::is_permutation(said.begin(), said.end(), all.begin(), all.end()));
    used += about.used.size();
    const bool moe = std::count(model->config().is_moe.begin(), model->config().is_moe.end(), 1) > 0;
    const auto mixture = std::find_if(said.begin(), said.end(), [](auto& s) { return s.starts_with("mixture of"); });
    CHECK(moe == (mixture != said.end()));
  }
  CHECK(used > 10);
}
