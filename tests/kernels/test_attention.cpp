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

// Keys and values of positions [low, high) for 2 heads; the kernel is asked for the second, whose values end the page.
// Pages outside the attended range are NULL; positions of a page that nobody wrote hold NaN.
template <class T>
struct Cache {
  static constexpr int64_t kHeads = 2;
  Cache(int64_t head_dim_, int64_t page_size_, int64_t low, int64_t high, uint64_t seed)
      : head_dim(head_dim_), page_size(page_size_) {
    const int64_t pages = (high + page_size - 1) / page_size, tiles = (page_size + 15) / 16;
    const auto add = [](Half& half, bool there, int64_t count) {
      half.pages.push_back(there ? std::make_unique<Guarded<T>>(std::vector<T>(size_t(count), stored(std::nanf(""))))
                                 : nullptr);
      half.pointers.push_back(there ? half.pages.back()->data() : nullptr);
    };
    for (int64_t p = 0; p < pages; ++p) {
      const bool there = (p + 1) * page_size > low;
      add(k, there, kHeads * tiles * 16 * head_dim);
      add(v, there, kHeads * page_size * head_dim);
    }
    for (int64_t j = low; j < high; ++j) {  // by position: the same keys whatever the page size
      ref::Random keys(seed + uint64_t(j) * 2), values(seed + uint64_t(j) * 2 + 1);
      for (int64_t i = 0; i < head_dim; ++i) {
        key(j, i) = stored(keys.normal());
        value(j, i) = stored(values.normal());
      }
    }
  }
  struct Half {
    std::vector<std::unique_ptr<Guarded<T>>> pages;
    std::vector<const void*> pointers;
  };
  T& key(int64_t j, int64_t i) {
    const int64_t tiles = (page_size + 15) / 16, at = j % page_size;
    return k.pages[size_t(j / page_size)]->data()[((tiles + at / 16) * head_dim + i) * 16 + at % 16];
  }
  T& value(int64_t j, int64_t i) {
    return v.pages[size_t(j / page_size)]->data()[(page_size + j % page_size) * head_dim + i];
  }
  static T stored(float x) {
    if constexpr (sizeof(T) == 2)
      return ref::nearest_half(double(x));
    else
      return x;
  }
  static double number(T x) {
    if constexpr (sizeof(T) == 2)
      return ref::half_value(x);
    else
      return double(x);
  }
  std::vector<double> key_row(int64_t j) {
    std::vector<double> row;
    for (int64_t i = 0; i < head_dim; ++i) row.push_back(number(key(j, i)));
    return row;
  }
  std::vector<double> value_row(int64_t j) {
    std::vector<double> row;
    for (int64_t i = 0; i < head_dim; ++i) row.push_back(number(value(j, i)));
    return row;
  }
  KvPages pages() const { return {k.pointers.data(), v.pointers.data(), page_size, 1}; }

  int64_t head_dim, page_size;
  Half k, v;
};

// Query rows [highs.size()][head_dim] together, row r up to position highs[r].
std::vector<float> attend(const KernelTable& kernels, decltype(KernelTable::attend_f32) kernel,
                          const std::vector<float>& q, int64_t head_dim, float scale, const KvPages& pages, int64_t low,
                          const std::vector<int64_t>& highs) {
  const Guarded<float> query(q), out(q.size()), states(highs.size() * 2);
  std::vector<AttendRow> rows;
  for (size_t r = 0; r < highs.size(); ++r) {
    const size_t at = r * size_t(head_dim);
    rows.push_back({query.data() + at, out.data() + at, states.data() + 2 * r, highs[r]});
  }
  kernel({.rows = rows.data(),
          .count = int64_t(rows.size()),
          .head_dim = head_dim,
          .scale = scale,
          .kv = pages,
          .low = low,
          .high = highs.back()});
  for (const AttendRow& row : rows) kernels.finish_attention(row.out, row.state, head_dim);
  return {out.data(), out.data() + out.size()};
}
template <class T>
std::vector<float> attend(const KernelTable& kernels, const std::vector<float>& q, float scale, const Cache<T>& cache,
                          int64_t low, const std::vector<int64_t>& highs) {
  return attend(kernels, sizeof(T) == 2 ? kernels.attend_f16 : kernels.attend_f32, q, cache.head_dim, scale,
                cache.pages(), low, highs);
}
template <class T>
std::vector<float> attend(const KernelTable& kernels, const std::vector<float>& q, float scale, const Cache<T>& cache,
                          int64_t low, int64_t high) {
  return attend(kernels, q, scale, cache, low, std::vector<int64_t>{high});
}

