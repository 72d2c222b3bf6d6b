// What save_gguf writes for each family is what llama.cpp's converter writes: its keys with its values, its tensors
// with its names, shapes and bits (golden/gguf_llama_cpp.json of each set). And what it reads back is the same model.
#include <algorithm>
#include <cstring>

#include "model/family.h"
#include "model/same_config.h"
#include "puna/io/checkpoint.h"
#include "puna/model/kv_cache.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "puna/runtime/snapshot.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "text/sha256.h"

using namespace puna;
using namespace puna::test;

namespace {

std::string sha256_of(const TensorEntry& t) {
  std::vector<int32_t> words(size_t(t.bytes / 4));
  memcpy(words.data(), t.data, words.size() * 4);
  return sha256_of_ids(words);
}

void check_number(const nlohmann::json& want, double got) {
  if (want.is_boolean())
    CHECK(got == double(want.get<bool>()));
  else if (want.is_string())  // "-inf"
    CHECK(got == -INFINITY);
  else
    CHECK(got == Catch::Detail::Approx(want.get<double>()).epsilon(1e-6));
}

void check_keys(const nlohmann::json& want, const Metadata& got) {
  for (const auto& [key, value] : want.items()) {
    INFO("key " << key);
    const MetadataValue* v = got.find(key);
    REQUIRE(v);
    if (value.is_string()) {
      CHECK(std::get<std::string>(*v) == value.get<std::string>());
    } else if (value.is_array()) {  // a number a layer
      const auto* integers = std::get_if<std::vector<int64_t>>(v);
      const auto* reals = std::get_if<std::vector<double>>(v);
      REQUIRE((integers ? integers->size() : reals ? reals->size() : 0) == value.size());
      for (size_t i = 0; i < value.size(); ++i) check_number(value[i], integers ? double((*integers)[i]) : (*reals)[i]);
    } else {
      const auto* integer = std::get_if<int64_t>(v);
      check_number(value, integer ? double(*integer) : std::get<double>(*v));
    }
  }
}

void check_file(const std::string& path, const nlohmann::json& want) {
  const ContextPtr context = make_context({});
  const Checkpoint got = load_checkpoint(*context, path);
  check_keys(want["kv"], got.metadata);
  size_t found = 0;
  for (const TensorEntry& t : got.tensors.entries()) {
    INFO("tensor " << t.name);
    REQUIRE(want["tensors"].contains(t.name));
    const nlohmann::json& w = want["tensors"][t.name];
    std::vector<int64_t> shape = w["shape_ne"].get<std::vector<int64_t>>();
    std::reverse(shape.begin(), shape.end());
    CHECK(std::vector<int64_t>(t.shape.dim, t.shape.dim + t.shape.rank) == shape);
    CHECK(name(t.dtype) == w.value("type", "F32"));
    CHECK(sha256_of(t) == w["sha256"].get<std::string>());
    ++found;
  }
  CHECK(found == want["tensors"].size());
}

bool has_converted(const Golden& g) {
  return g.manifest.contains("groups") && g.manifest["groups"].contains("gguf_llama_cpp") && is_decoder(g) &&
         family_of_type(
             nlohmann::json::parse(read_text(g.folder() + "/config.json")).value("model_type", std::string()));
}

}  // namespace

TEST_CASE("a family's GGUF file is what llama.cpp's converter writes", "[runtime][golden]") {
  const ContextPtr context = make_context({});
  const TempFolder folder;
  for (const Golden& g : goldens(has_converted)) {
    INFO("golden set " << g.folder());
    const ModelPtr model = Model::open(context, g.folder());
    const std::string path = save_gguf(*model, folder / "model.gguf", {DType::f32, 0}).front();
    check_file(path, g.group("gguf_llama_cpp"));
    LlamaConfig back = Model::open(context, path)->config(), c = model->config();
    back.rope_style = c.rope_style;
    check_same_config(back, c);
  }
}

TEST_CASE("MXFP4 experts stay as they are, from Hugging Face's blocks and scales to GGUF's", "[runtime][golden]") {
  const ContextPtr context = make_context({});
  const TempFolder folder;
  for (const Golden& g : goldens([](const Golden& s) { return s.has("mxfp4_logits"); })) {
    INFO("golden set " << g.folder());
    const ModelPtr model = Model::open(context, g.folder() + "/mxfp4");
    const std::string path = save_gguf(*model, folder / "mxfp4.gguf", {}).front();
    const Checkpoint got = load_checkpoint(*context, path);
    const nlohmann::json want = g.group("gguf_llama_cpp_mxfp4");
    size_t found = 0;
    for (const TensorEntry& t : got.tensors.entries()) {
      if (t.dtype != DType::mxfp4) continue;
      INFO("tensor " << t.name);
      CHECK(sha256_of(t) == want["tensors"][t.name]["sha256"].get<std::string>());
      ++found;
    }
    CHECK(found == 3 * size_t(model->config().layers));
    Session session(Model::open(context, path), {.exact = true});
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    std::vector<float> logits(ids.size() * size_t(model->config().vocab));
    session.append(std::vector<int32_t>(ids.begin(), ids.end()), {.logits = logits});
    g.check("mxfp4_logits", logits);
  }
}

