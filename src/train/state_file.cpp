#include "puna/train/state_file.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "puna/base/error.h"

namespace puna::train {
namespace {

// Each tensor of a run: visit(name, values, count). The values can be written when the optimizer can.
template <class AnyOptimizer, class Float, class Visit>
void each_tensor(const Parameters& parameters, AnyOptimizer& optimizer, const std::vector<StateValues<Float>>& more,
                 Visit&& visit) {
  for (size_t i = 0; i < parameters.list().size(); ++i) {
    const Parameter& p = parameters.list()[i];
    visit("value." + p.name, p.values, p.count);
    visit("moment." + p.name, optimizer.moment(i), p.count);
    if (optimizer.second(i)) visit("second." + p.name, optimizer.second(i), p.count);
  }
  for (const StateValues<Float>& b : more) visit(b.name, b.values, b.count);
}

// ---- what a run was: "name: value; name: value" ----

using Facts = std::vector<std::pair<std::string, std::string>>;

Facts facts_of(const std::string& run) {
  Facts facts;
  for (size_t at = 0; at < run.size();) {
    const size_t end = std::min(run.find("; ", at), run.size()), colon = run.find(": ", at);
    if (colon < end) facts.emplace_back(run.substr(at, colon - at), run.substr(colon + 2, end - colon - 2));
    at = end + 2;
  }
  return facts;
}

std::string value_of(const Facts& facts, const std::string& name) {
  for (const auto& [n, value] : facts)
    if (n == name) return value.substr(0, 40);
  return "nothing";
}

// As people write it, unless that would make two numbers look the same.
std::pair<std::string, std::string> shown(const std::string& there, const std::string& here) {
  double numbers[2];
  char text[2][32];
  for (const int i : {0, 1}) {
    const std::string& s = i == 0 ? there : here;
    const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), numbers[i]);
    if (error != std::errc() || end != s.data() + s.size()) return {there, here};
    snprintf(text[i], sizeof text[i], "%g", numbers[i]);
  }
  if (strcmp(text[0], text[1]) == 0) return {there, here};
  return {text[0], text[1]};
}

// "; seed: 1 there, 2 here; ..."
std::string differences(const std::string& there, const std::string& here) {
  const Facts a = facts_of(there), b = facts_of(here);
  std::string text;
  for (const auto& [name, value] : b) {
    const std::string other = value_of(a, name);
    if (other == value.substr(0, 40)) continue;
    const bool hash = name == "data" || name == "model" || name == "ranker";  // its digits mean nothing to a reader
    const auto [x, y] = shown(other, value);
    text += "; " + name + (hash ? ": another" : ": " + x + " there, " + y + " here");
  }
  return text;
}

}  // namespace

void write_state(const std::string& path, const char* kind, const std::map<std::string, int64_t>& numbers,
                 const std::string& run, const Parameters& parameters, const Optimizer& optimizer,
                 const std::vector<SavedBlock>& more) {
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
  if (!m.count("puna") || m.at("puna") != kind)
    fail(Status::bad_file, "%s is no %.*s of this version", path.c_str(), int(strcspn(kind, "0123456789")) - 1, kind);
  if (!m.count("run") || m.at("run") != run)
    fail(Status::invalid_argument, "%s is a checkpoint of another run%s", path.c_str(),
         differences(m.count("run") ? m.at("run") : "", run).c_str());
}

int64_t StateFile::number(const char* key, int64_t most) const {
  const auto found = file_.metadata.find(key);
  long long value = -1;
  char rest = 0;
  if (found == file_.metadata.end() || std::sscanf(found->second.c_str(), "%17lld%c", &value, &rest) != 1 ||
      value < 0 || value > most)
    fail(Status::bad_file, "%s: '%s' is missing or no number from 0 to %jd", path_.c_str(), key, most);
  return value;
}

void StateFile::restore(Parameters& parameters, Optimizer& optimizer, const std::vector<StateBlock>& more) const {
  size_t tensors = 0;
  each_tensor(parameters, optimizer, more, [&](const std::string& name, float*, int64_t count) {
    const TensorEntry* t = file_.tensors.find(name);
    if (!t || t->dtype != DType::f32 || !(t->shape == Shape{count}))
      fail(Status::bad_file, "%s: tensor '%s' is missing or not F32 [%jd]", path_.c_str(), name.c_str(), count);
    ++tensors;
  });
  if (tensors != file_.tensors.size())
    fail(Status::bad_file, "%s has %zu tensors, expected %zu", path_.c_str(), file_.tensors.size(), tensors);
  each_tensor(parameters, optimizer, more,
              [&](const std::string& name, float* values, int64_t count) {  // nothing can fail from here on
                memcpy(values, file_.tensors.find(name)->data, size_t(count) * sizeof(float));
              });
}

}  // namespace puna::train
