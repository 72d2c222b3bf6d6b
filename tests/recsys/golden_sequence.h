// golden_sequence.h -- the golden sets of sequence recommenders: a folder a model, arrays in safetensors files,
// tolerances in its manifest.
#pragma once
#include <cstring>
#include <map>

#include "kernels/kernel_table.h"
#include "puna/recsys/sequence_model.h"
#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

struct Array {
  std::vector<int64_t> shape;
  std::vector<float> values;      // F32
  std::vector<int64_t> integers;  // any other type
  int64_t rows() const { return shape[0]; }
  int64_t cols() const { return shape[1]; }
};
using Arrays = std::map<std::string, Array>;

inline Arrays read_arrays(const std::string& path) {
  const std::string file = read_text(path);
  uint64_t header_size = 0;
  memcpy(&header_size, file.data(), 8);
  const auto header = nlohmann::json::parse(file.substr(8, header_size));
  Arrays all;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    Array a;
    a.shape = entry["shape"].get<std::vector<int64_t>>();
    const std::string type = entry["dtype"];
    const size_t from = 8 + header_size + entry["data_offsets"][0].get<size_t>(),
                 to = 8 + header_size + entry["data_offsets"][1].get<size_t>();
    if (type == "F32") {
      a.values.resize((to - from) / 4);
      memcpy(a.values.data(), file.data() + from, to - from);
    } else {
      const size_t width = type == "BOOL" || type == "U8" || type == "I8" ? 1 : size_t(std::stoi(type.substr(1))) / 8;
      for (size_t at = from; at < to; at += width) {
        int64_t v = 0;
        memcpy(&v, file.data() + at, width);
        const int shift = 64 - 8 * int(width);
        a.integers.push_back(int64_t(uint64_t(v) << shift) >> shift);
      }
    }
    all.emplace(name, std::move(a));
  }
  return all;
}

class SequenceGolden {
 public:
  explicit SequenceGolden(const Golden& g)
      : folder_(g.folder()),
        config_json(nlohmann::json::parse(read_text(g.folder() + "/config.json"))),
        manifest(g.manifest) {}

  Arrays arrays(const char* file) const { return read_arrays(folder_ + "/" + file + ".safetensors"); }
  Tolerance tolerance(const std::string& file, const std::string& name) const {
    const auto& compare = manifest["files"][file + ".safetensors"]["tensors"][name]["compare"];
    return {compare["atol"], compare["rtol"]};
  }
  recsys::SequenceConfig config() const {
    recsys::SequenceConfig c;
    const auto& j = config_json;
    c.kind = j["model"] == "HSTU" ? recsys::SequenceKind::hstu : recsys::SequenceKind::sasrec;
    c.items = j["max_item_id"];
    c.max_sequence = j["max_sequence_len"];
    c.output_slots = j["max_output_len"];
    c.dim = j["embedding_dim"];
    c.blocks = j["num_blocks"];
    c.heads = j["num_heads"];
    c.qk_dim = j.value("attention_dim", c.dim / c.heads);
    c.v_dim = j.value("linear_dim", c.dim / c.heads);
    c.ffn = j.value("ffn_hidden_dim", c.ffn);
    return c;
  }
  std::shared_ptr<recsys::SequenceModel> model(const ContextPtr& context) const {
    const auto m = recsys::SequenceModel::create(context, config(), 0);
    const Arrays file = arrays("model");
    REQUIRE(file.size() == m->tensors().size());
    for (auto& t : m->tensors()) {
      CAPTURE(t.name);
      REQUIRE(file.count(t.name) == 1);
      REQUIRE(file.at(t.name).shape == std::vector<int64_t>(t.shape.dim, t.shape.dim + t.shape.rank));
      t.write(file.at(t.name).values);
    }
    return m;
  }

 private:
  std::string folder_;

 public:
  nlohmann::json config_json, manifest;
};

inline std::vector<SequenceGolden> sequence_goldens() {
  std::vector<SequenceGolden> all;
  for (const Golden& g : goldens([](const Golden& s) { return s.has_file("train_inputs.safetensors"); }))
    all.emplace_back(g);
  return all;
}

// The histories of a file whose arrays are right-padded: `prefix` + past_ids, timestamps, lengths.
struct GoldenUsers {
  std::vector<std::vector<recsys::Event>> events;
  std::vector<int64_t> query_times;
  std::vector<int32_t> targets;
  std::vector<recsys::History> histories() const {
    std::vector<recsys::History> all;
    for (size_t u = 0; u < events.size(); ++u) all.push_back({events[u], query_times[u]});
    return all;
  }
};
inline GoldenUsers golden_users(const Arrays& a, const std::string& prefix = "") {
  GoldenUsers users;
  const Array &ids = a.at(prefix + "past_ids"), &times = a.at(prefix + "timestamps"),
              &lengths = a.at(prefix + "lengths"), &targets = a.at(prefix + "target_ids");
  for (size_t u = 0; u < size_t(ids.rows()); ++u) {
    const size_t row = u * size_t(ids.cols()), n = size_t(lengths.integers[u]);
    std::vector<recsys::Event> events;
    for (size_t t = 0; t < n; ++t) events.push_back({int32_t(ids.integers[row + t]), times.integers[row + t]});
    users.events.push_back(std::move(events));
    users.query_times.push_back(times.integers[row + n]);
    users.targets.push_back(int32_t(targets.integers[u]));
  }
  return users;
}

inline ContextPtr recsys_context(const std::string& isa = "", int threads = 1) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return std::make_shared<const Context>(options, *select_kernels(isa.c_str()));
}

}  // namespace puna::test
