// The determinism contract (ARCHITECTURE 5) at the model layer: one hash of the logits a mode, over every ISA level this CPU has,
// 1 to 3 threads and prefill in pieces of 1, 7, 64; also with flush-to-zero set by the host. NEON runs the same test under qemu,
// and every machine must print the same hash: it is compared with the one written down here.
#include "base/fp_env.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace {

uint64_t fnv1a(std::span<const float> values) {
  uint64_t h = 1469598103934665603u;
  const auto* p = reinterpret_cast<const unsigned char*>(values.data());
  for (size_t i = 0; i < values.size() * 4; ++i) h = (h ^ p[i]) * 1099511628211u;
  return h;
}

uint64_t hash_of(const LoadedLlama& m, std::span<const int64_t> ids, bool exact, int64_t piece) {
  KvCache cache = new_cache(m, exact);
  std::vector<float> all;
  for (int64_t at = 0; at < int64_t(ids.size()); at += piece) {
    const auto part = ids.subspan(size_t(at), size_t(std::min(piece, int64_t(ids.size()) - at)));
    for (const float x : run_rows(m, cache, at, part, exact)) all.push_back(x);
  }
  return fnv1a(all);
}

}  // namespace

TEST_CASE("logits have one hash a mode: every ISA, thread count and prefill chunk", "[model][golden]") {
  for (const Golden& g : goldens([](const Golden& s) { return s.has("logits") && s.has("hidden_states") && s.has("embeddings"); })) {
    INFO("golden set " << g.folder());
    const std::vector<int64_t> ids = g.array("input_ids").i64();
    for (const bool exact : {true, false}) {
      uint64_t want = 0;
      for (const std::string& isa : supported_isas())
        for (const int threads : {1, 2, 3}) {
          const LoadedLlama m = load_llama(g.folder(), context_with(isa, threads));
          for (const int64_t piece : {int64_t(1), int64_t(7), int64_t(64), int64_t(ids.size())}) {
            const uint64_t got = hash_of(m, ids, exact, piece);
            if (want == 0) want = got;
            CAPTURE(exact, isa, threads, piece);
            CHECK(got == want);
          }
        }
    }
  }
}
