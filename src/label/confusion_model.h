// confusion_model.h -- EM for models in which a worker's answer depends on the true label alone, by a confusion matrix.
// Dawid-Skene, one-coin and MACE differ in how the matrix is fitted to the expected counts; the rest is shared.
#pragma once
#include "puna/label/infer.h"

namespace puna::label {

// Vote shares; gold items certain, zeros where nobody answered.
std::vector<double> vote_shares(const Answers& answers);
// One-coin's and Dawid-Skene's; MACE's restarts.
void infer_by_confusion(const Answers& answers, const InferOptions& options, Inference& result, const Watch& watch);
void infer_glad(const Answers& answers, const InferOptions& options, Inference& result, const Watch& watch);

}  // namespace puna::label
