// Models in every block format and in every layout of quantised folders: their weights are the reference's, exact
// logits equal those of the dequantised copy to the last bit, default ones stay near them and are the same on every ISA
// level and with other threads.
#include <cmath>

#include "ops/linear.h"
#include "puna/io/gguf.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "ref/half.h"
#include "ref/random.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/isa.h"
#include "text/sha256.h"

using namespace puna;
using namespace puna::test;

namespace test_formats {
namespace {

ModelPtr open_on(const std::string& path, const std::string& isa = "", int threads = 1) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return Model::open(make_context(options), path);
}

std::vector<float> logits_of(const ModelPtr& model, const std::vector<int32_t>& ids, bool exact) {
  Session session(model, {exact, 0, 256});
  std::vector<float> logits(ids.size() * size_t(model->config().vocab));
  session.append(ids, {.logits = logits});
  return logits;
}

// Root of the mean square, and of the difference.
double size_of(const std::vector<float>& a) {
  double sum = 0;
  for (const float x : a) sum += double(x) * x;
  return std::sqrt(sum / double(a.size()));
}
double apart(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> d(a.size());
  for (size_t i = 0; i < a.size(); ++i) d[i] = a[i] - b[i];
  return size_of(d);
}

// What every model of integers and scales must show, from its file or folder.
void check_model(const std::string& path, const std::vector<int32_t>& ids, const TempFolder& folder) {
  const ModelPtr model = open_on(path);
  const std::vector<float> exact = logits_of(model, ids, true), usual = logits_of(model, ids, false);
  const ModelPtr plain = open_on(save_gguf(*model, folder / "plain.gguf", {DType::f32, 0}).front());
  CHECK(plain->llama().weights.layers[0].wq.dtype == DType::f32);
  if (plain->config().rope_style == model->config().rope_style)
    CHECK(logits_of(plain, ids, true) == exact);
  else  // pairs of q and k in other places are summed in another order
    CHECK(apart(logits_of(plain, ids, true), exact) < 1e-4 * size_of(exact));
  CHECK(size_of(exact) > 0.01);
  // Activations of 8 bits, which all formats share: Q8_0 of the same weights is as far from its own exact logits.
  const ModelPtr yardstick = open_on(save_gguf(*plain, folder / "yardstick.gguf", {DType::q8_0, 0}).front());
  const double usual_distance = apart(logits_of(yardstick, ids, false), logits_of(yardstick, ids, true));
  CHECK(apart(usual, exact) < 2 * usual_distance);
  for (const std::string& isa : supported_isas()) {
    CAPTURE(isa);
    const ModelPtr other = open_on(path, isa, 2);
    CHECK(logits_of(other, ids, false) == usual);
    CHECK(logits_of(other, ids, true) == exact);
  }
}

// ---- GGUF files of blocks that this library does not make ----

void set_scale(uint8_t* block, DType type, float d) {
  const uint16_t half = ref::nearest_half(d);
  if (type == DType::iq1_m) {  // four bits on top of each of four words
    for (int i = 0; i < 4; ++i) {
      uint8_t& top = block[48 + 2 * i + 1];
      top = uint8_t((top & 15) | (half >> 4 * i & 15) << 4);
    }
    return;
  }
  memcpy(block + (type == DType::tq1_0 ? 52 : type == DType::tq2_0 ? 64 : 0), &half, 2);
}

struct Blocks {
  Blocks(const Golden& g, DType t, const std::string& array)
      : type(t), bytes(g.array(array).bytes), size(info(t).bytes) {
    const int64_t n = int64_t(bytes.size()) / size;
    const KernelTable& k = *select_kernels("scalar");
    for (int64_t i = 0; i < n; ++i) {  // so that rows are of length one
      auto* const block = reinterpret_cast<uint8_t*>(bytes.data()) + i * size;
      std::vector<float> x(256);
      set_scale(block, type, 1);
      dequantise_row(k, x.data(), type, block, 256);
      set_scale(block, type, float(1 / (16 * size_of(x))));
    }
  }
  DType type;
  std::string bytes;
  int64_t size;
};

// A Llama of two layers, every matrix of these blocks in a random order; files of them can be written as they are.
std::string write_model(const std::string& path, const Blocks& blocks) {
  LlamaConfig c;
  c.architecture = "llama";
  c.layers = 2;
  c.hidden = 256;
  c.heads = 4;
  c.kv_heads = 2;
  c.head_dim = 64;
  c.ffn = 512;
  c.vocab = 48;
  c.tied = true;
  c.max_positions = 256;
  c.norm_eps = 1e-5f;
  c.inverse_frequency = rope_inverse_frequency(c.head_dim, 10000, {});
  c.uses_rope.assign(2, 1);
  c.is_moe.assign(2, 0);
  std::vector<OutputTensor> tensors;
  const std::vector<float> ones(256, 1.0f), embedding = ref::normal(c.vocab * c.hidden, 3);
  uint64_t seed = 7;
  const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols) {
    tensors.push_back({name, blocks.type, {rows, cols}, nullptr, [&blocks, rows, cols, s = ++seed](auto write) {
                         ref::Random random(s);
                         const int64_t n = int64_t(blocks.bytes.size()) / blocks.size;
                         for (int64_t i = 0; i < rows * cols / 256; ++i)
                           write(blocks.bytes.data() + int64_t(random.bits() % uint64_t(n)) * blocks.size,
                                 uint64_t(blocks.size));
                       }});
  };
  const auto vector = [&](const std::string& name) {
    tensors.push_back({name, DType::f32, {c.hidden}, ones.data(), {}});
  };
  tensors.push_back({"token_embd.weight", DType::f32, {c.vocab, c.hidden}, embedding.data(), {}});
  vector("output_norm.weight");
  for (const std::string b : {"blk.0.", "blk.1."}) {
    vector(b + "attn_norm.weight");
    matrix(b + "attn_q.weight", 256, 256);
    matrix(b + "attn_k.weight", 128, 256);
    matrix(b + "attn_v.weight", 128, 256);
    matrix(b + "attn_output.weight", 256, 256);
    vector(b + "ffn_norm.weight");
    matrix(b + "ffn_gate.weight", 512, 256);
    matrix(b + "ffn_up.weight", 512, 256);
    matrix(b + "ffn_down.weight", 256, 512);
  }
  return write_gguf(path, gguf_metadata(c), tensors).front();
}

