// generate.cpp -- continue a text through the C++ API:  ./generate model.gguf "Once upon a time"
#include <iostream>

#include "puna/base/error.h"
#include "puna/runtime/generate.h"

int main(int argc, char** argv) try {
  const puna::ContextPtr context = puna::make_context({});
  const puna::ModelPtr model = puna::Model::open(context, argc > 1 ? argv[1] : "model.gguf");
  puna::Session session(model, {});
  puna::GenerateOptions options;
  options.max_tokens = 32;
  const std::vector<int32_t> prompt = session.encode(argc > 2 ? argv[2] : "Once upon a time", /*parse_special=*/false);
  const puna::GenerateResult result = puna::generate(session, prompt, options, [](const puna::GeneratedToken& token) {
    std::cout << token.text << std::flush;
    return true;
  });
  std::cout << "\n" << result.prompt_tokens << " + " << result.tokens.size() << " tokens\n";
} catch (const puna::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
