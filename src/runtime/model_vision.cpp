// model_vision.cpp -- the parts of a model that see: the encoder's weights, how pictures are cut for it, the tokens that stand for an image.
#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "puna/base/error.h"
#include "puna/runtime/model.h"
#include "runtime/folder_texts.h"
#include "runtime/image_cache.h"
#include "runtime/load_vision.h"

namespace puna {
namespace {

constexpr int64_t kMostTiles = 64;

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

// Of the image processor's JSON. Error{bad_file} or {unsupported} naming the field.
void read_settings(TileSettings& s, const Json& json) {
  const auto number = [&](const char* key, double low, double high, double usual) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return usual;
    if (!it->is_number() || !(it->get<double>() >= low && it->get<double>() <= high))
      fail(Status::bad_file, "image processor: '%s' is no number from %g to %g", key, low, high);
    return it->get<double>();
  };
  const auto flag = [&](const char* key, bool usual) {
    const auto it = json.find(key);
    return it != json.end() && it->is_boolean() ? it->get<bool>() : usual;
  };
  const auto channels = [&](const char* key, double (&values)[3], double low, double high) {
    const auto it = json.find(key);
    if (it == json.end() || it->is_null()) return;
    if (!it->is_array() || it->size() != 3) fail(Status::bad_file, "image processor: '%s' is no list of three numbers", key);
    for (size_t i = 0; i < 3; ++i) {
      const Json& v = (*it)[i];
      if (!v.is_number() || !(v.get<double>() >= low && v.get<double>() <= high))
        fail(Status::bad_file, "image processor: '%s'[%zu] is no number from %g to %g", key, i, low, high);
      values[i] = v.get<double>();
    }
  };
  if (const auto size = json.find("size"); size != json.end() && size->is_object())
    for (const char* side : {"height", "width"}) {
      const auto it = size->find(side);
      if (it != size->end() && (!it->is_number_integer() || it->get<int64_t>() != s.tile))
        fail(Status::unsupported, "image processor: size.%s is %.40s, the vision encoder takes %lld", side, it->dump().c_str(), static_cast<long long>(s.tile));
    }
  s.max_tiles = int64_t(number("max_patches", 1, double(kMostTiles), double(s.max_tiles)));
  s.rescale = number("rescale_factor", 1e-9, 1e9, s.rescale);
  channels("image_mean", s.mean, -1e6, 1e6);
  channels("image_std", s.deviation, 1e-6, 1e6);
  s.to_max_canvas = flag("resize_to_max_canvas", s.to_max_canvas);
  for (const char* step : {"do_resize", "do_rescale", "do_normalize"})
    if (!flag(step, true)) fail(Status::unsupported, "image processor: '%s' is false, which is not supported", step);
  if (number("resample", 0, 5, 2) != 2) fail(Status::unsupported, "image processor: 'resample' is not 2 (bilinear), which is not supported");
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
  const auto channels = [&](const char* key, double (&values)[3]) {
    const std::vector<double>* list = loaded.projector.numbers(key);
    if (!list) return;
    if (list->size() != 3) fail(Status::bad_file, "%s: metadata '%s' has %zu values, expected 3", options.projector_path.c_str(), key, list->size());
    std::copy(list->begin(), list->end(), values);
  };
  channels("clip.vision.image_mean", tile_settings_.mean);
  channels("clip.vision.image_std", tile_settings_.deviation);
}

void Model::read_image_settings(const Watch& watch) {
  if (!vision_) return;
  try {
    const std::string text = image_processor_of_folder(checkpoint_.folder);
    if (!text.empty()) {
      Json json = parse_json(text, "image processor", watch);
      const JsonGuard guard(json);
      const auto nested = json.find("image_processor");
      read_settings(tile_settings_, nested != json.end() && nested->is_object() ? *nested : json);
    }
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
