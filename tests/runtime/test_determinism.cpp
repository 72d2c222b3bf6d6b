// The determinism contract (docs/architecture.md, section 5): one hash of the logits a model and mode, over every ISA
// level this CPU has, 1 to 3 threads, prefill in pieces of 1, 7, 64 and whole, alone or in a batch, with flush-to-zero
// set by the host. The hashes are written down in tests/data/determinism/hashes.json, so that other machines and NEON
// under qemu are held to the same bits.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "puna/runtime/image.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/isa.h"
#include "support/written_hash.h"

using namespace puna;
using namespace puna::test;

namespace {

uint64_t hash_of(const std::vector<float>& v) { return fnv1a(v.data(), v.size() * 4); }

// Logits of all positions, appended in pieces, with another session in every pass if `company`.
std::vector<float> logits_in_pieces(const ModelPtr& model, const std::vector<int32_t>& ids, bool exact, size_t piece) {
  const size_t V = size_t(model->config().vocab);
  Session s(model, {exact, 0, int64_t(piece)});
  std::vector<float> all(ids.size() * V);
  s.append(ids, {.logits = all});
  return all;
}

std::vector<float> last_logits_in_a_batch(const ModelPtr& model, const std::vector<int32_t>& ids, bool exact) {
  Session other(model, {exact, 0, 24}), s(model, {exact, 0, 24});
  const std::vector<int32_t> few(ids.begin(), ids.begin() + 17);
  Session* sessions[] = {&other, &s};
  const PromptView tokens[] = {few, ids};
  Session::append_batch(sessions, tokens);
  return {s.logits().begin(), s.logits().end()};
}

ModelPtr open_with(const std::string& path, const std::string& isa, int threads) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  return Model::open(make_context(options), path);
}

// Logits of all positions: the first in one chunk, the last few a position at a time, as a prompt and its answer.
std::vector<float> logits_of_an_answer(const ModelPtr& model, const std::vector<int32_t>& ids, bool exact) {
  const size_t V = size_t(model->config().vocab), answered = std::min<size_t>(ids.size() / 2, 6);
  Session s(model, {exact, 0, 64});
  std::vector<float> all(ids.size() * V);
  const std::span<const int32_t> tokens = ids;
  const size_t prompt = ids.size() - answered;
  s.append(tokens.first(prompt), {.logits = std::span(all).first(prompt * V)});
  for (size_t i = prompt; i < ids.size(); ++i)
    s.append(tokens.subspan(i, 1), {.logits = std::span(all).subspan(i * V, V)});
  return all;
}

// What `compute` returns when the host has set flush-to-zero and denormals-are-zero.
std::vector<float> flushed_to_zero(const auto& compute) {
#if defined(__x86_64__)
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040);
  std::vector<float> got = compute();
  _mm_setcsr(saved);
  return got;
#else
  return compute();
#endif
}

// The hash of one model file in one mode, the same on every path through the library (CHECKs say where not). Each level
// has kernels for many rows, for a few and for one: a prompt, a batch, an answer. What divides work (pieces, threads)
// depends on no level and is tried on the widest one.
std::string one_hash(const std::string& path, const std::vector<int32_t>& ids, bool exact,
                     const std::vector<size_t>& pieces) {
  const std::vector<std::string> levels = supported_isas();
  std::vector<float> want, last;
  const auto look = [&](const std::string& isa, int threads) {
    const ModelPtr model = open_with(path, isa, threads);
    const std::vector<float> got = logits_of_an_answer(model, ids, exact);
    if (want.empty()) {
      want = got;
      last.assign(want.end() - std::ptrdiff_t(model->config().vocab), want.end());
    }
    CAPTURE(path, exact, isa, threads);
    CHECK(hash_of(got) == hash_of(want));
    CHECK(flushed_to_zero([&] { return last_logits_in_a_batch(model, ids, exact); }) == last);
    return model;
  };
  for (const std::string& isa : levels) look(isa, 2);
  for (const int threads : {1, 3}) {
    const ModelPtr model = look(levels.back(), threads);
    for (const size_t piece : pieces) {
      CAPTURE(path, exact, threads, piece);
      CHECK(hash_of(logits_in_pieces(model, ids, exact, piece)) == hash_of(want));
    }
    CHECK(last_logits_in_a_batch(model, ids, exact) == last);
  }
  return hex(hash_of(want));
}

}  // namespace

