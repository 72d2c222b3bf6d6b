// Products by a provider: of every weight type, forward and backward, in linear layers and experts, they are the
// products; what a provider refuses is made without it; without permission it is never called.
#include "ops/provided.h"

#include <atomic>

#include "base/crossover.h"
#include "ops/experts.h"
#include "ops/on_tape.h"
#include "ops/weights.h"
#include "puna/base/logger.h"
#include "ref/compare.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using Floats = std::vector<float>;

namespace {

// A provider by the book: one loop, sums in double.
struct Plain {
  std::atomic<int64_t> calls{0};
  bool refuses = false;

  template <class T>
  static double wide(T x) {
    if constexpr (sizeof(T) == 2)
      return double(std::bit_cast<float>(uint32_t(x) << 16));
    else
      return double(x);
  }
  template <class T>
  static int32_t multiply(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
                          const T* b, int64_t ldb, float* c, int64_t ldc) {
    auto* const self = static_cast<Plain*>(user);
    ++self->calls;
    if (self->refuses) return 1;
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < n; ++j) {
        double sum = flags & kAddToC ? double(c[r * ldc + j]) : 0;
        for (int64_t i = 0; i < k; ++i)
          sum += wide(a[flags & kTransposedA ? i * lda + r : r * lda + i]) *
                 wide(b[flags & kTransposedB ? j * ldb + i : i * ldb + j]);
        c[r * ldc + j] = float(sum);
      }
    return 0;
  }
  GemmProvider table() { return {"plain", this, multiply<float>, multiply<uint16_t>}; }
};

struct Results {
  std::vector<Floats> values;  // outputs and gradients, in an order of the maker's
};

// Each value within `share` of the largest of its array: sums of hundreds of products, in another order or of rounded
// factors.
void check_near(const Results& got, const Results& want, double share) {
  REQUIRE(got.values.size() == want.values.size());
  for (size_t i = 0; i < want.values.size(); ++i) {
    CAPTURE(i);
    double largest = 0;
    for (const float x : want.values[i]) largest = std::max(largest, std::abs(double(x)));
    const std::vector<double> wide(want.values[i].begin(), want.values[i].end());
    ref::check_within(got.values[i], wide, [&](size_t) { return share * largest; });
  }
}

Results linear_results(const GemmPermission& permission, const StoredWeight& w, int64_t T, bool exact) {
  const int64_t N = w.weight.rows, K = w.weight.cols;
  const Floats x = ref::normal(T * K, 31), dy = ref::normal(T * N, 32), start = ref::normal(T * N, 33);
  Floats dw(size_t((N + 15) / 16 * 16 * K), 0.5f);
  ParameterGradients parameters;
  if (w.weight.dtype == DType::f32) parameters.emplace(w.weight.panels, dw.data());
  Results r{{{}, {}, {}}};
  on_tape(parameters,
          [&](Tape& rec) {
            const Activations in = make_activations(rec, T, K, {&w.weight});
            rec.stage(T, [&](int64_t t) {
              memcpy(in.x.row(t), x.data() + t * K, size_t(K) * 4);
              finish_row(rec.kernels(), in, t);
            });
            const View y = put(rec, start, T, N);
            linear(rec, in, {{y, &w.weight, true}});
            take_values(rec, r.values[0], y);
            set_gradient(rec, y, dy);
            rec.backward();
            take(rec, r.values[1], in.x);
          },
          {.threads = 2, .exact = exact, .permission = permission});
  r.values[2] = dw;
  return r;
}

Results expert_results(const GemmPermission& permission, std::span<const ExpertWeights> experts,
                       const ExpertWeights* shared, int64_t R, int64_t top_k) {
  const int64_t D = experts[0].gate.cols, E = int64_t(experts.size());
  const Floats x = ref::normal(R * D, 41), dy = ref::normal(R * D, 42), logits = ref::normal(R * E, 43);
  const ParameterGradients none;
  Results r{{{}, {}, {}}};
  on_tape(none,
          [&](Tape& rec) {
            Activations in;
            in.x = put(rec, x, R, D);
            const View out = put(rec, x, R, D), scores = put(rec, logits, R, E);
            rec.gradient(out);
            rec.gradient(in.x);
            rec.gradient(scores);
            const Routes routes = choose_experts(rec, scores, {top_k});
            experts_add(rec, out, in, routes, experts, shared);
            take_values(rec, r.values[0], out);
            set_gradient(rec, out, dy);
            rec.backward();
            take(rec, r.values[1], in.x);
            take(rec, r.values[2], scores);
          },
          {.threads = 2, .permission = permission});
  return r;
}

}  // namespace

TEST_CASE("a provider's linear layer is a linear layer, forward and backward, of every weight type", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_k})
    for (const auto& [T, N, K] : {std::array<int64_t, 3>{33, 40, 256}, {130, 1030, 256}, {300, 61, 512}}) {
      CAPTURE(name(dtype), T, N, K);
      const StoredWeight w(dtype, N, K, 21);
      const Results own = linear_results({}, w, T, true);
      const int64_t before = plain.calls;
      check_near(linear_results({&table, nullptr, nullptr, false}, w, T, true), own, 2e-6);
      CHECK(plain.calls > before);
      check_near(linear_results({&table, nullptr, nullptr, true}, w, T, true), own,
                 1e-2);  // two factors of 8 bits each: 2^-8 of a product
    }
}

