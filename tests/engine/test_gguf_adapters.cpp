// llama.cpp's adapters: what a file says is added to the weights that it names, in the rows that GGUF has; PEFT's
// adapter written as llama.cpp's converter writes it is the same adapter; and files that lie are errors that say so.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>

#include "engine/engine_support.h"
#include "model/named_tensors.h"
#include "ops/linear.h"
#include "puna/base/error.h"
#include "puna/io/gguf.h"
#include "puna/runtime/adapter_file.h"
#include "support/files.h"

using namespace puna;
using namespace puna::test;

namespace test_gguf_adapters {
namespace {

struct Values {
  Shape shape;
  std::vector<float> v;
};
using File = std::map<std::string, Values>;

Metadata adapter_metadata(const Model& model, double alpha) {
  Metadata m;
  m.set("general.type", std::string("adapter"));
  m.set("general.architecture", model.config().architecture);
  m.set("adapter.type", std::string("lora"));
  m.set("adapter.lora.alpha", alpha);
  return m;
}

void write(const std::string& path, const Metadata& metadata, const File& file) {
  std::vector<OutputTensor> out;
  for (const auto& [name, t] : file)
    out.push_back({name, DType::f32, t.shape, nullptr, [&t = t](auto to) { to(t.v.data(), t.v.size() * 4); }});
  write_gguf(path, metadata, out);
}

Values random_values(const Shape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Values t{shape, std::vector<float>(size_t(shape.count()))};
  for (float& v : t.v) v = float(random() % 2001) / 1000 - 1;
  return t;
}

std::vector<float> rows_of(const Model& model, const Weight& w) {
  std::vector<float> all(size_t(w.rows * w.cols));
  for (int64_t r = 0; r < w.rows; ++r) weight_row(model.context().kernels(), all.data() + r * w.cols, w, r);
  return all;
}

// merged = base + scale B A, of expert e when the pair is a stack's.
void check_added(const Model& base, const Model& merged, const Weight& from, const Weight& to, const File& file,
                 const std::string& name, double alpha, int64_t e = 0) {
  CAPTURE(name, e);
  const Values &a = file.at(name + ".lora_a"), &b = file.at(name + ".lora_b");
  const int64_t r = a.shape[-2], in = a.shape[-1], out = b.shape[-2];
  const double scale = alpha != 0 ? alpha / double(r) : 1;
  REQUIRE(from.rows == out);
  REQUIRE(from.cols == in);
  const std::vector<float> before = rows_of(base, from), after = rows_of(merged, to);
  double worst = 0, largest = 0;
  // From a Hugging Face folder a head's rows of q and k are half-split; llama.cpp's converters of Llama, and those that
  // inherit from it, put them in pairs.
  const LlamaConfig& c = base.config();
  const bool pairs = c.architecture == "llama" || c.architecture == "granite" || c.architecture == "smollm3";
  const bool split = pairs && c.rope_style == RopeStyle::half_split &&
                     (name.ends_with("attn_q.weight") || name.ends_with("attn_k.weight"));
  for (int64_t row = 0; row < out; ++row)
    for (int64_t k = 0; k < in; ++k) {
      const int64_t i = row % c.head_dim, half = c.head_dim / 2;
      const int64_t n = split ? row - i + i % half * 2 + i / half : row;
      double sum = 0;
      for (int64_t j = 0; j < r; ++j)
        sum += double(b.v[size_t((e * out + n) * r + j)]) * double(a.v[size_t((e * r + j) * in + k)]);
      const size_t at = size_t(row * in + k);
      worst = std::max(worst, std::abs(double(before[at]) + scale * sum - double(after[at])));
      largest = std::max(largest, std::abs(scale * sum));
    }
  CHECK(largest > 0.1);
  CHECK(worst < 1e-5 * (1 + largest));
}

std::string message_of(const std::function<void()>& call, Status status) {
  try {
    call();
  } catch (const Error& e) {
    CHECK(e.status() == status);
    return e.what();
  }
  FAIL("no error");
  return "";
}

}  // namespace

TEST_CASE("a GGUF adapter adds B A to every kind of weight that it names", "[engine]") {
  const char* const fixture = GENERATE("text_scout_like", "dense_llama3", "granite", "smollm3", "olmo2", "a GGUF file");
  const double alpha = GENERATE(0.0, 6.0);
  CAPTURE(fixture, alpha);
  const bool gguf = std::string_view(fixture) == "a GGUF file";
  const ModelPtr model = gguf ? Model::open(make_context({}), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf")
                              : open_text_model(fixture);
  const LlamaConfig& c = model->config();
  size_t moe = 0;
  while (moe < c.is_moe.size() && !c.is_moe[moe]) ++moe;
  const LlamaLayer& first = model->llama().weights.layers[0];
  File file;
  uint32_t seed = 1;
  const auto pair = [&](const std::string& name, int64_t r, const Weight& w, int64_t experts = 0) {
    Shape a{r, w.cols}, b{w.rows, r};
    if (experts > 0) a = {experts, r, w.cols}, b = {experts, w.rows, r};
    file[name + ".lora_a"] = random_values(a, seed++);
    file[name + ".lora_b"] = random_values(b, seed++);
  };
  pair("blk.0.attn_q.weight", 3, first.wq);
  pair("blk.0.attn_k.weight", 2, first.wk);
  pair("blk.0.attn_v.weight", 1, first.wv);
  pair("blk.0.attn_output.weight", 4, first.wo);
  if (!c.tied) pair("output.weight", 2, model->llama().weights.lm_head);
  const bool has_moe = moe < c.is_moe.size();
  const std::string block = "blk." + std::to_string(moe) + ".";
  const LlamaLayer& sparse = model->llama().weights.layers[has_moe ? moe : 0];
  if (has_moe) {
    pair(block + "ffn_gate_inp.weight", 2, sparse.router);
    pair(block + "ffn_gate_shexp.weight", 2, sparse.ffn.gate);
    pair(block + "ffn_gate_exps.weight", 2, sparse.experts[0].gate, c.experts);
    pair(block + "ffn_up_exps.weight", 3, sparse.experts[0].up, c.experts);
    pair(block + "ffn_down_exps.weight", 2, sparse.experts[0].down, c.experts);
  } else {
    pair("blk.0.ffn_gate.weight", 2, first.ffn.gate);
    pair("blk.0.ffn_up.weight", 3, first.ffn.up);
    pair("blk.0.ffn_down.weight", 2, first.ffn.down);
  }
  const TempFolder folder;
  const std::string path = folder.path() + "/adapter.gguf";
  write(path, adapter_metadata(*model, alpha), file);
  const AdapterPtr adapter = load_adapter(*model, path);
  const ModelPtr merged = merge_adapter(*model, *adapter);
  const auto& from = model->llama().weights;
  const auto& to = merged->llama().weights;
  const auto check = [&](const Weight& before, const Weight& after, const std::string& name, int64_t e = 0) {
    check_added(*model, *merged, before, after, file, name, alpha, e);
  };
  check(from.layers[0].wq, to.layers[0].wq, "blk.0.attn_q.weight");
  check(from.layers[0].wk, to.layers[0].wk, "blk.0.attn_k.weight");
  check(from.layers[0].wv, to.layers[0].wv, "blk.0.attn_v.weight");
  check(from.layers[0].wo, to.layers[0].wo, "blk.0.attn_output.weight");
  if (!c.tied) check(from.lm_head, to.lm_head, "output.weight");
  if (has_moe) {
    const LlamaLayer &x = from.layers[moe], &y = to.layers[moe];
    check(x.router, y.router, block + "ffn_gate_inp.weight");
    check(x.ffn.gate, y.ffn.gate, block + "ffn_gate_shexp.weight");
    for (int64_t e = 0; e < c.experts; ++e) {
      check(x.experts[size_t(e)].gate, y.experts[size_t(e)].gate, block + "ffn_gate_exps.weight", e);
      check(x.experts[size_t(e)].up, y.experts[size_t(e)].up, block + "ffn_up_exps.weight", e);
      check(x.experts[size_t(e)].down, y.experts[size_t(e)].down, block + "ffn_down_exps.weight", e);
    }
  } else {
    check(from.layers[0].ffn.gate, to.layers[0].ffn.gate, "blk.0.ffn_gate.weight");
    check(from.layers[0].ffn.up, to.layers[0].ffn.up, "blk.0.ffn_up.weight");
    check(from.layers[0].ffn.down, to.layers[0].ffn.down, "blk.0.ffn_down.weight");
  }

  // A request answers with it as with the same adapter saved as PEFT's.
  save_adapter(*adapter, folder.path() + "/peft");
  EngineOptions options;
  options.session.exact = true;
  Engine engine(model, options);
  EngineRequestOptions r;
  r.prompt.tokens = made_up_tokens(*model, 30, 3);
  r.generate.max_tokens = 12;
  r.generate.ignore_eos = true;
  std::vector<std::vector<int32_t>> answers;
  for (const AdapterPtr& a : {AdapterPtr(), adapter, load_adapter(*model, folder.path() + "/peft")}) {
    r.adapters.clear();
    if (a) r.adapters = {{a, 1}};
    answers.push_back(run(engine, *engine.submit(r)).tokens.at(0));
  }
  CHECK(answers[1] == answers[2]);
  CHECK(answers[0] != answers[1]);
}

TEST_CASE("PEFT's adapter, as llama.cpp's converter writes it, is the same adapter", "[engine][golden]") {
  int seen = 0;
  for (const Golden& g : goldens([](const Golden& golden) { return golden.has("logits_lora"); })) {
    CAPTURE(g.fixture());
    const ModelPtr model = Model::open(make_context({}), g.folder() + "/base");
    const LlamaConfig& c = model->config();
    const AdapterPtr peft = load_adapter(*model, g.folder() + "/adapter");
    const std::map<std::string, std::string> names = {
        {"q_proj", "attn_q"},  {"k_proj", "attn_k"},      {"v_proj", "attn_v"},     {"o_proj", "attn_output"},
        {"up_proj", "ffn_up"}, {"down_proj", "ffn_down"}, {"gate_proj", "ffn_gate"}};
    File file;
    bool plain = c.architecture == "llama";
    for (const NamedTensor& t : peft->tensors()) {
      Values v{t.shape, std::vector<float>(size_t(t.shape.count()))};
      copy_out(v.v.data(), t, [](const void* w) { return static_cast<const float*>(w); });
      const bool is_b = t.name.ends_with(".lora_B.weight");
      const std::string prefix = "base_model.model.model.layers.";
      plain = plain && t.name.starts_with(prefix);
      if (!plain) break;
      const std::string rest = t.name.substr(prefix.size(), t.name.size() - prefix.size() - strlen(".lora_A.weight"));
      const std::string module = rest.substr(rest.rfind('.') + 1);
      if (is_b && (module == "q_proj" || module == "k_proj")) {  // LlamaModel.permute of convert_hf_to_gguf.py
        const int64_t d = c.head_dim, r = t.shape[1];
        std::vector<float> permuted(v.v.size());
        for (int64_t h = 0; h < t.shape[0] / d; ++h)
          for (int64_t i = 0; i < d / 2; ++i)
            for (int64_t half = 0; half < 2; ++half)
              std::copy_n(v.v.data() + (h * d + half * (d / 2) + i) * r, r,
                          permuted.data() + (h * d + 2 * i + half) * r);
        v.v = permuted;
      }
      file["blk." + rest.substr(0, rest.find('.')) + "." + names.at(module) + ".weight" +
           (is_b ? ".lora_b" : ".lora_a")] = v;
    }
    if (!plain) continue;
    ++seen;
    const std::string config = peft->peft_config();
    const double alpha = std::stod(config.substr(config.find("\"lora_alpha\": ") + strlen("\"lora_alpha\": ")));
    const TempFolder folder;
    const std::string path = folder.path() + "/adapter.gguf";
    write(path, adapter_metadata(*model, alpha), file);
    const AdapterPtr gguf = load_adapter(*model, path);
    CHECK(gguf->peft_config() == config);
    REQUIRE(gguf->tensors().size() == peft->tensors().size());
    for (size_t i = 0; i < gguf->tensors().size(); ++i) {
      const NamedTensor &x = gguf->tensors()[i], &y = peft->tensors()[i];
      CAPTURE(x.name);
      CHECK(x.name == y.name);
      std::vector<float> a(size_t(x.shape.count())), b(size_t(y.shape.count()));
      copy_out(a.data(), x, [](const void* w) { return static_cast<const float*>(w); });
      copy_out(b.data(), y, [](const void* w) { return static_cast<const float*>(w); });
      CHECK(a == b);
    }
  }
  CHECK(seen > 0);
}

TEST_CASE("a GGUF adapter that does not fit is an error that names the tensor", "[engine]") {
  const ModelPtr model = open_text_model("dense_llama3");
  const Weight& wq = model->llama().weights.layers[0].wq;
  const TempFolder folder;
  const std::string path = folder.path() + "/adapter.gguf", name = "blk.0.attn_q.weight";
  const File good = {{name + ".lora_a", random_values({2, wq.cols}, 1)},
                     {name + ".lora_b", random_values({wq.rows, 2}, 2)}};
  const auto refused = [&](Status status, const char* words, const auto& change) {
    CAPTURE(words);
    File file = good;
    Metadata m = adapter_metadata(*model, 4);
    change(file, m);
    write(path, m, file);
    const std::string message = message_of([&] { load_adapter(*model, path); }, status);
    CAPTURE(message);
    CHECK(message.find(words) != message.npos);
  };
  write(path, adapter_metadata(*model, 4), good);
  CHECK(load_adapter(*model, path)->matrices() == 2);
  refused(Status::bad_file, "blk.99.attn_q.weight.lora_a", [&](File& f, Metadata&) {
    f["blk.99.attn_q.weight.lora_a"] = good.at(name + ".lora_a");
    f["blk.99.attn_q.weight.lora_b"] = good.at(name + ".lora_b");
  });
  refused(Status::bad_file, "token_embd.weight.lora_a",
          [&](File& f, Metadata&) { f["token_embd.weight.lora_a"] = good.at(name + ".lora_a"); });
  refused(Status::bad_file, "only one of", [&](File& f, Metadata&) { f.erase(name + ".lora_b"); });
  refused(Status::bad_file, "do not fit", [&](File& f, Metadata&) {
    f[name + ".lora_a"] = random_values({2, wq.cols + 1}, 1);
  });
  refused(Status::bad_file, "do not fit", [&](File& f, Metadata&) {
    f[name + ".lora_b"] = random_values({wq.rows, 3}, 1);
  });
  refused(Status::bad_file, "do not fit", [&](File& f, Metadata&) {
    f[name + ".lora_a"] = random_values({1, 2, wq.cols}, 1);
  });
  refused(Status::unsupported, "blk.0.attn_norm.weight",
          [&](File& f, Metadata&) { f["blk.0.attn_norm.weight"] = random_values({4}, 1); });
  refused(Status::bad_file, "no tensors", [&](File& f, Metadata&) { f.clear(); });
  refused(Status::bad_file, "general.type",
          [&](File&, Metadata& m) { m.replace("general.type", std::string("model")); });
  refused(Status::unsupported, "adapter.type",
          [&](File&, Metadata& m) { m.replace("adapter.type", std::string("control_vector")); });
  refused(Status::bad_file, "architecture",
          [&](File&, Metadata& m) { m.replace("general.architecture", std::string("qwen2")); });
  refused(Status::bad_file, "adapter.lora.alpha",
          [&](File&, Metadata& m) { m.replace("adapter.lora.alpha", std::string("four")); });
}

TEST_CASE("a damaged GGUF adapter is an error or an adapter, and leaves no memory behind", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const LlamaConfig& c = model->config();
  size_t moe = 0;
  while (!c.is_moe[moe]) ++moe;
  const Weight& gate = model->llama().weights.layers[moe].experts[0].gate;
  const std::string name = "blk." + std::to_string(moe) + ".ffn_gate_exps.weight";
  const TempFolder folder;
  const std::string path = folder.path() + "/adapter.gguf";
  write(path, adapter_metadata(*model, 4),
        {{name + ".lora_a", random_values({c.experts, 2, gate.cols}, 1)},
         {name + ".lora_b", random_values({c.experts, gate.rows, 2}, 2)}});
  std::ifstream in(path, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const uint64_t before = model->context().allocator()->used();
  std::mt19937 random(7);
  int refused = 0, read = 0;
  const auto try_it = [&](const std::string& bytes) {
    write_file(path, bytes);
    try {
      load_adapter(*model, path);
      ++read;
    } catch (const Error& e) {
      CHECK(e.what()[0] != '\0');
      ++refused;
    }
    CHECK(model->context().allocator()->used() == before);
  };
  for (size_t cut = 0; cut < good.size(); cut += 1 + good.size() / 120) try_it(good.substr(0, cut));
  CHECK(read == 0);
  const size_t header = std::min<size_t>(good.size(), 600);  // metadata and names: where damage can lie
  for (int i = 0; i < 600; ++i) {
    std::string bytes = good;
    for (int n = 0; n < 1 + i % 3; ++n) bytes[random() % header] = char(random());
    try_it(bytes);
  }
  CHECK(refused > 300);
}

}  // namespace test_gguf_adapters
