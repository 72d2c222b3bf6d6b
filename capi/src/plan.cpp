// plan.cpp -- puna_model_plan, puna_session_plan: memory in bytes before it is taken.
#include "puna/runtime/plan.h"

#include "handles.h"
#include "session_mode.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

PlanOptions plan_options_from_c(const puna_plan_options* theirs) {
  const puna_plan_options o = read_options(theirs, "puna_plan_options");
  require_reserved(o.reserved2, "puna_plan_options");
  PlanOptions p;
  read_mode(p.session, o.exact, o.kv_type);
  in_range(o.sessions, 0, 1 << 20, "sessions");
  in_range(o.positions, 0, INT64_MAX, "positions");
  in_range(o.prefill_chunk, 0, 1 << 16, "prefill_chunk");
  if (o.prefill_chunk != 0) p.session.prefill_chunk = o.prefill_chunk;
  p.positions = o.positions;
  if (o.sessions != 0) p.sessions = o.sessions;
  if (o.packed_path) p.model.packed_path = o.packed_path;
  if (o.projector_path) p.model.vision.projector_path = o.projector_path;
  p.model.vision.load = !flag(o.no_vision, "no_vision");
  return p;
}

void write_plan(const Plan& plan, const PlanOptions& options, puna_plan* out) {
  puna_plan p{};
  p.sessions = int32_t(options.sessions);
  p.positions = plan.positions;
  p.mapped_bytes = plan.mapped;
  p.weight_bytes = plan.weights;
  p.load_peak_bytes = plan.load_peak;
  p.kv_bytes = plan.kv;
  p.scratch_bytes = plan.scratch;
  p.logits_bytes = plan.logits;
  p.total_bytes = plan.total;
  write_info(p, out, "puna_plan");
}

}  // namespace

puna_status puna_model_plan(const char* path, const puna_plan_options* options, puna_plan* plan) {
  return guard([&] {
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    const PlanOptions o = plan_options_from_c(options);
    write_plan(plan_model(path, o), o, plan);
  });
}

puna_status puna_model_plan_memory(const void* data, size_t bytes, const puna_plan_options* options, puna_plan* plan) {
  return guard([&] {
    PUNA_REQUIRE(data != nullptr, "data is NULL");
    const PlanOptions o = plan_options_from_c(options);
    write_plan(plan_model(open_memory_source(data, bytes, "memory"), o), o, plan);
  });
}

puna_status puna_model_plan_reader(const puna_reader* reader, const puna_plan_options* options, puna_plan* plan) {
  return guard([&] {
    const SourcePtr source = source_from_c(reader);
    const PlanOptions o = plan_options_from_c(options);
    write_plan(plan_model(source, o), o, plan);
  });
}

puna_status puna_session_plan(const puna_model* model, const puna_plan_options* options, puna_plan* plan) {
  return guard([&] {
    const Model& m = use(model);
    const PlanOptions o = plan_options_from_c(options);
    write_plan(plan_sessions(m, o), o, plan);
  });
}
