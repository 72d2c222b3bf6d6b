// probe.cpp -- what this machine can do right now, with nothing in the way: `probe THREADS` prints JSON.
//   read_gbs    GB/s of plain reading from memory in large pages, all threads together (256 MB each)
//   int8_gmacs  billions of 8-bit multiply-adds a second, from registers: vpdpbusd zmm, ymm, or vpmaddubsw + vpmaddwd
//   f32_gmacs   the same for f32 fma
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

std::atomic<int64_t> sink{0};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Work of all threads a second; work(i) returns what thread i did.
template <class F>
double rate(int threads, F&& work) {
  std::atomic<int> ready{0};
  std::vector<std::thread> all;
  std::atomic<bool> go{false};
  std::vector<double> done(size_t(threads), 0.0);
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&, i] {
      ready.fetch_add(1);
      while (!go.load()) {}
      done[size_t(i)] = work(i);
    });
  while (ready.load() < threads) {}
  const double start = seconds_now();
  go.store(true);
  for (auto& t : all) t.join();
  double sum = 0;
  for (const double d : done) sum += d;
  return sum / (seconds_now() - start);
}

// A limit is the best of a few tries.
template <class F>
double best_rate(int threads, F&& work) {
  double best = 0;
  for (int round = 0; round < 4; ++round) best = std::max(best, rate(threads, work));
  return best;
}

#if defined(__x86_64__)
constexpr int64_t kLoops = 12'000'000;  // some 40 ms: time for threads that start on one core to be moved apart

__attribute__((target("avx512f,avx512bw,avx512vnni"))) double int8_zmm() {
  __m512i acc[12], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
  for (auto& x : acc) x = _mm512_setzero_si512();
  for (int64_t i = 0; i < kLoops; ++i) {
    asm volatile("" : "+v"(a), "+v"(b));
    for (auto& x : acc) x = _mm512_dpbusd_epi32(x, a, b);
  }
  for (auto& x : acc) sink += _mm512_reduce_add_epi32(x);
  return double(kLoops) * 12 * 64;
}

__attribute__((target("avx2"))) double int8_ymm() {
  __m256i acc[12], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(5);
  const __m256i ones = _mm256_set1_epi16(1);
  for (auto& x : acc) x = _mm256_setzero_si256();
  for (int64_t i = 0; i < kLoops; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));
    for (auto& x : acc) {
      __m256i products = _mm256_maddubs_epi16(a, b);
      asm volatile("" : "+x"(products));
      x = _mm256_add_epi32(x, _mm256_madd_epi16(products, ones));
    }
  }
  for (auto& x : acc) sink += _mm256_extract_epi32(x, 0);
  return double(kLoops) * 12 * 32;
}

__attribute__((target("avx512f"))) double f32_zmm() {
  __m512 acc[12], a = _mm512_set1_ps(1e-3f), b = _mm512_set1_ps(0.5f);
  for (auto& x : acc) x = _mm512_setzero_ps();
  for (int64_t i = 0; i < kLoops; ++i) {
    asm volatile("" : "+v"(a), "+v"(b));
    for (auto& x : acc) x = _mm512_fmadd_ps(a, b, x);
  }
  for (auto& x : acc) sink += int64_t(_mm512_reduce_add_ps(x));
  return double(kLoops) * 12 * 16;
}

__attribute__((target("avx2,fma"))) double f32_ymm() {
  __m256 acc[12], a = _mm256_set1_ps(1e-3f), b = _mm256_set1_ps(0.5f);
  for (auto& x : acc) x = _mm256_setzero_ps();
  for (int64_t i = 0; i < kLoops; ++i) {
    asm volatile("" : "+x"(a), "+x"(b));
    for (auto& x : acc) x = _mm256_fmadd_ps(a, b, x);
  }
  for (auto& x : acc) sink += int64_t(_mm256_cvtss_f32(x));
  return double(kLoops) * 12 * 8;
}

double int8_work() { return __builtin_cpu_supports("avx512vnni") ? int8_zmm() : int8_ymm(); }
double f32_work() { return __builtin_cpu_supports("avx512f") ? f32_zmm() : f32_ymm(); }
#else
double int8_work() { return 0; }  // not probed here
double f32_work() { return 0; }
#endif

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 1;
  if (threads < 1 || threads > 1024) return fprintf(stderr, "usage: probe THREADS\n"), 2;
  constexpr size_t kWords = size_t(32) << 20;
  std::vector<uint64_t*> memory;  // kept until the process ends
  for (int i = 0; i < threads; ++i) {
    constexpr size_t kLargePage = size_t(2) << 20;
    void* const block = operator new(kWords * 8, std::align_val_t(kLargePage));
#ifdef MADV_HUGEPAGE
    madvise(block, kWords * 8, MADV_HUGEPAGE);
#endif
    memory.push_back(static_cast<uint64_t*>(block));
    std::fill_n(memory.back(), kWords, 1);
  }
  const double read = best_rate(threads, [&](int i) {
    uint64_t sum[8] = {};
    const uint64_t* p = memory[size_t(i)];
    for (size_t k = 0; k < kWords; k += 8)
      for (size_t n = 0; n < 8; ++n) sum[n] += p[k + n];
    for (const uint64_t s : sum) sink += int64_t(s);
    return double(kWords) * 8;
  });
  const double int8 = best_rate(threads, [](int) { return int8_work(); }),
               f32 = best_rate(threads, [](int) { return f32_work(); });
  printf("{\"threads\": %d, \"read_gbs\": %.2f, \"int8_gmacs\": %.1f, \"f32_gmacs\": %.1f}\n", threads, read / 1e9,
         int8 / 1e9, f32 / 1e9);
  return 0;
}
