// What quantisation changes: divergence of a model from itself and from a coarser one, and the columns that calibration
// finds.
#include "puna/runtime/compare.h"

#include "puna/base/error.h"
#include "puna/runtime/save.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace {

const std::string kBundled = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";
const char* const kText =
    "Elinor's heart, which had undergone many changes in the course of this extraordinary conversation, was now "
    "softened again; -- yet she felt it her duty to "
    "check such ideas in her companion as the last. It was necessary to my own pride. I could not bear to leave the "
    "country in a manner that might lead you, or "
    "the rest of the neighbourhood, to suspect any part of what had really passed between Mrs. Smith and myself.";

}  // namespace

TEST_CASE("a model is nowhere apart from itself, and further from a coarser copy; calibration brings the copy nearer",
          "[runtime]") {
  const ModelPtr model = Model::open(context_with(), kBundled);
  const std::vector<int32_t> tokens = model->require_tokenizer().encode(kText, false);
  const int64_t window = int64_t(tokens.size()) / 2;
  const Divergence same = compare_models(model, model, tokens, window);
  CHECK((same.mean == 0 && same.largest == 0 && same.same_best == 1 && same.source_nll == same.other_nll));
  CHECK(same.tokens == 2 * (window - 1));

  const TempFolder folder;
  const auto apart = [&](DType type, std::shared_ptr<const Importance> importance) {
    save_gguf(*model, folder / "other.gguf", {type, 0, std::move(importance)});
    return compare_models(model, Model::open(model->context_ptr(), folder / "other.gguf"), tokens, window).mean;
  };
  const auto importance = measure_importance(model, tokens, window);
  const double fine = apart(DType::q5_1, nullptr), coarse = apart(DType::iq4_nl, nullptr),
               calibrated = apart(DType::iq4_nl, importance);
  CAPTURE(fine, coarse, calibrated);
  CHECK(fine > 0);
  CHECK(coarse > 1.5 * fine);
  CHECK(calibrated < coarse);
  CHECK_THROWS_AS(compare_models(model, model, tokens, int64_t(tokens.size()) + 1), Error);
  CHECK_THROWS_AS(measure_importance(model, tokens, 1), Error);
}

TEST_CASE(
    "calibration sees every matrix that is multiplied, and what the head sees are the final hidden states' squares",
    "[runtime]") {
  const ModelPtr model = Model::open(context_with(), kBundled);
  const std::vector<int32_t> tokens = model->require_tokenizer().encode(kText, false);
  const auto importance = measure_importance(model, tokens, int64_t(tokens.size()));
  const LlamaWeights& w = model->llama().weights;
  for (const LlamaLayer& L : w.layers)
    for (const Weight* m : {&L.wq, &L.wk, &L.wv, &L.wo, &L.router, &L.ffn.gate, &L.ffn.up, &L.ffn.down})
      CHECK(importance->at(m->panels).size() == size_t(m->cols));
  SessionOptions options;
  options.exact = true;
  Session session(model, options);
  std::vector<float> hidden(tokens.size() * size_t(model->config().hidden));
  session.append(tokens, {.embeddings = hidden, .pooling = Pooling::none});
  const std::vector<float>& head = importance->at(w.lm_head.panels);
  const float* last = hidden.data() + hidden.size() - head.size();
  for (size_t i = 0; i < head.size(); ++i)
    CHECK(head[i] == Approx(last[i] * last[i]).epsilon(1e-4).margin(1e-9));  // the one row a window's head is asked for
}