template <class Fn>
int each_table_format(Fn&& fn) {
  int formats = 0;
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "quant_tables"; }))
    for (const DType type : {DType::iq2_xxs, DType::iq2_xs, DType::iq2_s, DType::iq3_xxs, DType::iq3_s, DType::iq1_s,
                             DType::iq1_m, DType::tq1_0, DType::tq2_0}) {
      std::string array = "rand_" + std::string(name(type)) + "_bytes";
      for (char& c : array) c = char(tolower(c));
      CAPTURE(array);
      fn(Blocks(g, type, array));
      ++formats;
    }
  return formats;
}

std::vector<int32_t> prompt(int64_t vocab) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 21; ++i) ids.push_back(int32_t(i * 17 % vocab));
  return ids;
}

bool is_scaled(const Golden& g) { return g.fixture() == "scaled"; }

}  // namespace

TEST_CASE("GGUF models of table and ternary blocks answer as their dequantised copies do", "[runtime][golden]") {
  const int formats = each_table_format([](const Blocks& blocks) {
    const TempFolder folder;
    const std::string path = write_model(folder / "model.gguf", blocks);
    check_model(path, prompt(48), folder);
    // Written as they are, they are the same bytes.
    const ModelPtr model = open_on(path);
    CHECK(model->llama().weights.layers[1].ffn.down.dtype == blocks.type);
    const Checkpoint before = load_checkpoint(model->context(), path);
    const Checkpoint again = load_checkpoint(model->context(), save_gguf(*model, folder / "again.gguf", {}).front());
    for (const TensorEntry& t : before.tensors.entries()) {
      const TensorEntry* const other = again.tensors.find(t.name);
      REQUIRE(other);
      CHECK((other->dtype == t.dtype && other->bytes == t.bytes && memcmp(other->data, t.data, t.bytes) == 0));
    }
  });
  CHECK(formats >= 9);
}

TEST_CASE("types for reading only are refused by name when a model is written", "[runtime][golden]") {
  const ModelPtr model = open_on(goldens(is_scaled).front().folder());
  const TempFolder folder;
  for (const DType type :
       {DType::iq2_xxs, DType::iq2_xs, DType::iq2_s, DType::iq3_xxs, DType::iq3_s, DType::iq1_s, DType::iq1_m}) {
    CAPTURE(name(type));
    CHECK_THROWS_WITH(save_gguf(*model, folder / "a.gguf", {type, 0}), Catch::Contains(name(type)));
  }
  CHECK_THROWS_WITH(save_gguf(*model, folder / "a.gguf", {}), Catch::Contains("choose a type to write"));
}

TEST_CASE("a quantised folder's weights are scale * (code - zero), to the last bit", "[runtime][golden]") {
  for (const Golden& g : goldens(is_scaled)) {
    INFO("golden set " << g.folder());
    const ModelPtr model = open_on(g.folder());
    const LlamaLayer& l = model->llama().weights.layers[0];
    const std::pair<const char*, const Weight*> all[] = {{"self_attn.q_proj", &l.wq},    {"self_attn.k_proj", &l.wk},
                                                         {"self_attn.v_proj", &l.wv},    {"self_attn.o_proj", &l.wo},
                                                         {"mlp.gate_proj", &l.ffn.gate}, {"mlp.up_proj", &l.ffn.up},
                                                         {"mlp.down_proj", &l.ffn.down}};
    uint64_t parameters = 0;
    for (const auto& [part, w] : all) {
      CAPTURE(part);
      const nlohmann::json& want = g.manifest["matrices"]["model.layers.0." + std::string(part) + ".weight"];
      CHECK(want["dtype"].get<std::string>() == name(w->dtype));
      REQUIRE(want["shape"].get<std::vector<int64_t>>() == std::vector<int64_t>{w->rows, w->cols});
      std::vector<float> values(size_t(w->rows * w->cols));
      for (int64_t r = 0; r < w->rows; ++r) weight_row(model->context().kernels(), values.data() + r * w->cols, *w, r);
      std::vector<int32_t> words(values.size());
      memcpy(words.data(), values.data(), values.size() * 4);
      CHECK(sha256_of_ids(words) == want["sha256"].get<std::string>());
      parameters += values.size();
    }
    const uint64_t D = uint64_t(model->config().hidden);
    CHECK(model->parameter_count() == parameters + uint64_t(model->config().vocab) * D + 3 * D);
    CHECK(model->not_used().tensors.size() <= 7);  // scales of activations, or zero biases
  }
}

TEST_CASE("a quantised folder answers as its dequantised copy does", "[runtime][golden]") {
  for (const Golden& g : goldens(is_scaled)) {
    INFO("golden set " << g.folder());
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    const TempFolder folder;
    check_model(g.folder(), std::vector<int32_t>(ids.begin(), ids.end()), folder);
  }
}

}  // namespace test_formats
