// parameters.h -- the trainable parameters: blocks of f32 values, each with its gradient. Values keep the layout that
// the kernels read (panels of 16 rows), so a model in training is a model that sessions can run at any moment between
// two steps.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "puna/base/context.h"
#include "puna/model/adapter.h"

namespace puna::train {

struct Parameter {
  std::string name;
  float* values;
  float* gradient;
  int64_t count;
};

class Parameters {
 public:
  explicit Parameters(ContextPtr context) : context_(std::move(context)) {}

  // A new block, zero, with a zero gradient. `owner` keeps the values alive.
  Parameter& add(std::string name, int64_t count, std::shared_ptr<const void>* owner = nullptr);
  void track(Adapter& adapter);  // its matrices become parameters; it must live as long
  Parameter& track(std::string name, float* values, int64_t count);  // so do these values, with a zero gradient
  void zero_gradients() noexcept;
  // Sum of squares of all gradients: partial sums of fixed length in double, in order.
  double gradient_square_sum() const;

  const std::vector<Parameter>& list() const noexcept { return list_; }
  // The gradient of values at this address; what a Tape asks.
  const std::unordered_map<const void*, float*>& gradients() const noexcept { return gradients_; }
  const Context& context() const noexcept { return *context_; }

 private:
  ContextPtr context_;
  std::vector<Parameter> list_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::unordered_map<const void*, float*> gradients_;
};

// A copy of a model with f32 weights that are parameters: all matrices and norms, whatever type they had. A tied head
// is one parameter.
Llama make_trainable(const Llama& base, Parameters& parameters);

}  // namespace puna::train
