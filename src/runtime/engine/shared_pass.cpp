#include "runtime/engine/shared_pass.h"

#include <cstring>

#include "kernels/kernel_table.h"
#include "puna/base/error.h"

namespace puna {

void SharedPass::clear() noexcept {
  batch_.rows.clear();
  batch_.sequences.clear();
  batch_.wanted.clear();
  targets_.clear();
  parts_.clear();
  cursor_ = {};
}

void SharedPass::add(Session& session, std::span<const AdapterShare> adapters, int64_t most) {
  EngineAccess::Append& append = *EngineAccess::append(session);
  const int64_t before = rows();
  parts_.push_back({&session, adapters, 0});
  const auto undo = [&] {
    append.put_back();
    drop_last();
  };
  try {
    batch_.sequences.push_back(&EngineAccess::impl(session).kv);
    append.open();
    append.take(0, most, int32_t(parts_.size() - 1), batch_, targets_);
    parts_.back().rows = rows() - before;
    append.prepare();
  } catch (...) {
    parts_.back().rows = rows() - before;
    undo();
    throw;
  }
}

void SharedPass::drop_last() noexcept {
  const size_t rows = batch_.rows.size() - size_t(parts_.back().rows);
  while (!batch_.wanted.empty() && batch_.wanted.back() >= int64_t(rows)) {
    batch_.wanted.pop_back();
    if (targets_.size() > batch_.wanted.size()) targets_.pop_back();
  }
  batch_.rows.resize(rows);
  batch_.sequences.resize(std::min(batch_.sequences.size(), parts_.size() - 1));
  parts_.pop_back();
}

void SharedPass::begin() {
  Arena measure;
  Cursor nowhere;
  forward(measure, nowhere, {});
  if (scratch_.size() < measure.peak()) {
    scratch_ = Buffer();  // the old block first: the two need not be held at once
    scratch_ = model_->context().allocate(measure.peak(), "scratch of a pass");
  }
  cursor_ = {};
}

bool SharedPass::run(FunctionRef<bool()> stop) {
  Arena arena(scratch_.data(), scratch_.size());
  return forward(arena, cursor_, stop);
}

bool SharedPass::forward(Arena& arena, Cursor& cursor, FunctionRef<bool()> stop) {
  const Context& context = model_->context();
  const LlamaConfig& config = model_->config();
  const int64_t W = int64_t(batch_.wanted.size());
  Inference rec(context.kernels(), context.executor(), arena, cursor, exact_, stop);
  if (!exact_) rec.allow(context.permission());
  const std::span<const AdapterShare> adapters = parts_[0].adapters;
  if (!adapters.empty()) rec.use(&adapters[0].adapter->loras());
  const View logits = rec.make(W, config.vocab);
  puna::forward(rec, model_->llama(), batch_, logits);
  rec.stage(W, [&](int64_t i) { memcpy(targets_[size_t(i)], logits.row(i), size_t(config.vocab) * 4); });
  return rec.finished();
}

}  // namespace puna
