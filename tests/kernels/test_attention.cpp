// Attention over pages against softmax in double: page sizes, ranges and head sizes around every vector width.
#include <limits>
#include <memory>

#include "kernels/cases.h"
#include "kernels/guarded.h"
#include "ref/attention.h"
#include "ref/compare.h"
#include "ref/half.h"
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;
using namespace puna::test;
using ref::kRound;

namespace {

// Keys and values of `positions` positions for 2 heads; the kernel is asked for the second, whose rows end the page. Pages outside the
// attended range are NULL.
template <class T>
struct Cache {
  static constexpr int64_t kHeads = 2;
  Cache(int64_t head_dim_, int64_t page_size_, int64_t low, int64_t high, uint64_t seed) : head_dim(head_dim_), page_size(page_size_) {
    const int64_t pages = (high + page_size - 1) / page_size;
    for (int64_t p = 0; p < pages; ++p) {
      const bool there = (p + 1) * page_size > low;
      for (auto* half : {&k, &v}) {
        half->pages.push_back(there ? std::make_unique<Guarded<T>>(size_t(kHeads * page_size * head_dim)) : nullptr);
        half->pointers.push_back(there ? half->pages.back()->data() : nullptr);
      }
    }
    for (int64_t j = low; j < high; ++j)  // by position: the same keys whatever the page size
      for (auto* half : {&k, &v}) {
        ref::Random random(seed + uint64_t(j) * 2 + (half == &v));
        for (int64_t i = 0; i < head_dim; ++i) at(*half, j)[i] = stored(random.normal());
      }
  }
  struct Half {
    std::vector<std::unique_ptr<Guarded<T>>> pages;
    std::vector<const void*> pointers;
  };
  T* at(Half& half, int64_t j) { return half.pages[size_t(j / page_size)]->data() + (page_size + j % page_size) * head_dim; }
  static T stored(float x) {
    if constexpr (sizeof(T) == 2) return ref::nearest_half(double(x));
    else return x;
  }
  static double value(T x) {
    if constexpr (sizeof(T) == 2) return ref::half_value(x);
    else return double(x);
  }
  auto reader(Half& half) {
    return [this, &half](int64_t j) {
      std::vector<double> row;
      for (int64_t i = 0; i < head_dim; ++i) row.push_back(value(at(half, j)[i]));
      return row;
    };
  }
  KvPages pages() const { return {k.pointers.data(), v.pointers.data(), page_size, page_size * head_dim}; }

  int64_t head_dim, page_size;
  Half k, v;
};

template <class T>
std::vector<float> attend(const KernelTable& kernels, const std::vector<float>& q, float scale, const Cache<T>& cache, int64_t low, int64_t high) {
  const Guarded<float> query(q), out(q.size());
  const auto kernel = sizeof(T) == 2 ? kernels.attend_f16 : kernels.attend_f32;
  kernel(out.data(), query.data(), int64_t(q.size()), scale, cache.pages(), low, high);
  return {out.data(), out.data() + out.size()};
}

template <class T>
void check_attention(int64_t head_dim, int64_t page_size, int64_t low, int64_t high) {
  CAPTURE(head_dim, page_size, low, high, sizeof(T));
  const std::vector<float> q = ref::normal(head_dim, 41);
  const float scale = float(1 / std::sqrt(double(head_dim)));
  Cache<T> cache(head_dim, page_size, low, high, 42);
  std::vector<std::vector<double>> keys, values;
  for (int64_t j = low; j < high; ++j) {
    keys.push_back(cache.reader(cache.k)(j));
    values.push_back(cache.reader(cache.v)(j));
  }
  const ref::Attention want = ref::attention(q, double(scale), [&](int64_t j) -> auto& { return keys[size_t(j - low)]; },
                                             [&](int64_t j) -> auto& { return values[size_t(j - low)]; }, low, high);
  // A score is off by its own sum's rounding; a weight by twice that and by exp's 2e-7, twice (block and running maximum); the weighted
  // sum by a rounding a key and one a block; the total likewise.
  const double blocks = double(high - low) / double(std::min<int64_t>(page_size, 16)) + 1;
  const double score = (double(head_dim) / 16 + 7) * kRound * want.score_error + 4 * kRound * want.score_error;
  const double relative = 2 * score + 4e-7 * 2 + (double(high - low) + 3 * blocks + 8) * kRound;
  on_every_isa([&](const KernelTable& k) {
    const std::vector<float> got = attend(k, q, scale, cache, low, high);
    ref::check_within(got, want.out, [&](size_t i) { return relative * want.magnitude[i] * 2 + 1e-37; });
  });
}

}  // namespace

