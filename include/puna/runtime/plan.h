// plan.h -- how much memory a model and its sessions will take, before any of it is taken.
#pragma once
#include <cstdint>
#include <string>

#include "puna/runtime/model.h"
#include "puna/runtime/session.h"

namespace puna {

struct PlanOptions {
  SessionOptions session;  // max_positions is not read
  int64_t positions = 0;   // tokens each session will hold; 0 = the model's limit
  int64_t sessions = 1;
  ModelOptions model;  // packed_path, and what vision.load and vision.projector_path say; only for plan_model
};

// Bytes. All but `mapped` go through the context's allocator.
struct Plan {
  int64_t positions = 0;
  uint64_t mapped = 0;     // the files, the packed one too: read-only and shared with other processes
  uint64_t weights = 0;    // panels and vectors
  uint64_t load_peak = 0;  // the most at once while loading, weights included
  uint64_t kv = 0;         // keys and values of all sessions at `positions`
  uint64_t scratch = 0;    // of all sessions
  uint64_t logits = 0;     // of all sessions
  uint64_t total = 0;      // the most at once: what a memory limit must allow
};

// Reads the file's header and small vectors, no matrix.
Plan plan_model(const std::string& path, const PlanOptions& options);
Plan plan_model(const SourcePtr& source, const PlanOptions& options);
// What sessions add to a model that is open: weights, load_peak and mapped are 0.
Plan plan_sessions(const Model& model, const PlanOptions& options);

}  // namespace puna
