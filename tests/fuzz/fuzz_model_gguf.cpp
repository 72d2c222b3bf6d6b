// fuzz_model_gguf.cpp -- any bytes as a whole GGUF model: an Error, or a model that answers.
#include "expect_error.h"
#include "target.h"
#include "tiny_model.h"

FUZZ_TARGET(model_gguf) {
  using namespace puna;
  test::expect_error_only([&] {
    const ModelPtr model = Model::open(test::tiny_context(), open_memory_source(data, size, "model.gguf"));
    Session session(model, {});
    session.append(std::vector<int32_t>{1, 2, 3});
    test::accepted = true;
    if (const Tokenizer* const tokenizer = model->tokenizer())
      (void)tokenizer->decode(tokenizer->encode("Hello <|eot|>", true), true);
    if (model->chat_template())
      (void)model->render_chat(R"({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": true})",
                               "2026-01-31");
  });
  return 0;
}
