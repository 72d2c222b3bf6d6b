// file.cpp -- a ranker as one safetensors file: its configuration as JSON under "__metadata__", the table as rows
// (table.h), the other weights in f32, a tensor [2, knots] for each calibrator, and at the end the names of each
// feature's ids: U8, a NUL behind each name.
#include <cstring>

#include "base/fp_env.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "puna/recsys/ranker.h"
#include "recsys/names_tensor.h"
#include "recsys/ranking/table.h"
#include "recsys/ranking/weights.h"

namespace puna::recsys {
namespace {

constexpr const char* kRankerFormat = "ranker 1";

std::string vocabulary_name(size_t feature) { return "vocabulary." + std::to_string(feature); }

std::string calibrator_name(const char* kind, size_t surface, size_t task) {
  return std::string("calibration.") + kind + "." + std::to_string(surface) + "." + std::to_string(task);
}

// Plain types keep their shape; coded rows are bytes.
DType stored_type(DType table) { return table == DType::i8 ? DType::u8 : table; }
Shape stored_shape(const RankerConfig& c, DType table) {
  return {c.table_rows(), table == DType::i8 ? RankerTable::row_bytes(c, table) : c.dim + int64_t(c.tasks.size())};
}

const TensorEntry& table_in(const SafetensorsFile& file, const RankerConfig& c, DType& dtype, const std::string& path) {
  const TensorEntry* const t = file.tensors.find("table");
  if (!t || (t->dtype != DType::f32 && t->dtype != DType::f16 && t->dtype != DType::u8))
    fail(Status::bad_file, "%s: tensor 'table' is missing or not F32, F16 or U8", path.c_str());
  dtype = t->dtype == DType::u8 ? DType::i8 : t->dtype;
  const Shape want = stored_shape(c, dtype);
  if (!(t->shape == want))
    fail(Status::bad_file, "%s: tensor 'table' is %s, expected %s", path.c_str(), t->shape.text().c_str(),
         want.text().c_str());
  return *t;
}

// The sizes are the metadata's word until the tensors bear them out: nothing is allocated before.
void check_values(const SafetensorsFile& file, const RankerConfig& c, const std::string& path) {
  int64_t values = 0;
  for (const TensorEntry& t : file.tensors.entries()) {
    if (t.name == "table" || t.name.starts_with("calibration.") || t.name.starts_with("vocabulary.")) continue;
    values += t.shape.count();
  }
  if (values != parameter_count(c))
    fail(Status::bad_file, "%s: its tensors have %jd values besides the table, expected %jd by its configuration",
         path.c_str(), values, parameter_count(c));
}

Calibrator calibrator_in(const TensorEntry& t, Calibrator::Kind kind, const std::string& path) {
  const bool shaped = t.dtype == DType::f32 && t.shape.rank == 2 && t.shape[0] == 2 && t.shape[1] >= 1;
  if (!shaped) fail(Status::bad_file, "%s: tensor '%s' is no F32 [2, knots]", path.c_str(), t.name.c_str());
  const auto n = size_t(t.shape[1]);
  std::vector<float> x(n), y(n);
  memcpy(x.data(), t.data, n * 4);
  memcpy(y.data(), t.data + n * 4, n * 4);
  try {
    return Calibrator::of(kind, std::move(x), std::move(y));
  } catch (const Error& e) {
    fail(Status::bad_file, "%s: tensor '%s': %s", path.c_str(), t.name.c_str(), e.what());
  }
}

constexpr std::pair<Calibrator::Kind, const char*> kCalibrators[] = {{Calibrator::Kind::platt, "platt"},
                                                                     {Calibrator::Kind::isotonic, "isotonic"}};

}  // namespace

void Ranker::save(const std::string& path) const {
  std::vector<OutputTensor> tensors = weights_->outputs();
  tensors.push_back(
      {"table", stored_type(table_->dtype()), stored_shape(config_, table_->dtype()), table_->data(), {}});
  for (size_t s = 0; s < config_.surfaces.size(); ++s)
    for (size_t t = 0; t < config_.tasks.size(); ++t)
      for (const auto& [kind, name] : kCalibrators) {
        const Calibrator& c = calibrator(s, t);
        if (c.kind() != kind) continue;
        tensors.push_back({calibrator_name(name, s, t),
                           DType::f32,
                           {2, int64_t(c.x().size())},
                           nullptr,
                           [&c](FunctionRef<void(const void*, uint64_t)> write) {
                             write(c.x().data(), c.x().size() * 4);
                             write(c.y().data(), c.y().size() * 4);
                           }});
      }
  for (size_t f = 0; f < config_.features.size(); ++f) add_names(tensors, vocabulary_name(f), vocabulary(f));
  write_safetensors(path, {{"puna", kRankerFormat}, {"config", json_of(config_)}}, tensors);
}

std::shared_ptr<Ranker> Ranker::load(ContextPtr context, const SourcePtr& source, TableMemory memory) {
  const std::string& path = source->name();
  const SafetensorsFile file = read_safetensors(*context, source);
  const auto format = file.metadata.find("puna"), text = file.metadata.find("config");
  if (format == file.metadata.end() || format->second != kRankerFormat || text == file.metadata.end())
    fail(Status::bad_file, "%s is no ranker of this version", path.c_str());
  RankerConfig config;
  try {
    config = ranker_config(text->second);
  } catch (const Error& e) {
    fail(Status::bad_file, "%s: %s", path.c_str(), e.what());
  }
  check_values(file, config, path);
  DType dtype = DType::f32;
  const TensorEntry& table = table_in(file, config, dtype, path);
  std::shared_ptr<RankerTable> mapped;
  if (memory == TableMemory::mapped) {
    if (reinterpret_cast<uintptr_t>(table.data) % alignof(float) != 0)
      fail(Status::unsupported, "%s: the table is not aligned, it cannot be used where it is", path.c_str());
    mapped = std::make_shared<RankerTable>(config, dtype, table.data,
                                           std::make_shared<std::vector<std::shared_ptr<const void>>>(file.keepalive));
  }
  std::shared_ptr<Ranker> ranker(new Ranker(std::move(context), config, dtype, mapped));
  ranker->weights_->read_from(file.tensors, path);
  if (!mapped) memcpy(ranker->table_->data(), table.data, size_t(table.bytes));
  ranker->table_->require_finite(*ranker->context_, path);
  if (mapped) os::expect_random_reads(table.data, table.bytes);
  size_t read = ranker->tensors().size() + 1;
  for (size_t s = 0; s < config.surfaces.size(); ++s)
    for (size_t t = 0; t < config.tasks.size(); ++t)
      for (const auto& [kind, name] : kCalibrators)
        if (const TensorEntry* const from = file.tensors.find(calibrator_name(name, s, t))) {
          ranker->set_calibrator(s, t, calibrator_in(*from, kind, path));
          ++read;
        }
  for (size_t f = 0; f < config.features.size(); ++f)
    if (const TensorEntry* const from = file.tensors.find(vocabulary_name(f))) {
      if (config.features[f].hashed)
        fail(Status::bad_file, "%s has names of feature '%s', which is hashed", path.c_str(),
             config.features[f].name.c_str());
      ranker->set_vocabulary(f, names_in(*from, config.features[f].rows, path));
      ++read;
    }
  if (read != file.tensors.size())
    fail(Status::bad_file, "%s has %zu tensors, of which its configuration explains %zu", path.c_str(),
         file.tensors.size(), read);
  return ranker;
}

}  // namespace puna::recsys
