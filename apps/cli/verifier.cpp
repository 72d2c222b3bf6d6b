#include "verifier.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "model/forward.h"
#include "ops/inference.h"
#include "puna/base/error.h"
#include "puna/image/tiles.h"
#include "puna/runtime/image.h"
#include "reference.h"

namespace puna::cli {
namespace {

class Verifier {
 public:
  Verifier(ModelPtr model, const std::string& folder, FunctionRef<void(const std::string&)> print)
      : model_(std::move(model)), folder_(folder), reference_(folder), print_(print) {}

  // False when something differs; says what, and first of all the first.
  bool run() {
    check_tokens();
    check_layouts();
    check_vision();
    check_text();
    if (checked_ == 0)
      fail(Status::unsupported, "%s: none of its arrays belongs to a block that puna verify knows", folder_.c_str());
    print_(first_.empty() ? "everything agrees: " + std::to_string(checked_) + " blocks\n"
                          : "the first block that differs: " + first_ + "\n");
    return first_.empty();
  }

 private:
  bool has(const char* name) const { return reference_.has(name); }

  void report(const std::string& block, bool agrees, const std::string& detail) {
    print_((agrees ? "ok      " : "DIFFERS ") + block + "  " + detail + "\n");
    ++checked_;
    if (!agrees && first_.empty()) first_ = block;
  }

  // Values of one block against (a part of) an array of the reference.
  void check(const char* name, const std::string& block, std::span<const float> got, size_t from = 0) {
    const Array want = reference_.read(name);
    const Tolerance tolerance = reference_.tolerance(name);
    if (from + got.size() > want.values.size())
      return report(block, false, "other sizes: " + std::to_string(want.values.size()) + " values in the reference");
    double worst = 0;
    size_t at = 0, bad = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double w = want.values[from + i], error = std::abs(double(got[i]) - w);
      bad += !(error <= tolerance.absolute + tolerance.relative * std::abs(w));
      if (error > worst || std::isnan(error)) {
        worst = error;
        at = i;
      }
    }
    char text[200];
    snprintf(text, sizeof text, "largest difference %.2g at %zu%s", worst, at,
             bad ? (", " + std::to_string(bad) + " beyond the tolerance").c_str() : "");
    report(block, bad == 0, text);
  }

  void check_tokens() {
    const text::JsonField ids = reference_.facts()["special_token_ids"];
    if (!model_->tokenizer() || ids.is_null()) return;
    if (!ids.is_object()) ids.expected("an object");
    std::string wrong;
    for (const auto& [name, id] : ids.json().items())
      if (model_->tokenizer()->find(name) != ids[name.c_str()].integer(0, INT32_MAX)) wrong += " " + name;
    report("tokenizer: special tokens", wrong.empty(),
           wrong.empty() ? std::to_string(ids.json().size()) + " ids" : "not" + wrong);
  }

  void check_layouts() {
    const std::string text = reference_.group("layout_table");
    if (text.empty()) return;
    Json json = parse_json(text, "the layout table");
    const JsonGuard guard(json);
    const text::JsonField table(json, "the layout table: ");
    size_t wrong = 0;
    for (size_t i = 0; i < table.size(); ++i) wrong += !same_layout(table[i]);
    report("image: tile layout", wrong == 0,
           std::to_string(table.size()) + " sizes, " + std::to_string(wrong) + " wrong");
  }

  static bool same_layout(const text::JsonField& row) {
    constexpr int64_t kMostTiles = 256;
    TileSettings s;
    s.tile = row["tile"].integer(1, kMaxPictureSide);
    s.max_tiles = row["max_tiles"].integer(1, kMostTiles);
    const TileLayout l =
        choose_layout(row["width"].integer(1, kMaxPictureSide), row["height"].integer(1, kMaxPictureSide), s);
    return Json({l.rows, l.cols}) == row["tiles_hw"].json() && Json({l.height, l.width}) == row["resize_hw"].json();
  }

  // Runs pass(recorder) as a measured and then a real pass.
  template <class Pass>
  void compute(Pass&& pass) const {
    const Context& context = model_->context();
    Arena measure;
    Cursor none;
    Inference dry(context.kernels(), context.executor(), measure, none, /*exact=*/true, {});
    pass(dry);
    Buffer scratch = context.allocate(measure.peak(), "scratch");
    Arena arena(scratch.data(), scratch.size());
    Cursor cursor;
    Inference rec(context.kernels(), context.executor(), arena, cursor, /*exact=*/true, {});
    pass(rec);
  }

