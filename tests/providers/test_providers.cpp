// The providers of this build are what puna.h says a provider is: every transposition, adding, odd sizes, strides, from
// several threads.
#include <puna_providers.h>

#ifdef __linux__
#include <pthread.h>
#include <ucontext.h>
#endif

#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <csignal>
#include <sstream>
#include <thread>

#ifdef PUNA_HAVE_EIGEN
#include "optional/eigen/product.h"
#endif
#include "ref/random.h"
#include "support/catch.h"

using namespace puna;

namespace {

std::vector<std::string> names() {
  std::vector<std::string> all;
  std::istringstream list(puna_providers_names());
  for (std::string name; std::getline(list, name, ',');) all.push_back(name);
  return all;
}

const puna_gemm_provider& provider(const std::string& name) {
  const puna_gemm_provider* p = nullptr;
  REQUIRE(puna_providers_find(name.c_str(), &p) == PUNA_OK);
  REQUIRE(p != nullptr);
  CHECK(p->struct_size == sizeof(puna_gemm_provider));
  CHECK(p->name == name);
  REQUIRE(p->f32 != nullptr);
  return *p;
}

uint16_t rounded(float x) { return uint16_t(std::bit_cast<uint32_t>(x) >> 16); }
float wide(uint16_t x) { return std::bit_cast<float>(uint32_t(x) << 16); }
float wide(float x) { return x; }

// One product against sums in double; values behind each row's end stay as they were.
template <class T, class Multiply>
void check_product(const puna_gemm_provider& p, Multiply multiply, int32_t flags, int64_t m, int64_t n, int64_t k) {
  CAPTURE(p.name, sizeof(T), flags, m, n, k);
  const bool ta = flags & PUNA_GEMM_TRANSPOSED_A, tb = flags & PUNA_GEMM_TRANSPOSED_B;
  const int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 5, ldc = n + 7;
  const auto made = [](int64_t count, uint64_t seed) {
    std::vector<T> values;
    for (const float x : ref::normal(count, seed))
      if constexpr (sizeof(T) == 2)
        values.push_back(rounded(x));
      else
        values.push_back(x);
    return values;
  };
  const std::vector<T> a = made((ta ? k : m) * lda, 1), b = made((tb ? n : k) * ldb, 2);
  const std::vector<float> before = ref::normal(m * ldc, 3);
  std::vector<float> c = before;
  REQUIRE(multiply(p.user, flags, m, n, k, a.data(), lda, b.data(), ldb, c.data(), ldc) == 0);
  int64_t wrong = 0;
  for (int64_t r = 0; r < m; ++r)
    for (int64_t j = 0; j < ldc; ++j) {
      const float was = before[size_t(r * ldc + j)], is = c[size_t(r * ldc + j)];
      if (j >= n) {
        wrong += was != is;
        continue;
      }
      double sum = flags & PUNA_GEMM_ADD ? double(was) : 0, magnitude = std::abs(sum);
      for (int64_t i = 0; i < k; ++i) {
        const double product = double(wide(a[size_t(ta ? i * lda + r : r * lda + i)])) *
                               double(wide(b[size_t(tb ? j * ldb + i : i * ldb + j)]));
        sum += product;
        magnitude += std::abs(product);
      }
      wrong += !(std::abs(double(is) - sum) <= double(k + 4) * 0x1p-24 * magnitude);
    }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("every provider's products are products", "[providers]") {
  for (const std::string& name : names()) {
    const puna_gemm_provider& p = provider(name);
    for (int32_t flags = 0; flags < 8; ++flags)
      for (const auto& [m, n, k] :
           {std::array<int64_t, 3>{1, 1, 1}, {32, 64, 32}, {33, 17, 65}, {128, 512, 100}, {7, 300, 31}}) {
        check_product<float>(p, p.f32, flags, m, n, k);
        if (p.bf16) check_product<uint16_t>(p, p.bf16, flags, m, n, k);
      }
  }
}

#ifdef PUNA_HAVE_EIGEN
TEST_CASE("Eigen is a provider, and each level of instructions that this CPU has makes its products", "[providers]") {
  CHECK(provider("eigen").bf16 == nullptr);
  CHECK(names().back() == "eigen");  // the others are faster
  const std::span<const EigenLevel> levels = eigen_levels();
  REQUIRE(!levels.empty());
  CHECK(levels.back().name == std::string("base"));
  for (const EigenLevel& level : levels) {
    puna_gemm_provider p{};
    p.name = level.name;
    const auto multiply = [&](void*, int32_t flags, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
                              const float* b, int64_t ldb, float* c, int64_t ldc) {
      level.multiply(flags, m, n, k, a, lda, b, ldb, c, ldc);
      return 0;
    };
    for (int32_t flags = 0; flags < 8; ++flags)
      for (const auto& [m, n, k] :
           {std::array<int64_t, 3>{1, 40, 70}, {40, 1, 70}, {33, 17, 65}, {128, 512, 600}, {5, 3, 0}, {0, 3, 4}})
        check_product<float>(p, multiply, flags, m, n, k);
  }
}
#endif

TEST_CASE("a provider may be called from several threads at once", "[providers]") {
  for (const std::string& name : names()) {
    const puna_gemm_provider& p = provider(name);
    const std::vector<float> a = ref::normal(96 * 80, 4), b = ref::normal(80 * 72, 5);
    std::vector<std::vector<float>> results(4, std::vector<float>(96 * 72));
    std::vector<std::thread> threads;
    for (auto& c : results)
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) p.f32(p.user, 0, 96 - i % 3, 72, 80, a.data(), 80, b.data(), 72, c.data(), 72);
      });
    for (std::thread& t : threads) t.join();
    for (const auto& c : results) CHECK(std::equal(c.begin(), c.begin() + 94 * 72, results[0].begin()));
  }
}

