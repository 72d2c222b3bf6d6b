#include "verifier.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

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
    TextBlocks got(c, R);
    compute([&](Inference& rec) {
      forward(rec, model_->llama(), batch, View(got.logits.data(), DType::f32, {R, c.vocab}), &got.taps);
    });
    check_frequencies(c);
    check_layers(c, R, got);
  }

  // What a pass leaves behind, block by block. Attention and feed-forward are what they add to the residual stream.
  struct TextBlocks {
    TextBlocks(const LlamaConfig& c, int64_t R)
        : moe(std::count(c.is_moe.begin(), c.is_moe.end(), 1)),
          logits(size_t(R * c.vocab)),
          embedded(size_t(R * c.hidden)),
          after(size_t(c.layers * R * c.hidden)),
          hidden(size_t(c.layers * c.streams * R * c.hidden)),
          norm(embedded.size()),
          router(size_t(moe * R * c.experts)),
          scores(size_t(moe * R * c.experts_per_token)),
          experts(scores.size()) {
      taps.embedded = embedded.data();
      taps.after_attention = after.data();
      taps.hidden = hidden.data();
      taps.final_norm = norm.data();
      if (moe == 0) return;
      taps.router_logits = router.data();
      taps.router_experts = experts.data();
      taps.router_scores = scores.data();
    }
    int64_t moe;  // layers that are mixtures
    std::vector<float> logits, embedded, after, hidden, norm, router, scores;
    std::vector<int32_t> experts;
    ForwardTaps taps;
  };

  void check_frequencies(const LlamaConfig& c) {
    const auto table = [&](const char* name, const char* block, const std::vector<float>& got) {
      if (has(name)) check(name, block, got);
    };
    table("rope_inv_freq", "text: RoPE frequencies", c.inverse_frequency);
    table("rope_inv_freq_local", "text: RoPE frequencies of sliding layers", c.local_frequency);
    table("rope_inv_freq_long", "text: RoPE frequencies of long sequences", c.long_frequency);
  }

  static std::string kind_of(const LlamaConfig& c, int64_t l) {
    std::string kind = c.sliding(l) ? "sliding window" : c.chunked(l) ? "chunks" : "full";
    return c.uses_rope[size_t(l)] ? kind : kind + ", no RoPE";
  }

  void check_layers(const LlamaConfig& c, int64_t R, const TextBlocks& got) {
    if (has("embeddings")) check("embeddings", "text: embeddings", got.embedded);
    const size_t layer = size_t(R * c.hidden);
    std::vector<float> added(layer);
    int64_t mixture = 0;
    if (c.streams > 1) {  // several residual streams: all of them, and no block alone makes the next
      const size_t all = layer * size_t(c.streams);
      for (int64_t l = 0; l < c.layers && has("altup_hidden_states"); ++l)
        check("altup_hidden_states", "text: layer " + std::to_string(l),
              std::span(got.hidden).subspan(size_t(l) * all, all), size_t(l) * all);
    }
    for (int64_t l = 0; l < c.layers && c.streams == 1; ++l) {
      const size_t at = size_t(l) * layer;
      const std::string name = "text: layer " + std::to_string(l);
      const float *const before = l > 0 ? &got.hidden[at - layer] : got.embedded.data(), *const middle = &got.after[at],
                         *const out = &got.hidden[at];
      if (has("attn_out")) {
        std::transform(middle, middle + layer, before, added.begin(), std::minus<>());
        check("attn_out", name + ", attention (" + kind_of(c, l) + ")", added, at);
      }
      if (c.is_moe[size_t(l)]) check_router(c, R, got, mixture++, name);
      if (has("ffn_out")) {
        std::transform(out, out + layer, middle, added.begin(), std::minus<>());
        check("ffn_out", name + (c.is_moe[size_t(l)] ? ", experts" : ", feed-forward"), added, at);
      }
      if (has("hidden_states")) check("hidden_states", name, std::span(out, layer), at);
    }
    if (has("final_norm")) check("final_norm", "text: last norm", got.norm);
    check("logits", "text: logits", got.logits);
  }

  // `mixture`: its number among the layers that are mixtures.
  void check_router(const LlamaConfig& c, int64_t R, const TextBlocks& got, int64_t mixture, const std::string& name) {
    const size_t all = size_t(R * c.experts), chosen = size_t(R * c.experts_per_token), at = size_t(mixture);
    if (has("router_logits"))
      check("router_logits", name + ", router", std::span(got.router).subspan(at * all, all), at * all);
    if (has("router_experts")) {
      const std::vector<int64_t> want = reference_.read_integers("router_experts").values;
      size_t wrong = 0;
      for (size_t i = at * chosen; i < (at + 1) * chosen; ++i) wrong += i >= want.size() || want[i] != got.experts[i];
      report(name + ", choice of experts", wrong == 0,
             std::to_string(chosen) + " choices, " + std::to_string(wrong) + " others");
    }
    if (has("router_scores"))
      check("router_scores", name + ", scores of experts", std::span(got.scores).subspan(at * chosen, chosen),
            at * chosen);
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
