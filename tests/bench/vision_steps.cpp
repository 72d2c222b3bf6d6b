// vision_steps.cpp -- Puna's side of vision_peers.py: opens a model with a vision encoder and a file of f32 pixels
// [tiles,3,H,W], then answers each line on its input with the seconds that encoding all tiles took, tile by tile as
// sessions do; features go to a file at the end.
//   vision_steps MODEL PIXELS FEATURES [--threads 2] [--providers onednn] [--bf16]
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "base/os.h"
#include "bench/bench_options.h"
#include "model/forward.h"
#include "ops/inference.h"

using namespace puna;

namespace {

void run(const bench::Words& words) {
  PUNA_REQUIRE(words.rest.size() == 3, "expected MODEL PIXELS FEATURES");
  const ContextPtr context = bench::context_of(words);
  const ModelPtr model = Model::open(context, words.rest[0]);
  PUNA_REQUIRE(model->vision() != nullptr, "the model has no vision encoder");
  const VisionTower& tower = *model->vision();
  const VisionConfig& c = tower.config;
  const std::string bytes = os::read_file(words.rest[1], uint64_t(1) << 30);
  std::vector<float> pixels(bytes.size() / 4);
  memcpy(pixels.data(), bytes.data(), pixels.size() * 4);
  const int64_t tiles = int64_t(pixels.size()) / c.pixels(), values = c.features() * c.text_hidden;
  std::vector<float> features(size_t(tiles * values));
  const auto encode = [&](Arena& arena, int64_t tile) {
    Cursor cursor;
    Inference rec(context->kernels(), context->executor(), arena, cursor, /*exact=*/true, {});
    rec.allow(context->permission());
    forward(rec, tower, pixels.data() + tile * c.pixels(), 1,
            View(features.data() + tile * values, DType::f32, {c.features(), c.text_hidden}));
  };
  Arena measure;
  encode(measure, 0);
  Buffer scratch = context->allocate(measure.peak(), "scratch");
  puts("{\"ready\": true}");
  fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    for (int64_t tile = 0; tile < tiles; ++tile) {
      Arena arena(scratch.data(), scratch.size());
      encode(arena, tile);
    }
    printf("{\"seconds\": %.5f, \"tiles\": %jd}\n",
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), tiles);
    fflush(stdout);
  }
  FILE* const out = fopen(words.rest[2].c_str(), "wb");
  PUNA_REQUIRE(out && fwrite(features.data(), 4, features.size(), out) == features.size(), "cannot write %s",
               words.rest[2].c_str());
  fclose(out);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(bench::Words(argc, argv, "--threads --providers --isa"));
  } catch (const Error& e) {
    fprintf(stderr, "vision_steps: %s\n", e.what());
    return 1;
  }
}