TEST_CASE("providers are found by name, the best without one, and others are refused", "[providers]") {
  const puna_gemm_provider *best = nullptr, *none = nullptr;
  const std::vector<std::string> all = names();
  CHECK(puna_providers_find(nullptr, &best) == (all.empty() ? PUNA_UNSUPPORTED : PUNA_OK));
  if (!all.empty()) CHECK(best == &provider(all[0]));
  CHECK(puna_providers_find("cublas", &none) == PUNA_UNSUPPORTED);
  CHECK(none == nullptr);
  CHECK(puna_providers_find("cublas", nullptr) == PUNA_INVALID_ARGUMENT);
}

#if defined(__linux__) && defined(__x86_64__)
namespace {

// Where the thread that computes has its stack, and how often a signal found its stack pointer elsewhere.
std::atomic<uintptr_t> stack_low, stack_high;
std::atomic<int64_t> handled, elsewhere;

extern "C" void see_where(int, siginfo_t*, void* context) {
  const auto at = uintptr_t(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RSP]);
  handled.fetch_add(1);
  if (at < stack_low.load() || at >= stack_high.load()) elsewhere.fetch_add(1);
}

}  // namespace

TEST_CASE("a signal that comes while a provider computes finds the stack pointer in the thread's stack",
          "[providers]") {
  // Code that oneDNN makes points it at a buffer of the heap (on AVX2 for all products, on AVX-512 for long ones of two
  // transposed matrices): a handler there writes over what lies below the buffer.
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t bytes = 0;
  REQUIRE(pthread_getattr_np(pthread_self(), &attributes) == 0);
  REQUIRE(pthread_attr_getstack(&attributes, &low, &bytes) == 0);
  pthread_attr_destroy(&attributes);
  stack_low = reinterpret_cast<uintptr_t>(low);
  stack_high = stack_low + bytes;
  std::vector<char> stack(256 << 10);  // for the handler, so that the handler does not overwrite what this test checks
  stack_t own{}, stack_before{};
  own.ss_sp = stack.data();
  own.ss_size = stack.size();
  REQUIRE(sigaltstack(&own, &stack_before) == 0);
  struct sigaction action {
  }, before{};
  action.sa_sigaction = see_where;
  action.sa_flags = SA_RESTART | SA_SIGINFO | SA_ONSTACK;
  REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);
  const pthread_t self = pthread_self();
  for (const std::string& name : names()) {
    const puna_gemm_provider& p = provider(name);
    for (const int32_t flags : {0, PUNA_GEMM_TRANSPOSED_A, PUNA_GEMM_TRANSPOSED_B | PUNA_GEMM_ADD,
                                PUNA_GEMM_TRANSPOSED_A | PUNA_GEMM_TRANSPOSED_B}) {
      constexpr int64_t m = 64, n = 256, k = 7000;
      const std::vector<float> a(size_t(m * k), 0.5f), b(size_t(k * n), 0.25f);
      std::vector<float> c(size_t(m * n));
      handled = elsewhere = 0;
      std::atomic<bool> done{false};
      std::thread sender([&] {
        while (!done) {
          pthread_kill(self, SIGUSR1);
          std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
      });
      int32_t refused = 0;
      for (int i = 0; i < 8 || handled.load() == 0; ++i)
        refused += p.f32(p.user, flags, m, n, k, a.data(), flags & PUNA_GEMM_TRANSPOSED_A ? m : k, b.data(),
                         flags & PUNA_GEMM_TRANSPOSED_B ? k : n, c.data(), n);
      done = true;
      sender.join();
      CAPTURE(name, flags);
      CHECK(refused == 0);
      CHECK(handled.load() > 0);
      CHECK(elsewhere.load() == 0);
    }
  }
  sigaction(SIGUSR1, &before, nullptr);
  sigaltstack(&stack_before, nullptr);
}
#endif