template <class T>
void check_attention(int64_t head_dim, int64_t page_size, int64_t low, int64_t high) {
  CAPTURE(head_dim, page_size, low, high, sizeof(T));
  const std::vector<float> q = ref::normal(head_dim, 41);
  const float scale = float(1 / std::sqrt(double(head_dim)));
  Cache<T> cache(head_dim, page_size, low, high, 42);
  std::vector<std::vector<double>> keys, values;
  for (int64_t j = low; j < high; ++j) {
    keys.push_back(cache.key_row(j));
    values.push_back(cache.value_row(j));
  }
  const ref::Attention want = ref::attention(
      q, double(scale), [&](int64_t j) -> auto& { return keys[size_t(j - low)]; },
      [&](int64_t j) -> auto& { return values[size_t(j - low)]; }, low, high);
  // A score is off by its own sum's rounding; a weight by twice that and by exp's 2e-7, twice (block and running
  // maximum); the weighted sum by a rounding a key and one a block; the total likewise.
  const double blocks = double(high - low) / double(page_size) + 1;
  const double score = (double(head_dim) + 5) * kRound * want.score_error;
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

// Numbers d * q with d an f16 and q a byte: as f32 pages they hold exactly what q8_0 pages decode to, so the results
// are the same bits.
TEST_CASE("attention to q8_0 pages is attention to the f32 pages they decode to", "[kernels]") {
  for (const int64_t head_dim : {32, 64, 96})
    for (const int64_t page_size : {8, 24, 64}) {
      constexpr int64_t kLow = 0, kHigh = 77;
      CAPTURE(head_dim, page_size);
      Cache<float> plain(head_dim, page_size, kLow, kHigh, 91);
      const int64_t tiles = (page_size + 15) / 16, row_bytes = head_dim / 32 * 34;
      std::vector<std::unique_ptr<Guarded<uint8_t>>> pages;
      std::vector<const void*> k, v;
      for (size_t p = 0; p < plain.k.pages.size(); ++p)
        for (const int64_t rows : {tiles * 16, page_size}) {
          pages.push_back(std::make_unique<Guarded<uint8_t>>(std::vector<uint8_t>(size_t(2 * rows * row_bytes), 0x7f)));
          (pages.size() % 2 == 1 ? k : v).push_back(pages.back()->data());
        }
      ref::Random random(92);
      for (int64_t j = kLow; j < kHigh; ++j)
        for (int64_t i = 0; i < head_dim; ++i) {
          const auto put = [&](uint8_t* scale, uint8_t* number, float& exact) {
            if (i % 32 == 0) {
              const uint16_t d = ref::nearest_half(0.001 + 0.01 * std::fabs(random.normal()));
              memcpy(scale, &d, 2);
            }
            uint16_t d;
            memcpy(&d, scale, 2);
            *number = uint8_t(random.bits());
            exact = float(ref::half_value(d)) * float(int8_t(*number));
          };
          const int64_t page = j / page_size, at = j % page_size, block = i / 32;
          uint8_t* const tile =
              pages[size_t(2 * page)]->data() + ((tiles + at / 16) * 16 * row_bytes + block * 16 * 34);
          put(tile + at % 16 * 2, tile + 32 + i % 32 * 16 + at % 16, plain.key(j, i));
          uint8_t* const value = pages[size_t(2 * page + 1)]->data() + (page_size + at) * row_bytes + block * 34;
          put(value, value + 2 + i % 32, plain.value(j, i));
        }
      const std::vector<int64_t> highs = {70, 71, 72, 77};
      const std::vector<float> q = ref::normal(int64_t(highs.size()) * head_dim, 93);
      on_every_isa([&](const KernelTable& kernels) {
        const std::vector<float> want = attend(kernels, q, 0.2f, plain, kLow, highs);
        CHECK(attend(kernels, kernels.attend_q8, q, head_dim, 0.2f, {k.data(), v.data(), page_size, 1}, kLow, highs) ==
              want);
      });
    }
}

TEST_CASE("rows attended together get the bits they get alone", "[kernels]") {
  on_every_isa([&](const KernelTable& k) {
    for (const int64_t head_dim : {8, 24, 64})
      for (const int64_t page_size : {8, 24, 64})
        for (const size_t count : {2, 3, 5, 6, 7, 24}) {
          std::vector<int64_t> highs;
          for (size_t r = 0; r < count; ++r) highs.push_back(3 + int64_t(r / 3) * 9);  // three heads a position
          const std::vector<float> q = ref::normal(int64_t(count) * head_dim, 43);
          const Cache<uint16_t> cache(head_dim, page_size, 0, highs.back(), 44);
          const std::vector<float> together = attend(k, q, 0.2f, cache, 0, highs);
          CAPTURE(head_dim, page_size, count);
          for (size_t r = 0; r < count; ++r) {
            const auto begin = std::ptrdiff_t(r) * head_dim;
            const std::vector<float> alone =
                attend(k, {q.begin() + begin, q.begin() + begin + head_dim}, 0.2f, cache, 0, highs[r]);
            REQUIRE(std::equal(alone.begin(), alone.end(), together.begin() + begin));
          }
        }
  });
}

TEST_CASE("two spans merged are the whole", "[kernels]") {
  const std::vector<float> q = ref::normal(24, 49);
  on_every_isa([&](const KernelTable& k) {
    for (const float scale : {0.2f, 30.0f}) {  // alike, and one span that decides
      const Cache<float> cache(24, 16, 0, 90, 50);
      std::vector<float> out(24), later(24), state(2), later_state(2);
      const AttendRow first{q.data(), out.data(), state.data(), 90},
          second{q.data(), later.data(), later_state.data(), 90};
      k.attend_f32(
          {.rows = &first, .count = 1, .head_dim = 24, .scale = scale, .kv = cache.pages(), .low = 0, .high = 48});
      k.attend_f32(
          {.rows = &second, .count = 1, .head_dim = 24, .scale = scale, .kv = cache.pages(), .low = 48, .high = 90});
      k.merge_attention(out.data(), state.data(), later.data(), later_state.data(), 24);
      k.finish_attention(out.data(), state.data(), 24);
      const std::vector<float> want = attend(k, q, scale, cache, 0, 90);
      for (size_t i = 0; i < 24; ++i) CHECK(std::abs(out[i] - want[i]) < 1e-5);
    }
  });
}

TEST_CASE("one key is its value, and equal keys are the mean of the values", "[kernels]") {
  const std::vector<float> q(24, 0.0f);  // every score is zero
  on_every_isa([&](const KernelTable& k) {
    Cache<float> cache(24, 16, 0, 64, 45);
    const std::vector<float> one = attend(k, q, 1.0f, cache, 0, 1);
    for (int64_t i = 0; i < 24; ++i) CHECK(one[size_t(i)] == cache.value(0, i));
    const std::vector<float> all = attend(k, q, 1.0f, cache, 0, 64);
    for (size_t i = 0; i < 24; ++i) {
      double mean = 0;
      for (int64_t j = 0; j < 64; ++j) mean += double(cache.value(j, int64_t(i))) / 64;
      CHECK(std::abs(all[i] - mean) < 64 * 6 * kRound);
    }
  });
}

TEST_CASE("scores far apart neither overflow nor lose the winner", "[kernels]") {
  on_every_isa([](const KernelTable& k) {
    Cache<float> cache(16, 16, 0, 40, 46);
    std::vector<float> q(16, 0.0f);
    q[0] = 1;
    for (int64_t j = 0; j < 40; ++j) cache.key(j, 0) = float(j == 27 ? 1e30 : -1e30);
    const std::vector<float> got = attend(k, q, 1.0f, cache, 0, 40);
    for (size_t i = 0; i < 16; ++i) CHECK(std::abs(got[i] - cache.value(27, int64_t(i))) < 1e-6);
  });
}

TEST_CASE("infinities and NaNs in the cache do no harm beyond the numbers", "[kernels]") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  on_every_isa([&](const KernelTable& k) {
    for (const float bad : {inf, -inf, nan})
      for (const bool in_keys : {true, false}) {
        Cache<float> cache(24, 16, 0, 40, 47);
        (in_keys ? cache.key(33, 3) : cache.value(33, 3)) = bad;
        const std::vector<float> got = attend(k, ref::normal(24, 48), 0.2f, cache, 0, 40);
        CHECK(got.size() == 24);
        if (!in_keys) CHECK_FALSE(std::isfinite(got[3]));
      }
  });
}
