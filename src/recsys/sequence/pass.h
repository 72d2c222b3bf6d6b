// pass.h -- the loss of some users' next items, and its gradient by the item table's three routes: as inputs, as what
// came next, as what was drawn.
#pragma once
#include "puna/recsys/sequence_model.h"
#include "puna/train/parameters.h"
#include "recsys/sequence/batch.h"

namespace puna::recsys {

struct NextItems {
  const int32_t* candidates;  // [rows][per_row]: what came next, then what was drawn
  int64_t per_row;
  float temperature;
  float weight;  // of the summed loss whose gradient is taken
};

class SequencePass {
 public:
  SequencePass(const SequenceModel& model, const train::Parameters& parameters);

  // Items have unit length in the loss: they are made once a step, and their gradient goes back to the table once a
  // step.
  void begin_step();
  double losses(const HistoryBatch& batch, const NextItems& next, const Dropout& dropout,
                FunctionRef<bool()> should_stop);  // their sum
  void end_step();

 private:
  template <class Fn>
  void for_items(Fn&& fn);

  const SequenceModel& model_;
  const train::Parameters& parameters_;
  int64_t unit_row_;  // dim in whole vectors, zeros at the end
  Buffer units_, unit_gradients_, scratch_;
};

}  // namespace puna::recsys
