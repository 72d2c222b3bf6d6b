// Images in an engine's prompts: encoded in slices between passes, shared by what they show, cancelled in the middle.
// An answer is what its request gives alone.
#include "engine/engine_support.h"
#include "puna/base/error.h"
#include "puna/runtime/image.h"

using namespace puna;
using namespace puna::test;

namespace test_engine_images {
namespace {

bool sees(const Golden& g) {
  return g.has("pixel_values_hf") && g.has("logits") && g.manifest["facts"].contains("prompt");
}
const Golden& golden() {
  static const std::vector<Golden> all = goldens(sees);
  return all.front();
}

// A model with nothing encoded yet, and requests with the golden set's images.
struct Seeing {
  ModelPtr model;
  std::vector<ImagePtr> images;

  explicit Seeing(int threads = 2) {
    ContextOptions options;
    options.threads = threads;
    model = Model::open(make_context(options), golden().folder());
    const std::vector<float> pixels = golden().array("pixel_values_hf").f32();
    size_t at = 0;
    for (const auto& grid : golden().manifest["facts"]["aspect_ratios_hw"]) {
      const int64_t rows = grid[0], cols = grid[1], tiles = rows * cols + (rows * cols > 1);
      const size_t floats = size_t(tiles * model->require_vision().config.pixels());
      images.push_back(Image::from_pixels(model, std::span(pixels).subspan(at, floats), rows, cols));
      at += floats;
    }
  }

  // The golden prompt with its images, the last of them another one if `seed` is odd; and some text behind it.
  EngineRequestOptions request(uint32_t seed) const {
    EngineRequestOptions r = request_for(*model, 3 + seed, 12, seed);
    std::vector<ImagePtr> shown = images;
    if (seed % 2 == 1) shown.back() = changed(*images.back(), float(seed));
    const std::string text = golden().manifest["facts"]["prompt"];
    Prompt prompt = expand_images(*model, model->require_tokenizer().encode(text, true), shown);
    prompt.append(r.prompt);
    r.prompt = std::move(prompt);
    return r;
  }
  ImagePtr changed(const Image& image, float by) const {
    std::vector<float> pixels(image.pixels().begin(), image.pixels().end());
    for (float& p : pixels) p += 0.01f * by;
    return Image::from_pixels(model, pixels, image.rows(), image.cols());
  }
  bool encoded() const {
    return std::all_of(images.begin(), images.end(), [](const ImagePtr& i) { return i->encoded() != nullptr; });
  }
};

}  // namespace

TEST_CASE("requests with images answer in a batch, and from the cache, as each does alone", "[engine]") {
  const bool exact = GENERATE(false, true);
  const int threads = GENERATE(1, 3);
  CAPTURE(exact, threads);
  const Seeing seeing(threads);
  EngineOptions options;
  options.session = {exact, 0, 24};
  Engine engine(seeing.model, options);
  std::vector<EngineRequestOptions> asked;
  for (uint32_t i = 0; i < 5; ++i) asked.push_back(i == 2 ? request_for(*seeing.model, 40, 30, i) : seeing.request(i));
  const auto ask_all = [&] {
    std::vector<EngineRequestPtr> requests;
    for (const EngineRequestOptions& r : asked) requests.push_back(engine.submit(r));
    for (int i = 0; engine.step(i % 2 == 0 ? 200 : 0); ++i) REQUIRE(i < 100'000);
    return requests;
  };
  const std::vector<EngineRequestPtr> first = ask_all(), again = ask_all();
  const Seeing elsewhere(threads);  // the same pictures, encoded by sessions
  for (uint32_t i = 0; i < asked.size(); ++i) {
    CAPTURE(i);
    const EngineRequestOptions want = i == 2 ? request_for(*elsewhere.model, 40, 30, i) : elsewhere.request(i);
    const std::vector<int32_t> tokens = alone(elsewhere.model, want, options.session).tokens;
    for (const EngineRequestPtr& r : {first[i], again[i]}) {
      CHECK(r->info().message == "");
      CHECK(r->answers().at(0).result.tokens == tokens);
    }
    CHECK(again[i]->info().cached_tokens == int64_t(asked[i].prompt.tokens.size()) - 1);
  }
}

TEST_CASE("prefixes are shared up to the first image that differs", "[engine]") {
  const Seeing seeing;
  Engine engine(seeing.model, {});
  const EngineRequestOptions one = seeing.request(0), other = seeing.request(1);
  const int64_t same = shared_prefix(one.prompt, other.prompt);
  REQUIRE(same < int64_t(one.prompt.tokens.size()));
  run(engine, *engine.submit(one));
  const EngineRequestPtr second = engine.submit(other);
  CHECK(run(engine, *second).tokens.at(0) == alone(seeing.model, other, {}).tokens);
  CHECK(second->info().cached_tokens == same);
}

TEST_CASE("a request that is cancelled in the middle of an image ends at once, and touches no other", "[engine]") {
  const std::vector<int32_t> want_text = [] {
    const Seeing seeing;
    return alone(seeing.model, request_for(*seeing.model, 20, 60, 9), {}).tokens;
  }();
  const std::vector<int32_t> want_image = [] {
    const Seeing seeing;
    return alone(seeing.model, seeing.request(0), {}).tokens;
  }();
  int in_the_middle = 0;
  for (const int after : {1, 2, 4, 8, 16, 32, 64, 128, 256}) {
    CAPTURE(after);
    const Seeing seeing;
    EngineOptions options;
    options.max_running = 2;
    Engine engine(seeing.model, options);
    const EngineRequestPtr text = engine.submit(request_for(*seeing.model, 20, 60, 9));
    const EngineRequestPtr gone = engine.submit(seeing.request(0)), shares = engine.submit(seeing.request(0));
    for (int i = 0; i < after; ++i) engine.step(1);  // a tile or two
    in_the_middle += !seeing.encoded();
    gone->cancel();
    engine.step(1);
    CHECK(gone->ended());
    CHECK((gone->info().outcome == EngineOutcome::cancelled || gone->info().outcome == EngineOutcome::finished));
    for (int i = 0; engine.step(); ++i) REQUIRE(i < 10'000);
    CHECK(text->answers().at(0).result.tokens == want_text);
    CHECK(shares->answers().at(0).result.tokens == want_image);  // the picture that both showed
    const EngineRequestPtr later = engine.submit(seeing.request(0));
    CHECK(run(engine, *later).tokens.at(0) == want_image);
    CHECK(engine.stats().running + engine.stats().queued == 0);
  }
  CHECK(in_the_middle >= 3);
}

TEST_CASE("a deadline ends a request whose image is being encoded", "[engine]") {
  const Seeing seeing;
  Engine engine(seeing.model, {});
  EngineRequestOptions late = seeing.request(0);
  late.deadline_us = 300;
  const EngineRequestPtr request = engine.submit(late);
  for (int i = 0; engine.step(1); ++i) REQUIRE(i < 100'000);
  CHECK(request->info().outcome == EngineOutcome::deadline);
  CHECK(run(engine, *engine.submit(seeing.request(0))).tokens.at(0) ==
        alone(seeing.model, seeing.request(0), {}).tokens);
}

}  // namespace test_engine_images
