// Pictures through the C ABI: prepared, encoded, in prompts, in generations; every refusal a sentence.
#include <puna_vision.h>

#include <algorithm>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

using ImageHandle = std::unique_ptr<puna_image, Free<puna_image_free>>;

bool sees(const Golden& g) {
  return g.has("pixel_values_hf") && g.has("logits") && g.manifest["facts"].contains("prompt");
}

struct Seeing {
  Golden golden = goldens(sees).front();
  ModelHandle model = open_model(golden.folder());
  std::vector<ImageHandle> images;
  std::vector<const puna_image*> list;

  Seeing() {
    const std::vector<float> pixels = golden.array("pixel_values_hf").f32();
    size_t at = 0;
    for (const auto& grid : golden.manifest["facts"]["aspect_ratios_hw"]) {
      const int32_t rows = grid[0], columns = grid[1], tiles = rows * columns + (rows * columns > 1);
      const size_t floats = size_t(tiles) * 3 * size_t(info().image_tile) * size_t(info().image_tile);
      puna_image* image = nullptr;
      ok(puna_image_create_from_pixels(model.get(), pixels.data() + at, floats, rows, columns, &image));
      images.emplace_back(image);
      list.push_back(image);
      at += floats;
    }
  }
  puna_model_info info() const {
    auto i = sized<puna_model_info>();
    ok(puna_model_get_info(model.get(), &i));
    return i;
  }
  std::string text() const { return golden.manifest["facts"]["prompt"]; }
  std::vector<int32_t> text_ids() const { return ids_of(text()); }
  // The position of the last token that an image fills; -1: none.
  int64_t last_patch(const std::vector<int32_t>& expanded) const {
    const std::vector<int32_t> patch = ids_of("<|patch|>");
    REQUIRE(patch.size() == 1);
    return int64_t(expanded.rend() - std::find(expanded.rbegin(), expanded.rend(), patch[0])) - 1;
  }
  std::vector<int32_t> ids_of(const std::string& text) const {
    auto options = sized<puna_encode_options>();
    options.parse_special = 1;
    return encode(model, text, &options);
  }
};

}  // namespace

TEST_CASE("images report their layout, tokens and features", "[capi][golden]") {
  const Seeing m;
  std::vector<float> features;
  for (const ImageHandle& image : m.images) {
    auto info = sized<puna_image_info>();
    ok(puna_image_get_info(image.get(), &info));
    CHECK(info.encoded == 0);
    CHECK(info.features == int64_t(info.tiles) * m.info().image_tile_rows);
    size_t tokens = 0, count = 0, floats = 0;
    const int32_t* ids = nullptr;
    const float *pixels = nullptr, *rows = nullptr;
    ok(puna_image_get_tokens(image.get(), &ids, &tokens));
    CHECK(int64_t(tokens) == info.tokens);
    ok(puna_image_get_pixels(image.get(), &pixels, &count));
    CHECK(int64_t(count) == int64_t(info.tiles) * 3 * info.tile * info.tile);
    ok(puna_image_encode(image.get(), &rows, &floats));
    CHECK(floats == size_t(info.features) * size_t(info.hidden));
    features.insert(features.end(), rows, rows + floats);
    ok(puna_image_get_info(image.get(), &info));
    CHECK(info.encoded == 1);
  }
  m.golden.check("projected_features", features);
}

TEST_CASE("prompts with images give the reference's logits, expanded by us or already", "[capi][golden]") {
  const Seeing m;
  const std::vector<int64_t> wide = m.golden.array("input_ids").i64();
  const std::vector<int32_t> expanded(wide.begin(), wide.end());
  const int64_t cut = m.last_patch(expanded);  // where it is: the last image is not whole
  REQUIRE(cut > 0);
  for (const std::vector<int32_t>& ids : {m.text_ids(), expanded}) {
    const SessionHandle session = make_session(m.model, /*exact=*/true);
    std::vector<float> logits(expanded.size() * size_t(m.info().vocabulary));
    puna_append_options options = wanting_logits(logits);
    options.images = m.list.data();
    options.image_count = m.list.size();
    options.logits_capacity -= 1;
    refused(puna_session_append(session.get(), ids.data(), ids.size(), &options, nullptr), PUNA_INVALID_ARGUMENT,
            "floats");
    options.logits_capacity += 1;
    const int64_t size = int64_t(expanded.size());
    auto result = sized<puna_append_result>();
    ok(puna_session_append(session.get(), ids.data(), ids.size(), &options, &result));
    CHECK((result.kept == 0 && result.appended == size));
    m.golden.check("logits", logits);
    options.logits = nullptr;
    options.keep_shared = 1;
    ok(puna_session_plan_append(session.get(), ids.data(), ids.size(), &options, &result));
    CHECK((result.kept == size - 1 && result.appended == 1));
    ok(puna_session_truncate(session.get(), cut));
    ok(puna_session_append(session.get(), ids.data(), ids.size(), &options, &result));
    CHECK((result.kept == cut && result.appended == size - cut));
    options.keep_shared = 0;
    const SessionHandle stepped = make_session(m.model, /*exact=*/true);
    ok(puna_session_begin(stepped.get(), ids.data(), ids.size(), &options));
    int32_t finished = 0;
    while (!finished) ok(puna_session_step(stepped.get(), 50, &finished));
    const float *a = nullptr, *b = nullptr;
    ok(puna_session_get_logits(session.get(), &a, nullptr));
    ok(puna_session_get_logits(stepped.get(), &b, nullptr));
    CHECK(std::equal(a, a + m.info().vocabulary, b));
  }
}