TEST_CASE("LongRoPE turns to the long factors for all positions when a sequence becomes longer", "[runtime][golden]") {
  const ContextPtr context = make_context({});
  for (const Golden& g : goldens([](const Golden& s) { return s.has("cross_greedy_tokens"); })) {
    INFO("golden set " << g.folder());
    const ModelPtr model = Model::open(context, g.folder());
    const std::vector<int64_t> ids = g.array("cross_input_ids").i64(), want = g.array("cross_greedy_tokens").i64();
    Session session(model, {.exact = true});
    session.append(std::vector<int32_t>(ids.begin(), ids.end()), {});
    std::vector<int64_t> got;
    for (size_t i = 0; i < want.size(); ++i) {
      const std::span<const float> logits = session.logits();
      got.push_back(std::max_element(logits.begin(), logits.end()) - logits.begin());
      session.append(std::vector<int32_t>{int32_t(got.back())}, {});
    }
    CHECK(got == want);
    // and back: what is left of a truncated sequence is short again
    const int64_t length = int64_t(ids.size());
    session.truncate(length - 1);
    session.append(std::vector<int32_t>{int32_t(ids.back())}, {});
    Session again(model, {.exact = true});
    again.append(std::vector<int32_t>(ids.begin(), ids.end()), {});
    CHECK(std::vector<float>(session.logits().begin(), session.logits().end()) ==
          std::vector<float>(again.logits().begin(), again.logits().end()));
  }
}

TEST_CASE("sliding windows: dropped keys, rewinds, forks and snapshots give the bits of one pass",
          "[runtime][golden]") {
  const ContextPtr context = make_context({});
  for (const Golden& g : goldens(is_decoder)) {
    const ModelPtr model = Model::open(context, g.folder());
    const LlamaConfig& c = model->config();
    if (c.window == 0) continue;
    INFO("golden set " << g.folder());
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < 400; ++i) ids.push_back(int32_t(i * 37 % c.vocab));
    const auto run = [&](Session& s, int64_t begin, int64_t end) {
      s.append(std::vector<int32_t>(ids.begin() + begin, ids.begin() + end), {});
      return std::vector<float>(s.logits().begin(), s.logits().end());
    };
    Session whole(model, {.exact = true});
    const std::vector<float> want = run(whole, 0, 400);
    Session pieces(model, {.exact = true, .prefill_chunk = 16});
    for (int64_t at = 0; at < 399; at += 21) run(pieces, at, std::min<int64_t>(399, at + 21));
    CHECK(run(pieces, 399, 400) == want);
    for (const int64_t back : {399, 380, 300, 5}) {  // within the slack, and beyond it
      pieces.truncate(back);
      CHECK(run(pieces, back, 400) == want);
    }
    const std::unique_ptr<Session> fork = pieces.fork();
    fork->truncate(350);  // and its pages behind the window are not those that a session of 350 would have
    std::vector<std::byte> bytes(size_t(snapshot_bytes(*fork)));
    save_snapshot(*fork, bytes);
    const std::unique_ptr<Session> restored = restore_snapshot(model, bytes);
    CHECK(run(*restored, 350, 400) == want);
    restored->truncate(340);
    CHECK(run(*restored, 340, 400) == want);
    fork->truncate(345);
    CHECK(run(*fork, 345, 400) == want);
    // only what windows see is held: a page more at each end, and the slack; within a prompt no slack, and none is
    // missing at its end
    for (const int64_t prompt : {int64_t(399), int64_t(400), 340 + KvCache::kSlack}) {
      KvCache whole(c, context->allocator(), DType::f32), pieces(c, context->allocator(), DType::f32);
      for (int64_t at = 0; at < prompt; at += 16) {
        const int64_t end = std::min(at + 16, prompt);
        for (KvCache* kv : {&whole, &pieces}) kv->prepare(at, end);
        whole.commit(end);
        pieces.commit(end, 0, prompt - end);
        for (int64_t l = 0; l < c.layers; ++l) {
          CHECK(pieces.pages(l) <= whole.pages(l));
          const bool inside = prompt - end >= KvCache::kSlack;
          if (c.sliding(l) && inside) CHECK(pieces.pages(l) <= (c.window - 1) / pieces.page_size() + 2);
        }
      }
      for (int64_t l = 0; l < c.layers; ++l) CHECK(pieces.pages(l) == whole.pages(l));
      CHECK(pieces.rewind(prompt - KvCache::kSlack) == prompt - KvCache::kSlack);
    }
    KvCache kv(c, context->allocator(), DType::f32);
    for (int64_t at = 0; at < 400; at += 16) {
      kv.prepare(at, at + 16);
      kv.commit(at + 16);
    }
    CHECK(kv.layers() == c.layers - c.shared_kv);
    for (int64_t l = 0; l < kv.layers(); ++l)
      CHECK(kv.pages(l) <= (c.sliding(l) ? (c.window + KvCache::kSlack) / kv.page_size() + 2
                                         : (400 + kv.page_size() - 1) / kv.page_size()));
  }
}