  void check_vision() {
    if (!model_->vision() || !has("pixel_values_hf")) return;
    const VisionTower& tower = *model_->vision();
    const VisionConfig& c = tower.config;
    const Array pixels = reference_.read_tiles("pixel_values_hf", c.tile);
    const int64_t T = pixels.shape[0], N = c.positions(), D = c.hidden;
    const size_t layer = size_t(T * N * D);
    std::vector<float> patches(size_t(T * c.patches() * D)), pre(layer), layers(size_t(c.layers) * layer), post(layer),
        adapted(size_t(T * c.features() * c.adapter)), features(size_t(T * c.features() * c.text_hidden));
    const VisionTaps taps = {patches.data(), pre.data(), layers.data(), post.data(), adapted.data()};
    compute([&](Inference& rec) {
      forward(rec, tower, pixels.values.data(), T, View(features.data(), DType::f32, {T * c.features(), c.text_hidden}),
              &taps);
    });
    if (has("patch_embedding")) check("patch_embedding", "vision: patch embedding", patches);
    if (has("ln_pre")) check("ln_pre", "vision: first norm", pre);
    for (int64_t l = 0; l < c.layers && has("vision_layers"); ++l)
      check("vision_layers", "vision: layer " + std::to_string(l), std::span(layers).subspan(size_t(l) * layer, layer),
            size_t(l) * layer);
    if (has("ln_post")) check("ln_post", "vision: last norm", post);
    if (has("image_features")) check("image_features", "vision: adapter", adapted);
    if (has("projected_features")) check("projected_features", "vision: projector", features);
    for (int64_t t = 0; t < T; ++t)
      images_.push_back(Image::from_pixels(
          model_, std::span(pixels.values).subspan(size_t(t * c.pixels()), size_t(c.pixels())), 1, 1));
  }

  // The first sequence of input_ids, with what its images fill.
  void check_text() {
    if (!has("input_ids") || !has("logits")) return;
    const LlamaConfig& c = model_->config();
    const Prompt prompt = prompt_with_images(*model_, reference_.read_ids("input_ids", c.vocab), images_);
    for (const ImagePtr& image : images_) image->encode();
    const int64_t R = int64_t(prompt.tokens.size());
    if (R > c.max_positions || reference_.read("logits").values.size() < size_t(R) * size_t(c.vocab))
      fail(Status::bad_file, "%s: %jd token ids, more than the model has positions (%jd) or 'logits' has rows",
           folder_.c_str(), R, c.max_positions);
    KvCache cache(c, model_->context().allocator(), DType::f32);
    cache.prepare(0, R);
    Batch batch;
    batch.sequences = {&cache};
    for (int64_t p = 0; p < R; ++p) {
      batch.rows.push_back({0, p, prompt.tokens[size_t(p)], nullptr});
      batch.wanted.push_back(p);
    }
    for (const Patches& run : prompt.patches)
      for (int64_t i = 0; i < run.count; ++i)
        batch.rows[size_t(run.position + i)].embedding = run.image->encoded() + (run.row + i) * c.hidden;
    // of a model with several residual streams, all of them
    const char* const states = c.streams > 1 ? "altup_hidden_states" : "hidden_states";
    std::vector<float> logits(size_t(R * c.vocab)), hidden(size_t(c.layers * c.streams * R * c.hidden));
    ForwardTaps taps;
    taps.hidden = hidden.data();
    compute([&](Inference& rec) {
      forward(rec, model_->llama(), batch, View(logits.data(), DType::f32, {R, c.vocab}), &taps);
    });
    const size_t layer = size_t(c.streams * R * c.hidden);
    for (int64_t l = 0; l < c.layers && has(states); ++l)
      check(states, "text: layer " + std::to_string(l), std::span(hidden).subspan(size_t(l) * layer, layer),
            size_t(l) * layer);
    check("logits", "text: logits", logits);
  }

  ModelPtr model_;
  std::string folder_, first_;
  Reference reference_;
  FunctionRef<void(const std::string&)> print_;
  std::vector<ImagePtr> images_;
  size_t checked_ = 0;
};

}  // namespace

bool verify(const ModelPtr& model, const std::string& folder, FunctionRef<void(const std::string&)> print) {
  return Verifier(model, folder, print).run();
}

}  // namespace puna::cli