TEST_CASE("generations take images, whole and in steps", "[capi][golden]") {
  const Seeing m;
  const std::vector<int64_t> want = m.golden.array("greedy_tokens").i64();
  auto options = sized<puna_generate_options>();
  options.max_tokens = int64_t(want.size());
  options.ignore_eos = 1;
  options.parse_special = 1;
  options.images = m.list.data();
  options.image_count = m.list.size();
  std::vector<int64_t> got;
  const auto collect = [](void* to, const puna_generated_token* t) -> int32_t {
    static_cast<std::vector<int64_t>*>(to)->push_back(t->id);
    return 0;
  };
  const SessionHandle session = make_session(m.model, /*exact=*/true);
  ok(puna_session_generate(session.get(), m.text().data(), m.text().size(), &options, collect, &got, nullptr));
  CHECK(got == want);
  const SessionHandle other = make_session(m.model, /*exact=*/true);
  puna_generation* raw = nullptr;
  ok(puna_generation_create(other.get(), m.text().data(), m.text().size(), &options, &raw));
  const GenerationHandle generation(raw);
  std::vector<int64_t> stepped;
  for (int32_t state = 0; state != PUNA_GENERATION_ENDED;) {
    auto token = sized<puna_generated_token>();
    ok(puna_generation_step(raw, 100, &token, &state));
    if (state == PUNA_GENERATION_TOKEN) stepped.push_back(token.id);
  }
  CHECK(stepped == want);
  options.image_count = 1;
  refused(puna_session_generate(session.get(), m.text().data(), m.text().size(), &options, nullptr, nullptr, nullptr),
          PUNA_INVALID_ARGUMENT, "<|image|>");
}

TEST_CASE("raw pixels of a game become an image; wrong ones are refused", "[capi]") {
  const Seeing m;
  std::vector<uint8_t> rgb(100 * 40 * 3 + 64, 128);
  puna_image* raw = nullptr;
  ok(puna_image_create(m.model.get(), rgb.data(), 100, 40, 0, &raw));
  const ImageHandle tight(raw);
  ok(puna_image_create(m.model.get(), rgb.data(), 99, 40, 300, &raw));
  const ImageHandle strided(raw);
  for (const auto& [width, height, stride] : {std::tuple<int64_t, int64_t, int64_t>{0, 4, 0},
                                              {4, -1, 0},
                                              {70000, 4, 0},
                                              {4, INT64_MAX, 0},
                                              {60000, 60000, 0}})
    refused(puna_image_create(m.model.get(), rgb.data(), width, height, stride, &raw), PUNA_UNSUPPORTED, "pixels");
  refused(puna_image_create(m.model.get(), rgb.data(), 10, 10, 29, &raw), PUNA_INVALID_ARGUMENT, "stride");
  const float few[3] = {0};
  refused(puna_image_create_from_pixels(m.model.get(), few, 3, 1, 1, &raw), PUNA_INVALID_ARGUMENT, "floats");
  refused(puna_image_create_from_pixels(m.model.get(), few, 3, 100, 100, &raw), PUNA_INVALID_ARGUMENT, "grid");
  auto options = sized<puna_model_options>();
  options.no_vision = 1;
  puna_model* blind = nullptr;
  ok(puna_model_open(nullptr, m.golden.folder().c_str(), &options, &blind));
  const ModelHandle text(blind);
  refused(puna_image_create(blind, rgb.data(), 10, 10, 0, &raw), PUNA_UNSUPPORTED, "vision");
}
