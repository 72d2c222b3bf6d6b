// reencode.cpp -- a model with its matrices in another type: `reencode MODEL TYPE FILE`. For comparing types on a real
// model.
#include <cstdio>

#include "puna/base/error.h"
#include "puna/runtime/save.h"

int main(int argc, char** argv) try {
  if (argc != 4) return fprintf(stderr, "usage: reencode MODEL TYPE FILE\n"), 2;
  for (int t = 0; t < puna::kDTypeCount; ++t) {
    if (!puna::is_weight(puna::DType(t)) || std::string(argv[2]) != puna::name(puna::DType(t))) continue;
    puna::save_gguf(*puna::Model::open(puna::make_context({}), argv[1]), argv[3], {puna::DType(t), 0});
    return 0;
  }
  return fprintf(stderr, "reencode: there is no weight type '%s'\n", argv[2]), 2;
} catch (const std::exception& e) {
  return fprintf(stderr, "reencode: %s\n", e.what()), 1;
}
