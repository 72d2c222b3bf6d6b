// Long sequences on chunked models: dropping what no later position can see, and coming back to it, changes no bit.
#include "ref/compare.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/run_model.h"

using namespace puna;
using namespace puna::test;

namespace {

bool is_llama4_text(const Golden& g) {
  return g.has("logits") && g.has("embeddings") && g.has("router_experts") &&
         read_text(g.folder() + "/config.json").find("llama4") != std::string::npos;
}

std::vector<int64_t> long_prompt(const LlamaConfig& c, const Golden& g) {
  const std::vector<int64_t> ids = g.array("input_ids").i64();
  std::vector<int64_t> all;
  while (int64_t(all.size()) < 6 * c.chunk + 3) all.push_back(ids[all.size() * 7 % ids.size()]);
  return all;
}

std::vector<float> run_in_pieces(const LoadedLlama& m, KvCache& cache, int64_t position, std::span<const int64_t> ids,
                                 bool exact, size_t piece) {
  std::vector<float> all;
  for (size_t at = 0; at < ids.size(); at += piece)
    for (const float x :
         run_rows(m, cache, position + int64_t(at), ids.subspan(at, std::min(piece, ids.size() - at)), exact))
      all.push_back(x);
  return all;
}

}  // namespace

TEST_CASE("a long prefill in pieces, dropping chunks, equals one pass that drops nothing before its end",
          "[model][golden]") {
  for (const Golden& g : goldens(is_llama4_text)) {
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const LlamaConfig& c = m.llama.config;
    const std::vector<int64_t> ids = long_prompt(c, g);
    for (const bool exact : {true, false}) {
      KvCache whole = new_cache(m, exact);
      const std::vector<float> want = run_rows(m, whole, 0, ids, exact);
      for (const size_t piece :
           {size_t(1), size_t(c.chunk - 1), size_t(c.chunk), size_t(c.chunk + 1), size_t(3 * c.chunk + 5)}) {
        CAPTURE(exact, piece);
        KvCache cache = new_cache(m, exact);
        CHECK(ref::differing(run_in_pieces(m, cache, 0, ids, exact, piece), want) == 0);
        for (int64_t l = 0; l < c.layers; ++l) {
          const int64_t held = c.chunked(l) ? int64_t(ids.size()) % c.chunk : int64_t(ids.size());
          CHECK(cache.pages(l) == (held + cache.page_size() - 1) / cache.page_size());
          CHECK(cache.pages(l) == whole.pages(l));
        }
      }
    }
  }
}

TEST_CASE("after a rewind into a dropped chunk, feeding it again gives the same bits", "[model][golden]") {
  for (const Golden& g : goldens(is_llama4_text)) {
    INFO("golden set " << g.folder());
    const LoadedLlama m = load_llama(g.folder());
    const LlamaConfig& c = m.llama.config;
    const std::vector<int64_t> ids = long_prompt(c, g);
    const size_t V = size_t(c.vocab);
    for (const bool exact : {true, false}) {
      KvCache cache = new_cache(m, exact);
      const std::vector<float> want = run_in_pieces(m, cache, 0, ids, exact, 10);
      for (const int64_t length :
           {int64_t(ids.size()) - 1, 5 * c.chunk, 5 * c.chunk - 1, 2 * c.chunk + 7, int64_t(3)}) {
        CAPTURE(exact, length);
        const int64_t start = cache.rewind(length);
        CHECK((start <= length && (start == length || start == length / c.chunk * c.chunk)));
        const std::vector<float> again =
            run_in_pieces(m, cache, start, std::span(ids).subspan(size_t(start), size_t(length - start)), exact, 4);
        CHECK(ref::differing(again, std::span(want).subspan(size_t(start) * V, again.size())) == 0);
        const std::vector<float> rest =
            run_in_pieces(m, cache, length, std::span(ids).subspan(size_t(length)), exact, 9);
        CHECK(ref::differing(rest, std::span(want).subspan(size_t(length) * V)) == 0);
      }
    }
  }
}
