// file.cpp -- a sequence model as one safetensors file: tensors named and shaped as in the original code, the
// configuration under "__metadata__", and at the end the names of its items: U8, a NUL behind each.
#include <cstdio>
#include <cstring>

#include "puna/base/error.h"
#include "puna/io/safetensors.h"
#include "recsys/names_tensor.h"
#include "recsys/sequence/weights.h"

namespace puna::recsys {
namespace {

constexpr const char* kSequenceFormat = "sequence recommender 1";
constexpr const char* kItemNames = "item_names";

// visit(name, field) for every number of a configuration.
template <class Config, class Visit>
void each_field(Config& c, Visit&& visit) {
  visit("items", c.items);
  visit("max_sequence", c.max_sequence);
  visit("output_slots", c.output_slots);
  visit("dim", c.dim);
  visit("blocks", c.blocks);
  visit("heads", c.heads);
  visit("qk_dim", c.qk_dim);
  visit("v_dim", c.v_dim);
  visit("ffn", c.ffn);
}

SequenceConfig config_of(const std::map<std::string, std::string>& metadata, const std::string& path) {
  const auto text = [&](const char* key) -> const std::string& {
    const auto found = metadata.find(key);
    if (found == metadata.end()) fail(Status::bad_file, "%s: '%s' is missing from its metadata", path.c_str(), key);
    return found->second;
  };
  if (text("puna") != kSequenceFormat)
    fail(Status::bad_file, "%s is no sequence recommender of this version", path.c_str());
  SequenceConfig c;
  if (text("kind") == "sasrec")
    c.kind = SequenceKind::sasrec;
  else if (text("kind") != "hstu")
    fail(Status::bad_file, "%s: kind is '%.40s', expected hstu or sasrec", path.c_str(), text("kind").c_str());
  each_field(c, [&](const char* name, int64_t& field) {
    long long value = 0;
    char rest = 0;
    if (std::sscanf(text(name).c_str(), "%18lld%c", &value, &rest) != 1)
      fail(Status::bad_file, "%s: '%s' is no number", path.c_str(), name);
    field = value;
  });
  try {
    check(c);
  } catch (const Error& e) {
    fail(Status::bad_file, "%s: %s", path.c_str(), e.what());
  }
  return c;
}

}  // namespace

void SequenceModel::save(const std::string& path) const {
  std::map<std::string, std::string> metadata{{"puna", kSequenceFormat},
                                              {"kind", config_.kind == SequenceKind::hstu ? "hstu" : "sasrec"}};
  each_field(config_, [&](const char* name, int64_t field) { metadata[name] = std::to_string(field); });
  std::vector<OutputTensor> tensors = weights_->outputs();
  add_names(tensors, kItemNames, item_names_);
  write_safetensors(path, metadata, tensors);
}

std::shared_ptr<SequenceModel> SequenceModel::load(ContextPtr context, const std::string& path) {
  const SafetensorsFile file = read_safetensors(*context, open_path_source(path));
  const SequenceConfig config = config_of(file.metadata, path);
  // the sizes are the metadata's word until the tensors bear them out: nothing is allocated before
  int64_t values_in_file = 0;
  for (const TensorEntry& t : file.tensors.entries()) values_in_file += t.name == kItemNames ? 0 : t.shape.count();
  if (values_in_file != parameter_count(config))
    fail(Status::bad_file, "%s: its tensors have %jd values, expected %jd by its metadata", path.c_str(),
         values_in_file, parameter_count(config));
  std::shared_ptr<SequenceModel> model(new SequenceModel(std::move(context), config));
  model->weights_->read_from(file.tensors, path);
  const TensorEntry* const names = file.tensors.find(kItemNames);
  if (file.tensors.size() != model->tensors().size() + (names ? 1 : 0))
    fail(Status::bad_file, "%s has %zu tensors, of which its configuration explains %zu", path.c_str(),
         file.tensors.size(), model->tensors().size() + (names ? 1 : 0));
  if (names) {
    model->item_names_ = names_in(*names, config.items, path);
    if (model->item_names_.size() != config.items)
      fail(Status::bad_file, "%s: it names %jd of its %jd items", path.c_str(), model->item_names_.size(),
           config.items);
  }
  return model;
}

}  // namespace puna::recsys
