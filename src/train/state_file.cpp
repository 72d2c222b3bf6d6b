#include "puna/train/state_file.h"

#include <cstdio>
#include <cstring>

#include "puna/base/error.h"

namespace puna::train {
namespace {

// Each tensor of a run: visit(name, values, count).
template <class Visit>
void each_tensor(const Parameters& parameters, const Optimizer& optimizer, const std::vector<StateBlock>& more, Visit&& visit) {
  for (size_t i = 0; i < parameters.list().size(); ++i) {
    const Parameter& p = parameters.list()[i];
    visit("value." + p.name, p.values, p.count);
    visit("moment." + p.name, optimizer.moment(i), p.count);
    if (optimizer.second(i)) visit("second." + p.name, optimizer.second(i), p.count);
  }
  for (const StateBlock& b : more) visit(b.name, b.values, b.count);
}

}  // namespace

void write_state(const std::string& path, const char* kind, const std::map<std::string, int64_t>& numbers, const std::string& run,
                 const Parameters& parameters, const Optimizer& optimizer, const std::vector<StateBlock>& more) {
  std::map<std::string, std::string> metadata{{"puna", kind}, {"run", run}};
  for (const auto& [key, number] : numbers) metadata[key] = std::to_string(number);
  std::vector<OutputTensor> tensors;
  each_tensor(parameters, optimizer, more, [&](std::string name, const float* values, int64_t count) {
    tensors.push_back({std::move(name), DType::f32, {count}, values, {}});
  });
  write_safetensors(path, metadata, tensors);
}

StateFile::StateFile(const Context& context, const std::string& path, const char* kind, const std::string& run)
    : path_(path), file_(read_safetensors(context, open_path_source(path))) {
  const auto& m = file_.metadata;
  if (!m.count("puna") || m.at("puna") != kind) fail(Status::bad_file, "%s is no %.*s of this version", path.c_str(), int(strcspn(kind, "0123456789")) - 1, kind);
  if (!m.count("run") || m.at("run") != run)
    fail(Status::invalid_argument, "%s is a checkpoint of another run (data or options differ):\n  there: %.600s\n  here:  %s", path.c_str(),
         m.count("run") ? m.at("run").c_str() : "", run.c_str());
}

int64_t StateFile::number(const char* key) const {
  const auto found = file_.metadata.find(key);
  long long value = -1;
  char rest = 0;
  if (found == file_.metadata.end() || std::sscanf(found->second.c_str(), "%lld%c", &value, &rest) != 1 || value < 0)
    fail(Status::bad_file, "%s: '%s' is missing or no number of 0 or more", path_.c_str(), key);
  return value;
}

void StateFile::restore(Parameters& parameters, Optimizer& optimizer, const std::vector<StateBlock>& more) const {
  size_t tensors = 0;
  each_tensor(parameters, optimizer, more, [&](const std::string& name, float*, int64_t count) {
    const TensorEntry* t = file_.tensors.find(name);
    if (!t || t->dtype != DType::f32 || !(t->shape == Shape{count}))
      fail(Status::bad_file, "%s: tensor '%s' is missing or not F32 [%lld]", path_.c_str(), name.c_str(), static_cast<long long>(count));
    ++tensors;
  });
  if (tensors != file_.tensors.size()) fail(Status::bad_file, "%s has %zu tensors, expected %zu", path_.c_str(), file_.tensors.size(), tensors);
  each_tensor(parameters, optimizer, more, [&](const std::string& name, float* values, int64_t count) {  // nothing can fail from here on
    memcpy(values, file_.tensors.find(name)->data, size_t(count) * sizeof(float));
  });
}

}  // namespace puna::train
