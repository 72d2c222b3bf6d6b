// model_vision.cpp -- the parts of a model that see: the encoder's weights, how pictures are cut for it, the tokens that stand for an image.
#include <algorithm>

#include "base/hash.h"
#include "puna/base/error.h"
#include "puna/runtime/model.h"
#include "runtime/folder_texts.h"
#include "runtime/image_cache.h"
#include "runtime/image_settings.h"
#include "runtime/load_vision.h"

namespace puna {
namespace {

// The numbers of the configuration and a piece of some weights: enough to tell encoders apart that somebody might mix up.
uint64_t identify(const VisionTower& tower) {
  const VisionConfig& c = tower.config;
  Hash h;
  for (const int64_t n : {c.layers, c.hidden, c.heads, c.ffn, c.tile, c.patch, c.shuffle, c.adapter, c.text_hidden}) h.add_value(n);
  h.add_value(c.norm_eps);
  h.add_value(c.rope_theta);
  const auto add = [&](const Weight& w) { h.add(w.panels, size_t(std::min<int64_t>(w.panel_bytes, 4096))); };
  for (const Weight& w : {tower.weights.patch, tower.weights.positions, tower.weights.adapter_in, tower.weights.projector}) add(w);
  for (const VisionLayer& layer : tower.weights.layers) add(layer.wq.w);
  return h.value();
}

}  // namespace

void Model::read_vision(bool mapped, LoadProgress progress, const VisionOptions& options) {
  const uint64_t limit = context_->allocator()->limit(), usual = uint64_t(256) << 20;
  const uint64_t own = limit == 0 ? usual : std::min(usual, limit / 8);
  image_cache_ = std::make_unique<ImageCache>(options.cache_bytes == VisionOptions::kOwnBudget ? own : options.cache_bytes);
  if (!options.load) return;
  LoadedVision loaded;
  uint64_t total = 0;  // the text model counted every tensor as done: from here on the host is only asked whether to go on
  for (const TensorEntry& t : checkpoint_.tensors.entries()) total += t.bytes;
  const auto go_on = [&](uint64_t, uint64_t) { return progress(total, total); };
  watched(progress ? LoadProgress(go_on) : LoadProgress(), [&](const Context& in, LoadProgress told) {
    loaded = load_vision(in, checkpoint_, options.projector_path, config().hidden, mapped, told);
  });
  vision_ = std::move(loaded.tower);
  vision_error_ = std::move(loaded.why_not);
  if (!vision_) return;
  vision_id_ = identify(*vision_);
  tile_settings_.tile = vision_->config.tile;
  if (!options.projector_path.empty()) read_tile_settings(tile_settings_, loaded.projector, options.projector_path);
}

void Model::read_image_settings(const Watch& watch) {
  if (!vision_) return;
  try {
    const std::string text = image_processor_of_folder(checkpoint_.folder);
    if (!text.empty()) read_tile_settings(tile_settings_, text, watch);
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    vision_error_ = e.what();
    vision_.reset();
    return;
  }
  if (!tokenizer_) return;
  image_tokens_ = {tokenizer_->find("<|image_start|>"),       tokenizer_->find("<|image_end|>"),        tokenizer_->find("<|image|>"),
                   tokenizer_->find("<|patch|>"),             tokenizer_->find("<|tile_x_separator|>"), tokenizer_->find("<|tile_y_separator|>")};
  const int64_t stated = checkpoint_.metadata.integer("image_token_index", 0, config().vocab - 1, image_tokens_.patch);
  if (image_tokens_.patch >= 0 && stated != image_tokens_.patch)
    fail(Status::bad_file, "config.json: image_token_index is %lld, but the tokenizer's <|patch|> is %d", static_cast<long long>(stated), image_tokens_.patch);
}

const VisionTower& Model::require_vision() const {
  if (!vision_) fail(Status::unsupported, "%s", vision_error_.empty() ? "the model has no vision encoder" : vision_error_.c_str());
  return *vision_;
}

const ImageTokens& Model::require_image_tokens() const {
  require_vision();
  const ImageTokens& t = image_tokens_;
  const std::pair<int32_t, const char*> all[] = {{t.start, "<|image_start|>"}, {t.end, "<|image_end|>"},
                                                 {t.image, "<|image|>"},       {t.patch, "<|patch|>"},
                                                 {t.column_separator, "<|tile_x_separator|>"}, {t.row_separator, "<|tile_y_separator|>"}};
  for (const auto& [id, name] : all)
    if (id < 0) fail(Status::unsupported, "the model's tokenizer has no %s", name);
  return t;
}

}  // namespace puna