TEST_CASE("attention is softmax(q K) V over any range of pages", "[kernels]") {
  for (const int64_t page_size : {1, 8, 16, 24, 64})
    for (const int64_t pages_before : {0, 2})
      for (const int64_t count : {1, 7, 16, 17, 65, 200}) {
        const int64_t low = pages_before * page_size;
        check_attention<float>(24, page_size, low, low + count);
        check_attention<uint16_t>(24, page_size, low, low + count);
      }
}

TEST_CASE("attention takes any head size", "[kernels]") {
  for (const int64_t head_dim : {2, 8, 16, 18, 24, 32, 34, 64, 80, 128, 130}) {
    check_attention<float>(head_dim, 16, 16, 59);
    check_attention<uint16_t>(head_dim, 16, 16, 59);
  }
}

TEST_CASE("pages of 16, 32 and 64 positions give the same bits", "[kernels]") {
  const std::vector<float> q = ref::normal(24, 43);
  on_every_isa([&](const KernelTable& k) {
    for (const int64_t high : {1, 16, 33, 130}) {
      const std::vector<float> want = attend(k, q, 0.2f, Cache<float>(24, 64, 0, high, 44), 0, high);
      for (const int64_t page_size : {16, 32}) CHECK(ref::differing(attend(k, q, 0.2f, Cache<float>(24, page_size, 0, high, 44), 0, high), want) == 0);
    }
  });
}

TEST_CASE("one key is its value, and equal keys are the mean of the values", "[kernels]") {
  const std::vector<float> q(24, 0.0f);  // every score is zero
  on_every_isa([&](const KernelTable& k) {
    Cache<float> cache(24, 16, 0, 64, 45);
    const std::vector<float> one = attend(k, q, 1.0f, cache, 0, 1);
    CHECK(ref::differing(one, {cache.at(cache.v, 0), 24}) == 0);
    const std::vector<float> all = attend(k, q, 1.0f, cache, 0, 64);
    for (size_t i = 0; i < 24; ++i) {
      double mean = 0;
      for (int64_t j = 0; j < 64; ++j) mean += double(cache.at(cache.v, j)[i]) / 64;
      CHECK(std::abs(all[i] - mean) < 64 * 6 * kRound);
    }
  });
}

TEST_CASE("scores far apart neither overflow nor lose the winner", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    Cache<float> cache(16, 16, 0, 40, 46);
    std::vector<float> q(16, 0.0f);
    q[0] = 1;
    for (int64_t j = 0; j < 40; ++j) cache.at(cache.k, j)[0] = float(j == 27 ? 1e30 : -1e30);
    const std::vector<float> got = attend(k, q, 1.0f, cache, 0, 40);
    for (size_t i = 0; i < 16; ++i) CHECK(std::abs(got[i] - cache.at(cache.v, 27)[i]) < 1e-6);
  });
}

TEST_CASE("infinities and NaNs in the cache do no harm beyond the numbers", "[kernels]") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  on_every_isa([&](const KernelTable& k) {
    for (const float bad : {inf, -inf, nan})
      for (const bool in_keys : {true, false}) {
        Cache<float> cache(24, 16, 0, 40, 47);
        cache.at(in_keys ? cache.k : cache.v, 33)[3] = bad;
        const std::vector<float> got = attend(k, ref::normal(24, 48), 0.2f, cache, 0, 40);
        CHECK(got.size() == 24);
        if (!in_keys) CHECK_FALSE(std::isfinite(got[3]));
      }
  });
}
