#include "runtime/images/image_encoding.h"

#include <algorithm>

#include "base/fp_env.h"
#include "kernels/kernel_table.h"
#include "model/forward.h"
#include "puna/base/error.h"
#include "runtime/images/image_cache.h"

namespace puna {

int64_t ImageEncoding::group() const noexcept {
  constexpr int64_t kRows = 1024;  // positions of a pass: enough for full speed, and few enough for the scratch
  const int64_t most = std::max<int64_t>(1, kRows / image_->model().vision()->config.positions());
  return std::min(most, image_->tiles() - done_);
}

bool ImageEncoding::forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop) const {
  const Model& model = image_->model();
  const VisionTower& tower = *model.vision();
  const int64_t hidden = tower.config.text_hidden, rows = tower.config.features();
  // Always in f32: one encoding serves sessions of both modes.
  Inference rec(model.context().kernels(), model.context().executor(), arena, cursor, /*exact=*/true, stop);
  rec.allow(model.context().permission());
  float* const to = reinterpret_cast<float*>(features_->data()) + done_ * rows * hidden;
  puna::forward(rec, tower, image_->pixels().data() + done_ * tower.config.pixels(), group(),
                View(to, DType::f32, {group() * rows, hidden}));
  return rec.finished();
}

void ImageEncoding::begin() {
  const Context& context = image_->model().context();
  const size_t bytes = size_t(image_->features() * image_->model().vision()->config.text_hidden) * sizeof(float);
  const auto take = [&] {
    features_ = std::make_shared<Buffer>(context.allocate(bytes, "an image's features"));
    Arena measure;
    Cursor nowhere;
    forward(measure, nowhere, {});
    scratch_ = context.allocate(measure.peak(), "scratch of the vision encoder");
  };
  try {
    take();
  } catch (const Error& e) {
    features_.reset();
    if (e.status() != Status::out_of_memory || image_->model().image_cache().bytes() == 0) throw;
    image_->model().image_cache().clear();  // what is only kept in case gives way to what is needed
    try {
      take();
    } catch (...) {
      features_.reset();
      throw;
    }
  }
}

bool ImageEncoding::run(FunctionRef<bool()> stop) {
  const FpEnv fp;
  if (image_->encoded()) return true;
  const Model& model = image_->model();
  model.context().require_same_process();
  if (!features_) {
    if (auto known = model.image_cache().find(image_->id(), *image_->pixels_)) {
      const std::lock_guard lock(image_->mutex_);
      image_->features_ = std::move(known);
      return true;
    }
    begin();
  }
  for (; done_ < image_->tiles(); done_ += group(), cursor_ = {}) {
    Arena arena(scratch_.data(), scratch_.size());
    if (!forward(arena, cursor_, stop)) return false;
  }
  model.image_cache().keep(image_->id(), image_->pixels_, features_);
  const std::lock_guard lock(image_->mutex_);
  if (!image_->features_) image_->features_ = features_;
  return true;
}

}  // namespace puna
