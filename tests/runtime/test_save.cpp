// Golden checkpoints written to GGUF give the same logits: bit for bit where the pairs of RoPE keep their places (Llama
// 4), within the golden tolerance where q and k are permuted (dense). Quantised files load, and their exact logits
// equal their dequantised copy's.
#include <filesystem>

#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;

namespace {

std::vector<float> logits_of(const ModelPtr& model, const std::vector<int64_t>& ids, bool exact) {
  Session session(model, {exact, 0, 256});
  std::vector<float> logits(ids.size() * size_t(model->config().vocab));
  session.append(std::vector<int32_t>(ids.begin(), ids.end()), {.logits = logits});
  return logits;
}

}  // namespace

TEST_CASE("golden checkpoints written to GGUF give the same logits", "[runtime][golden]") {
  const ContextPtr context = make_context({});
  for (const Golden& g : goldens(is_text_decoder)) {
    INFO("golden set " << g.folder());
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    const ModelPtr original = Model::open(context, g.folder());
    const TempFolder folder;
    for (const uint64_t per_file : {uint64_t(0), uint64_t(7)}) {
      const std::string path = save_gguf(*original, folder / "model.gguf", {{}, per_file}).front();
      const ModelPtr copy = Model::open(context, path);
      const std::vector<float> logits = logits_of(copy, ids, true);
      g.check("logits", logits);
      if (original->config().rope_style == RopeStyle::interleaved) CHECK(logits == logits_of(original, ids, true));
      CHECK(copy->config().inverse_frequency == original->config().inverse_frequency);
      // llama.cpp's converter fills a table that is shorter than the vocabulary with zeros.
      const LlamaConfig& c = original->config();
      const int64_t filled = c.per_layer > 0 ? (c.vocab - c.per_layer_vocab) * c.layers * c.per_layer : 0;
      CHECK(int64_t(copy->parameter_count()) == int64_t(original->parameter_count()) + filled);
    }
  }
}

TEST_CASE("a file quantised on saving gives the same logits as its dequantised copy", "[runtime]") {
  const ContextPtr context = make_context({});
  const Golden g = goldens([](const Golden& s) { return s.fixture() == "text_scout_like"; }).front();
  const std::vector<int64_t> ids = g.array("input_ids").i64();
  const ModelPtr original = Model::open(context, g.folder());
  const TempFolder folder;
  if (original->config().expert_ffn % 32 != 0) {
    CHECK_THROWS_WITH(save_gguf(*original, folder / "q.gguf", {DType::q8_0, 0}), Catch::Contains("do not fit Q8_0"));
    CHECK(std::filesystem::is_empty(folder.path()));
  }
  const ModelPtr dense =
      Model::open(context, goldens([](const Golden& s) { return s.fixture() == "dense_llama3"; }).front().folder());
  for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::f16, DType::bf16}) {
    CAPTURE(name(type));
    const ModelPtr small = Model::open(context, save_gguf(*dense, folder / "small.gguf", {type, 0}).front());
    const ModelPtr dequantised =
        Model::open(context, save_gguf(*small, folder / "dequantised.gguf", {DType::f32, 0}).front());
    CHECK(small->llama().weights.layers[0].wq.dtype == type);
    CHECK(logits_of(small, ids, true) == logits_of(dequantised, ids, true));
    if (!is_quantised(type)) CHECK(logits_of(small, ids, false) == logits_of(dequantised, ids, false));
  }
  // Its rows are shorter than a block of 256.
  REQUIRE(dense->config().hidden % 256 != 0);
  const std::pair<DType, DType> replaced[] = {{DType::q2_k, DType::iq4_nl},   {DType::q3_k, DType::iq4_nl},
                                              {DType::iq4_xs, DType::iq4_nl}, {DType::q4_k, DType::q5_0},
                                              {DType::q5_k, DType::q5_1},     {DType::q6_k, DType::q8_0}};
  for (const auto& [asked, written] : replaced) {
    std::vector<ReplacedType> told;
    const ModelPtr small =
        Model::open(context, save_gguf(*dense, folder / "small.gguf", {asked, 0, nullptr, &told}).front());
    CHECK(small->llama().weights.layers[0].wq.dtype == written);
    REQUIRE(!told.empty());
    CHECK((told[0].wanted == asked && told[0].got == written && told[0].row % 256 != 0 && told[0].matrices >= 1 &&
           told[0].matrices <= told[0].all));
  }
}

TEST_CASE("general.file_type is the type of most matrices in llama.cpp's numbers, whatever the source's was",
          "[runtime]") {
  const ContextPtr context = make_context({});
  const Golden g = goldens([](const Golden& s) { return s.fixture() == "dense_llama3"; }).front();
  const ModelPtr original = Model::open(context, g.folder());
  const TempFolder folder;
  const std::pair<DType, int64_t> numbers[] = {{DType::f32, 0},  {DType::f16, 1},  {DType::bf16, 32},
                                               {DType::q4_0, 2}, {DType::q4_1, 3}, {DType::q5_0, 8},
                                               {DType::q5_1, 9}, {DType::q8_0, 7}, {DType::iq4_nl, 25}};
  std::string before;
  for (const auto& [type, number] : numbers) {
    CAPTURE(name(type));
    std::vector<ReplacedType> replaced;
    const ModelPtr from = before.empty() ? original : Model::open(context, before);  // its number is another type's
    const std::string path = folder / (std::string(name(type)) + ".gguf");
    const ModelPtr saved = Model::open(context, save_gguf(*from, path, {type, 0, nullptr, &replaced}).front());
    CHECK(saved->checkpoint().metadata.integer("general.file_type", 0, 1024) == number);
    CHECK(saved->checkpoint().metadata.integer("general.quantization_version", 2, 2) == 2);
    CHECK(replaced.empty());
    const ModelPtr as_it_is = Model::open(context, save_gguf(*saved, folder / "again.gguf", {}).front());
    CHECK(as_it_is->checkpoint().metadata.integer("general.file_type", 0, 1024) == number);
    before = path;
  }
}
