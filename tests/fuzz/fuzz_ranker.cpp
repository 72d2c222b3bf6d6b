// fuzz_ranker.cpp -- any bytes as a ranker's file, and as its configuration: what is taken is consistent, and written
// as it was read.
#include "expect_error.h"
#include "puna/recsys/ranker.h"
#include "target.h"
#include "touch.h"

FUZZ_TARGET(ranker) {
  using namespace puna;
  using test::expect_error_only;
  static const ContextPtr context = test::test_context_without_kernels(64 << 20);
  expect_error_only([&] {
    const std::string text = recsys::json_of(recsys::ranker_config({reinterpret_cast<const char*>(data), size}));
    if (recsys::json_of(recsys::ranker_config(text)) != text) __builtin_trap();
  });
  expect_error_only([&] {
    const auto ranker = recsys::Ranker::load(context, open_memory_source(data, size, "ranker.safetensors"));
    for (const recsys::ModelTensor& t : ranker->tensors())
      if (int64_t(t.read().size()) != t.shape.count()) __builtin_trap();
  });
  return 0;
}
