// puna verify: a checkpoint's arithmetic, block by block, against reference numbers: which is the first block that
// differs? A folder of reference numbers has a manifest.json that lists arrays with their tolerances (./dev golden
// explains ours).
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/os.h"
#include "npy.h"
#include "ops/inference.h"
#include "pictures.h"
#include "puna/base/error.h"
#include "puna/image/tiles.h"
#include "verbs.h"

namespace puna::cli {
namespace {

using Json = nlohmann::json;

struct VerifyFlags {
  ModelFlags model;
  std::string reference;
};

class Verifier {
 public:
  Verifier(ModelPtr model, const std::string& folder) : model_(std::move(model)), folder_(folder) {
    manifest_ = Json::parse(os::read_file(folder + "/manifest.json", 64 << 20));
    if (!manifest_.contains("arrays")) fail(Status::bad_file, "%s/manifest.json: it lists no arrays", folder.c_str());
  }

  // False when something differs; says what, and first of all the first.
  bool run() {
    check_tokens();
    check_layouts();
    check_vision();
    check_text();
    if (checked_ == 0)
      fail(Status::unsupported, "%s: none of its arrays belongs to a block that puna verify knows", folder_.c_str());
    print(first_.empty() ? "everything agrees: " + std::to_string(checked_) + " blocks\n"
                         : "the first block that differs: " + first_ + "\n");
    return first_.empty();
  }

 private:
  bool has(const char* name) const { return manifest_["arrays"].contains(name); }
  std::string path(const char* name) const {
    return folder_ + "/" + manifest_["arrays"][name]["file"].get<std::string>();
  }

  void report(const std::string& block, bool agrees, const std::string& detail) {
    print((agrees ? "ok      " : "DIFFERS ") + block + "  " + detail + "\n");
    ++checked_;
    if (!agrees && first_.empty()) first_ = block;
  }

