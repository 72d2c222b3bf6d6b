// fuzz_quantised_folder.cpp -- any bytes as a Hugging Face folder with quantised matrices: config.json, a zero byte,
// model.safetensors. An Error, or a model that answers.
#include "expect_error.h"
#include "scratch_folder.h"
#include "target.h"
#include "tiny_model.h"

FUZZ_TARGET(quantised_folder) {
  using namespace puna;
  static const test::ScratchFolder folder;
  std::string_view parts[2];
  test::split_at_zeros(test::text_of(data, size), parts);
  folder.write("config.json", parts[0]);
  folder.write("model.safetensors", parts[1]);
  test::expect_error_only([&] {
    const ModelPtr model = Model::open(test::tiny_context(), folder.path());
    Session session(model, {});
    session.append(std::vector<int32_t>{1, 2, 3});
    test::accepted = true;
  });
  return 0;
}