TEST_CASE("integer products stay ours; their gradient may be a provider's", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  const StoredWeight w(DType::q8_0, 96, 256, 22);
  const Results own = linear_results({}, w, 64, false),
                provided = linear_results({&table, nullptr, nullptr, false}, w, 64, false);
  CHECK(ref::differing(own.values[0], provided.values[0]) == 0);
  CHECK(plain.calls > 0);
  check_near(provided, own, 2e-6);
}

TEST_CASE("a weight larger than the transposition buffer is transposed in pieces", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  const StoredWeight w(DType::f32, 9000, 512, 23);
  check_near(linear_results({&table, nullptr, nullptr, false}, w, 32, true), linear_results({}, w, 32, true),
             2e-5);  // dx adds up 9000
}

TEST_CASE("what a provider refuses is made without it", "[ops]") {
  Plain plain;
  plain.refuses = true;
  const GemmProvider table = plain.table();
  int64_t lines = 0;
  const Logger logger{&lines, [](void* user, int32_t, const char* line) {
                        ++*static_cast<int64_t*>(user);
                        CHECK_THAT(line, Catch::Matchers::Contains("'plain' refused"));
                      }};
  const StoredWeight w(DType::f32, 70, 96, 24);
  const Results own = linear_results({}, w, 40, true);
  check_near(linear_results({&table, nullptr, nullptr, false}, w, 40, true), own, 2e-6);
  check_near(linear_results({&table, nullptr, nullptr, true}, w, 40, true), own, 1e-2);
  const auto one = make_thread_pool(1, {});
  std::vector<std::byte> block(1 << 20);
  Arena arena(block.data(), block.size());
  Cursor cursor;
  Inference rec(*select_kernels(""), *one, arena, cursor, true, {});
  rec.allow({&table, nullptr, &logger, false});
  Activations in;
  in.x = rec.make(40, 96);
  std::fill_n(in.x.f32(), 40 * 96, 1.0f);
  linear(rec, in, {{rec.make(40, 70), &w.weight}});
  CHECK(lines == 1);
}

TEST_CASE("few rows and small matrices are not worth a call", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  linear_results({&table, nullptr, nullptr, false}, StoredWeight(DType::f32, 96, 96, 25), 31, true);
  linear_results({&table, nullptr, nullptr, false}, StoredWeight(DType::f32, 8, 96, 26), 64, true);
  CHECK(plain.calls == 0);
}

TEST_CASE("a provider's experts are experts, forward and backward", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  for (const int64_t top_k : {1, 2})
    for (const bool shared : {true, false}) {
      CAPTURE(top_k, shared);
      std::vector<StoredWeight> kept;
      std::vector<ExpertWeights> experts;
      kept.reserve(12);
      for (uint64_t e = 0; e < 4; ++e) {
        kept.emplace_back(DType::f32, 80, 64, 50 + 3 * e);
        kept.emplace_back(DType::f32, 80, 64, 51 + 3 * e);
        kept.emplace_back(DType::f32, 64, 80, 52 + 3 * e);
        experts.push_back({kept[3 * e].weight, kept[3 * e + 1].weight, kept[3 * e + 2].weight});
      }
      const std::span<const ExpertWeights> routed(experts.data(), 3);
      const Results own = expert_results({}, routed, shared ? &experts[3] : nullptr, 150, top_k);
      const int64_t before = plain.calls;
      check_near(expert_results({&table, nullptr, nullptr, false}, routed, shared ? &experts[3] : nullptr, 150, top_k),
                 own, 2e-6);
      CHECK(plain.calls > before);
      check_near(expert_results({&table, nullptr, nullptr, true}, routed, shared ? &experts[3] : nullptr, 150, top_k),
                 own, 3e-2);  // three products deep
    }
}

TEST_CASE("a kind of work is measured once", "[ops]") {
  const Crossover crossover;
  int asked = 0;
  const auto measure = [&] { return ++asked == 1; };
  CHECK(crossover.choose(7, measure));
  CHECK(crossover.choose(7, measure));
  CHECK_FALSE(crossover.choose(8, measure));
  CHECK_FALSE(crossover.choose(8, measure));
  CHECK(asked == 2);
  CHECK_FALSE(crossover.choose(9, []() -> bool { throw std::bad_alloc(); }));
}

TEST_CASE("a provider that is slower than we are is not used, one that fails neither", "[ops]") {
  Plain plain;
  const GemmProvider table = plain.table();
  const Crossover crossover;
  const StoredWeight w(DType::f32, 128, 256, 27);
  std::byte block[64];
  Arena arena(block, sizeof block);
  Cursor cursor;
  const auto pool = make_thread_pool(1, {});
  Inference rec(*select_kernels(""), *pool, arena, cursor, true, {});
  rec.allow({&table, &crossover, nullptr, false});
  plain.refuses = true;
  CHECK(way_of(rec, w.weight, 64, false) == Way::kernels);
  plain.refuses = false;
  CHECK(way_of(rec, w.weight, 64, false) == Way::kernels);  // remembered
  const int64_t calls = plain.calls;
  way_of(rec, w.weight, 64, false);
  CHECK(plain.calls == calls);
}
