// state_file.h -- the state of a training run as one safetensors file: each parameter's values and moments as they lie
// in memory, and under "__metadata__" the position and options of the run. One file, so that a killed process never
// leaves parts of two checkpoints.
#pragma once
#include <map>
#include <string>

#include "puna/io/safetensors.h"
#include "puna/train/optimizer.h"

namespace puna::train {

// What a run keeps besides its parameters' values and moments.
template <class Float>
struct StateValues {
  std::string name;
  Float* values;
  int64_t count;
};
using StateBlock = StateValues<float>;  // to be restored
using SavedBlock = StateValues<const float>;

// `kind` names what wrote it, `run` everything that a step's bits depend on besides the parameters. Replaces the file
// in one step.
void write_state(const std::string& path, const char* kind, const std::map<std::string, int64_t>& numbers,
                 const std::string& run, const Parameters& parameters, const Optimizer& optimizer,
                 const std::vector<SavedBlock>& more = {});

class StateFile {
 public:
  // Error{bad_file} when it is of another kind, {invalid_argument} when it is of another run.
  StateFile(const Context& context, const std::string& path, const char* kind, const std::string& run);
  // 0 ... most. Runs go on counting from here: the numbers stay far from the end of int64_t, and a double holds them.
  int64_t number(const char* key, int64_t most = int64_t(1) << 53) const;
  // All or nothing: Error{bad_file} naming the tensor when it belongs to other parameters.
  void restore(Parameters& parameters, Optimizer& optimizer, const std::vector<StateBlock>& more = {}) const;

 private:
  std::string path_;
  SafetensorsFile file_;
};

}  // namespace puna::train