  // Values of one block against (a part of) an array of the reference.
  void check(const char* name, const std::string& block, std::span<const float> got, size_t from = 0) {
    const Array want = read_npy(path(name));
    const Json& compare = manifest_["arrays"][name]["compare"];
    const double atol = compare.value("atol", 0.0), rtol = compare.value("rtol", 0.0);
    if (from + got.size() > want.values.size())
      return report(block, false, "other sizes: " + std::to_string(want.values.size()) + " values in the reference");
    double worst = 0;
    size_t at = 0, bad = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double w = want.values[from + i], error = std::abs(double(got[i]) - w);
      bad += !(error <= atol + rtol * std::abs(w));
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

  // 64-bit integers of an array.
  std::vector<int32_t> ids(const char* name) const {
    const std::string bytes = os::read_file(path(name), 1 << 30);
    if (bytes.size() < 10 || bytes.find("'<i8'") == bytes.npos)
      fail(Status::bad_file, "%s: expected 64-bit integers", path(name).c_str());
    const size_t start = 10 + (uint8_t(bytes[8]) | size_t(uint8_t(bytes[9])) << 8);
    std::vector<int32_t> out;
    for (size_t at = start; at + 8 <= bytes.size(); at += 8) {
      int64_t id;
      memcpy(&id, bytes.data() + at, 8);
      out.push_back(int32_t(id));
    }
    return out;
  }

  void check_tokens() {
    const Json facts = manifest_.value("facts", Json::object());
    if (!model_->tokenizer() || !facts.contains("special_token_ids")) return;
    std::string wrong;
    for (const auto& [name, id] : facts["special_token_ids"].items())
      if (model_->tokenizer()->find(name) != id.get<int32_t>()) wrong += " " + name;
    report("tokenizer: special tokens", wrong.empty(),
           wrong.empty() ? std::to_string(facts["special_token_ids"].size()) + " ids" : "not" + wrong);
  }

  void check_layouts() {
    if (!manifest_.contains("groups") || !manifest_["groups"].contains("layout_table")) return;
    const Json table = Json::parse(
        os::read_file(folder_ + "/" + manifest_["groups"]["layout_table"]["file"].get<std::string>(), 64 << 20));
    size_t wrong = 0;
    for (const Json& row : table) {
      TileSettings s;
      s.tile = row["tile"];
      s.max_tiles = row["max_tiles"];
      const TileLayout l = choose_layout(row["width"], row["height"], s);
      wrong += Json({l.rows, l.cols}) != row["tiles_hw"] || Json({l.height, l.width}) != row["resize_hw"];
    }
    report("image: tile layout", wrong == 0,
           std::to_string(table.size()) + " sizes, " + std::to_string(wrong) + " wrong");
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
    const Array pixels = read_npy(path("pixel_values_hf"));
    const int64_t T = int64_t(pixels.values.size()) / c.pixels(), N = c.positions(), D = c.hidden;
    const size_t layer = size_t(T * N * D);
    std::vector<float> patches(size_t(T * c.patches() * D)), pre(layer), layers(size_t(c.layers) * layer), post(layer),
        adapted(size_t(T * c.features() * c.adapter)), features(size_t(T * c.features() * c.text_hidden));
    const VisionTaps taps = {patches.data(), pre.data(), layers.data(), post.data(), adapted.data()};
    compute([&](Inference& rec) {
      tower.forward(rec, pixels.values.data(), T, View(features.data(), DType::f32, {T * c.features(), c.text_hidden}),
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
    std::vector<int32_t> all = ids("input_ids");
    all.resize(std::min(all.size(), manifest_["arrays"]["input_ids"]["shape"].back().get<size_t>()));
    const Prompt prompt = ImageFlags::prompt(*model_, all, images_);
    for (const ImagePtr& image : images_) image->encode();
    const LlamaConfig& c = model_->config();
    const int64_t R = int64_t(all.size());
    KvCache cache(c, model_->context().allocator(), DType::f32);
    cache.prepare(0, R);
    Batch batch;
    batch.sequences = {&cache};
    for (int64_t p = 0; p < R; ++p) {
      batch.rows.push_back({0, p, all[size_t(p)], nullptr});
      batch.wanted.push_back(p);
    }
    for (const Patches& run : prompt.patches)
      for (int64_t i = 0; i < run.count; ++i)
        batch.rows[size_t(run.position + i)].embedding = run.image->encoded() + (run.row + i) * c.hidden;
    std::vector<float> logits(size_t(R * c.vocab)), hidden(size_t(c.layers * R * c.hidden));
    ForwardTaps taps;
    taps.hidden = hidden.data();
    compute([&](Inference& rec) {
      model_->llama().forward(rec, batch, View(logits.data(), DType::f32, {R, c.vocab}), &taps);
    });
    const size_t layer = size_t(R * c.hidden);
    for (int64_t l = 0; l < c.layers && has("hidden_states"); ++l)
      check("hidden_states", "text: layer " + std::to_string(l), std::span(hidden).subspan(size_t(l) * layer, layer),
            size_t(l) * layer);
    check("logits", "text: logits", logits);
  }

  ModelPtr model_;
  std::string folder_, first_;
  Json manifest_;
  std::vector<ImagePtr> images_;
  size_t checked_ = 0;
};

}  // namespace

void add_verify(CLI::App& app) {
  const auto f = std::make_shared<VerifyFlags>();
  const Verb verb(app, "verify", "Compare a model's blocks with reference numbers and name the first that differs");
  f->model.add(verb);
  verb.option("--reference", f->reference, "the folder with manifest.json (default: the model's own folder)");
  verb.run([f] {
    const ModelPtr model = f->model.open();
    if (!Verifier(model, f->reference.empty() ? f->model.path : f->reference).run())
      fail(Status::bad_file, "%s: it does not compute what the reference did", f->model.path.c_str());
  });
}

}  // namespace puna::cli