// Every model, as it is in both modes, and quantised: to every type, or each model to a third of them in turn.
static void check_hashes(bool every_type) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / ("puna-determinism-" + std::to_string(std::rand()))).string();
  std::filesystem::create_directories(folder);
  size_t turn = 0;
  for (const Golden& g : goldens(is_text_decoder)) {
    const std::vector<int64_t> wide = g.array("input_ids").i64();
    std::vector<int32_t> ids(wide.begin(), wide.end());
    const std::string name = name_with_weights(g);
    const ModelPtr original = Model::open(make_context({}), g.folder());
    if (!original->config().long_frequency.empty())  // a longer sequence turns to other frequencies
      ids.resize(size_t(original->config().long_from));
    for (const bool exact : {true, false})
      check_written(name + (exact ? "-exact" : "-default"), one_hash(g.folder(), ids, exact, {1, 7, 64}));
    ++turn;
    for (const DType type :
         {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::f16, DType::bf16}) {
      const LlamaConfig& c = original->config();
      if (c.hidden % 32 || c.ffn % 32 || (c.experts && c.expert_ffn % 32) || c.per_layer % 32)
        continue;  // rows that quantised blocks do not fit
      if (++turn % 3 != 0 && !every_type) continue;
      const std::string path = save_gguf(*original, folder + "/" + puna::name(type) + ".gguf", {type, 0}).front();
      check_written(name + "-" + puna::name(type) + "-default", one_hash(path, ids, false, {7}));
    }
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("logits have one hash a model and mode: ISA, threads, prefill chunks, batches, flush-to-zero",
          "[runtime][golden]") {
  check_hashes(false);
}

TEST_CASE("logits have one hash a model, mode and type of weights", "[runtime][golden][slow]") { check_hashes(true); }

TEST_CASE("a real quantised model's logits have one hash a mode", "[runtime][golden]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2 is not in the model cache (./dev test fetches it)");
  for (const Golden& g : goldens([](const Golden& s) { return s.fixture() == "smollm2_model"; })) {
    // The scalar level takes a second for ten tokens: the shortest prompt that the pieces below cut.
    std::vector<int32_t> ids;
    for (const auto& prompt : g.group("prompts")) {
      const auto its = prompt["ids"].get<std::vector<int32_t>>();
      if (its.size() > 5 && (ids.empty() || its.size() < ids.size())) ids = its;
    }
    for (const bool exact : {true, false}) {
      std::vector<float> want;
      const std::vector<std::string> levels = supported_isas();
      for (const std::string& isa : levels)
        for (const size_t piece : {size_t(5), size_t(64)}) {
          if (piece == 5 && isa != levels.back()) continue;  // small ones cost the slow levels too much; toys have them
          const std::vector<float> got =
              logits_in_pieces(open_with(smollm2(), isa, piece == 5 ? 1 : 2), ids, exact, piece);
          if (want.empty()) want = got;
          CAPTURE(isa, exact, piece);
          CHECK(hash_of(got) == hash_of(want));
        }
      check_written(
          "SmolLM2-135M-Instruct.Q4_1-" + hex(fnv1a(ids.data(), ids.size() * 4)) + (exact ? "-exact" : "-default"),
          hex(hash_of(want)));
    }
  }
}

TEST_CASE("with images logits have one hash a mode: ISA, threads, prefill chunks", "[runtime][golden]") {
  for (const Golden& g : goldens([](const Golden& s) { return s.has("pixel_values_hf") && s.has("logits"); })) {
    const std::vector<int64_t> wide = g.array("input_ids").i64();
    const std::vector<int32_t> ids(wide.begin(), wide.end());
    const std::vector<float> pixels = g.array("pixel_values_hf").f32();
    for (const bool exact : {true, false}) {
      std::vector<float> want;
      for (const std::string& isa : supported_isas())
        for (const int threads : {1, 2, 3}) {
          const ModelPtr model = open_with(g.folder(), isa, threads);
          std::vector<ImagePtr> images;
          size_t at = 0;
          for (const auto& grid : g.manifest["facts"]["aspect_ratios_hw"]) {
            const int64_t rows = grid[0], cols = grid[1], tiles = rows * cols + (rows * cols > 1);
            const size_t floats = size_t(tiles * model->require_vision().config.pixels());
            images.push_back(Image::from_pixels(model, std::span(pixels).subspan(at, floats), rows, cols));
            at += floats;
          }
          for (const int64_t piece : {1, 7, 64}) {
            Session s(model, {exact, 0, piece});
            std::vector<float> got(ids.size() * size_t(model->config().vocab));
            s.append(place_images(*model, ids, images), {.logits = got});
            if (want.empty()) want = got;
            CAPTURE(exact, isa, threads, piece);
            CHECK(hash_of(got) == hash_of(want));
          }
        }
      check_written(name_with_weights(g) + "-images" + (exact ? "-exact" : "-default"), hex(hash_of(want)));
    }
  }
}
