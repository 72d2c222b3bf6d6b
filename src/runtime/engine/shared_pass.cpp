#include "runtime/engine/shared_pass.h"

#include <algorithm>
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

void SharedPass::add(Session& session, std::span<const AdapterShare> adapters, PromptScores* scores, int64_t most) {
  EngineAccess::Append& append = *EngineAccess::append(session);
  const int64_t before = rows();
  parts_.push_back({&session, adapters, scores, 0});
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

void SharedPass::group_adapters() {
  const auto same = [](std::span<const AdapterShare> a, std::span<const AdapterShare> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const AdapterShare& x, const AdapterShare& y) {
      return x.adapter == y.adapter && x.weight == y.weight;
    });
  };
  one_for_all_ = nullptr;
  groups_.clear();
  row_loras_.clear();
  group_of_.clear();
  const std::span<const AdapterShare> first = parts_[0].adapters;
  const bool uniform =
      std::all_of(parts_.begin(), parts_.end(), [&](const Part& p) { return same(p.adapters, first); });
  if (uniform && first.empty()) return;
  if (uniform && first.size() == 1 && first[0].weight == 1) {
    one_for_all_ = &first[0].adapter->loras();
    return;
  }
  group_of_.assign(size_t(rows()), -1);
  int32_t row = 0;
  for (const Part& p : parts_) {
    const int32_t end = row + int32_t(p.rows);
    if (!p.adapters.empty()) {
      size_t g = 0;
      while (g < groups_.size() && !same(groups_[g].adapters, p.adapters)) ++g;
      if (g == groups_.size()) {
        groups_.push_back({p.adapters, {}, {}, {}});
        for (const AdapterShare& a : p.adapters) groups_[g].shares.push_back({&a.adapter->loras(), a.weight});
      }
      for (int32_t r = row; r < end; ++r) {
        groups_[g].rows.push_back(r);
        group_of_[size_t(r)] = int32_t(g);
      }
    }
    row = end;
  }
  for (size_t w = 0; w < batch_.wanted.size(); ++w)
    if (const int32_t g = group_of_[size_t(batch_.wanted[w])]; g >= 0) groups_[size_t(g)].wanted.push_back(int32_t(w));
  for (const Group& g : groups_) row_loras_.push_back({g.shares, g.rows, g.wanted});
}

void SharedPass::begin() {
  group_adapters();
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
  rec.use(one_for_all_);
  rec.use(row_loras_, group_of_);
  const View logits = rec.make(W, config.vocab);
  const auto part_of = [&](int64_t row) -> const Part& { return parts_[size_t(batch_.rows[size_t(row)].sequence)]; };
  const bool hidden_wanted = std::any_of(
      parts_.begin(), parts_.end(), [](const Part& p) { return EngineAccess::append(*p.session)->wants_hidden(); });
  const View hidden = hidden_wanted ? rec.make(rows(), config.hidden) : View();
  ForwardTaps taps;
  taps.last_hidden = hidden.f32();
  puna::forward(rec, model_->llama(), batch_, logits, hidden_wanted ? &taps : nullptr);
  rec.stage(W, [&](int64_t i) {
    const int64_t row = batch_.wanted[size_t(i)];
    if (float* const to = targets_[size_t(i)]) memcpy(to, logits.row(i), size_t(config.vocab) * 4);
    if (PromptScores* const scores = part_of(row).scores)
      scores->take(batch_.rows[size_t(row)].position, {logits.row(i), size_t(config.vocab)});
  });
  if (hidden_wanted)
    rec.stage(rows(), [&](int64_t i) {
      float* const to = EngineAccess::append(*part_of(i).session)->hidden_row(batch_.rows[size_t(i)].position);
      if (to)
        context.kernels().rms_norm(to, hidden.row(i), model_->llama().weights.final_norm, config.hidden,
                                   config.norm_eps);
    });
  return rec.finished();
}

}  // namespace puna
