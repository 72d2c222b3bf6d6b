// plan.cpp -- memory plans by a dry run: the loader's code in a context that computes nothing, so that every size is
// the one that a load would allocate.
#include "puna/runtime/plan.h"

#include <algorithm>

#include "base/fp_env.h"
#include "puna/base/error.h"
#include "runtime/opening/load_vision.h"
#include "runtime/opening/packed_file.h"
#include "runtime/opening/weight_block.h"
#include "runtime/rehearsal.h"
#include "runtime/session/session_impl.h"

namespace puna {
namespace {

// Of the largest pass: as many rows as there may be, logits behind the last.
uint64_t scratch_bytes(const Llama& llama, const Context& context, const SessionOptions& options, int64_t positions) {
  KvCache none(llama.config, context.allocator(), options.kept());
  Batch batch;
  batch.sequences.push_back(&none);
  const int64_t rows = std::min(options.prefill_chunk, positions);
  for (int64_t i = 0; i < rows; ++i) batch.rows.push_back({0, i, 0, nullptr});
  batch.wanted.push_back(rows - 1);
  Arena measure;
  Cursor cursor;
  Inference rec(context.kernels(), context.executor(), measure, cursor, options.exact, {});
  if (!options.exact) rec.allow(context.permission());
  forward(rec, llama, batch, rec.make(1, llama.config.vocab));
  return measure.peak();
}

void plan_sessions_of(Plan& plan, const Llama& llama, const Context& context, const PlanOptions& o) {
  const int64_t limit = llama.config.max_positions;
  PUNA_REQUIRE(o.positions >= 0 && o.positions <= limit, "positions is %jd, expected 0 to the model's %jd", o.positions,
               limit);
  PUNA_REQUIRE(o.sessions >= 1 && o.sessions <= 1 << 20, "sessions is %jd, expected 1 to %d", o.sessions, 1 << 20);
  require_usable(o.session);
  plan.positions = o.positions != 0 ? o.positions : limit;
  const uint64_t sessions = uint64_t(o.sessions);
  plan.kv = sessions * KvCache::bytes_for(llama.config, o.session.kept(), plan.positions, o.session.prefill_chunk);
  plan.scratch = sessions * scratch_bytes(llama, context, o.session, plan.positions);
  plan.logits = sessions * 2 * uint64_t(llama.config.vocab) * sizeof(float);
  plan.total = std::max(plan.load_peak, plan.weights + plan.kv + plan.scratch + plan.logits);
}

// A source whose matrices are not read: what would hold them is made and left as it is.
class HeaderOnly final : public Source {
 public:
  explicit HeaderOnly(SourcePtr source) : source_(std::move(source)) {}
  const std::string& name() const noexcept override { return source_->name(); }
  uint64_t size() const noexcept override { return source_->size(); }
  const std::byte* data() const noexcept override { return source_->data(); }
  void read(uint64_t offset, uint64_t bytes, void* to) const override {
    constexpr uint64_t kSmall = 256 << 10;  // the window of a header; vectors are smaller
    if (bytes <= kSmall) source_->read(offset, bytes, to);
  }

 private:
  SourcePtr source_;
};

Plan plan_checkpoint(const ContextPtr& context, Checkpoint checkpoint, bool mapped, const PlanOptions& options) {
  const FpEnv fp;
  Plan plan;
  const bool gguf = checkpoint.format == Checkpoint::Format::gguf, packed = !options.model.packed_path.empty();
  const auto build = [&](const Context& in, WeightStore* store, LoadProgress progress) {
    return (gguf ? Llama::from_gguf : Llama::from_huggingface)(in, checkpoint.metadata, checkpoint.tensors, mapped,
                                                               progress, store);
  };
  if (mapped) plan.mapped = checkpoint.file_bytes;
  PackedLayout places;
  const Llama llama = packed ? build(*context, &places, {}) : in_one_block(*context, {}, build);
  if (packed) plan.mapped += places.finish();
  LoadedVision vision;
  if (options.model.vision.load)
    vision = load_vision(*context, checkpoint, options.model.vision.projector_path, llama.config.hidden, mapped, {});
  plan.mapped += vision.projector_bytes;
  plan.load_peak = context->allocator()->peak();
  checkpoint.tensors.drop_data();
  checkpoint.keepalive.clear();
  plan.weights = context->allocator()->used();
  plan_sessions_of(plan, llama, *context, options);
  return plan;
}

}  // namespace

Plan plan_model(const std::string& path, const PlanOptions& options) {
  const ContextPtr context = rehearsal_context();
  return plan_checkpoint(context, load_checkpoint(*context, path), /*mapped=*/true, options);
}

Plan plan_model(const SourcePtr& source, const PlanOptions& options) {
  PUNA_REQUIRE(source != nullptr, "source is NULL");
  PUNA_REQUIRE(options.model.packed_path.empty(), "packed weights are kept for models that are opened from a path");
  const ContextPtr context = rehearsal_context();
  return plan_checkpoint(context, load_checkpoint(*context, std::make_shared<HeaderOnly>(source)), /*mapped=*/false,
                         options);
}

Plan plan_sessions(const Model& model, const PlanOptions& options) {
  const FpEnv fp;
  model.context().require_same_process();
  Plan plan;
  plan_sessions_of(plan, model.llama(), model.context(), options);
  return plan;
}

}  // namespace puna
