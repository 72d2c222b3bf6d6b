// The bundled model: trained by this library, and good at what it was trained on.
#include "puna/runtime/generate.h"
#include "puna/runtime/prompt.h"
#include "support/catch.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

TEST_CASE("the bundled model predicts Jane Austen's text well", "[train]") {
  const ModelPtr model = Model::open(context_with(), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
  CHECK(model->config().architecture == "llama4");
  const auto nll = [&](const char* text) {
    Session session(model, {});
    double sum = 0;
    const std::vector<float> all = score(session, encode_prompt(model->require_tokenizer(), text, false));
    for (const float x : all) sum += double(x);
    return sum / double(all.size());
  };
  // From the part of the text that it never saw.
  const double unseen =
      nll("Elinor's heart, which had undergone many changes in the course of this extraordinary conversation, was now "
          "softened again; -- yet "
          "she felt it her duty to check such ideas in her companion as the last.");
  const double other = nll("def main(argv): return sum(int(x) for x in argv[1:] if x.isdigit()) # 0x7f 0x45 0x4c 0x46");
  CAPTURE(unseen, other);
  CHECK(unseen < 4.3);
  CHECK(other > 6);

  GenerateOptions options;
  options.max_tokens = 40;
  Session session(model, {});
  const GenerateResult r = generate(session, encode_prompt(model->require_tokenizer(), "She was", false), options);
  CHECK(r.text.find(' ') != std::string::npos);
  CHECK(r.tokens.size() == 40);
}
