// onednn.cpp -- products by oneDNN's matmul (2.6 and newer), one thread a call. A primitive is made for each size,
// which takes a fraction of a millisecond, and kept: sizes come in steps of 32 rows, the rest is a call of its own.
// oneDNN is of Debian's build, which runs on OpenMP: a calling thread's number of OpenMP threads is one for the length
// of a call and then what it was.
#include <omp.h>

#ifndef _WIN32
#include <csignal>
#endif

#include <array>
#include <dnnl.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "optional/gemm/providers.h"

namespace puna {
namespace {

using dnnl::memory;

struct Sizes {
  bool bf16;
  int32_t flags;
  int64_t m, n, k, lda, ldb, ldc;
  auto operator<=>(const Sizes&) const = default;
};

memory::desc matrix(int64_t rows, int64_t cols, int64_t row, bool transposed, memory::data_type type) {
  return {{rows, cols}, type, transposed ? memory::dims{1, row} : memory::dims{row, 1}};
}

// One size, ready to run from any thread.
struct Product {
  memory::desc a, b, c;
  dnnl::matmul primitive;
  size_t scratch;

  Product(const dnnl::engine& engine, const Sizes& s)
      : a(matrix(s.m, s.k, s.lda, s.flags & kTransposedA, type(s))),
        b(matrix(s.k, s.n, s.ldb, s.flags & kTransposedB, type(s))),
        c(matrix(s.m, s.n, s.ldc, false, memory::data_type::f32)) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (s.flags & kAddToC) {
      dnnl::post_ops add;
      add.append_sum(1.0f);
      attributes.set_post_ops(add);
    }
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc description(engine, a, b, c, attributes);
#else
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), attributes, engine);
#endif
    primitive = dnnl::matmul(description);
    scratch = description.scratchpad_desc().get_size();
    scratchpad = description.scratchpad_desc();
  }
  memory::desc scratchpad;

 private:
  static memory::data_type type(const Sizes& s) { return s.bf16 ? memory::data_type::bf16 : memory::data_type::f32; }
};

class OneThread {  // of OpenMP's, while this lives
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// No signal handler runs on this thread while this lives; signals wait, or go to another thread. oneDNN's generated
// code for f32 (jit_avx_gemm_f32 and its like: every product on AVX2, long ones of two transposed matrices on AVX-512)
// points the stack pointer at a buffer of the heap: a handler would write its frame over what lies below the buffer,
// and the process would die in free() later. Synchronous signals (SIGSEGV) are still delivered at once.
class NoSignals {
 public:
#ifdef _WIN32
  NoSignals() {}  // there are none
#else
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT}) sigdelset(&all, own);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;

 public:
#endif
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;
};

class OneDnn {
 public:
  OneDnn() : engine_(dnnl::engine::kind::cpu, 0) {}

  void multiply(const Sizes& s, const void* a, const void* b, float* c) {
    const OneThread one;
    const NoSignals none;
    const std::shared_ptr<const Product> p = product(s);
    dnnl::stream stream(engine_);
    thread_local std::vector<uint8_t> scratch;
    if (scratch.size() < p->scratch + kAlignment) scratch.resize(p->scratch + kAlignment);
    void* const aligned = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(scratch.data()) + kAlignment - 1) /
                                                  kAlignment * kAlignment);
    p->primitive.execute(stream, {{DNNL_ARG_SRC, memory(p->a, engine_, const_cast<void*>(a))},
                                  {DNNL_ARG_WEIGHTS, memory(p->b, engine_, const_cast<void*>(b))},
                                  {DNNL_ARG_DST, memory(p->c, engine_, c)},
                                  {DNNL_ARG_SCRATCHPAD, memory(p->scratchpad, engine_, aligned)}});
    stream.wait();
  }

 private:
  static constexpr size_t kAlignment = 64, kMostSizes = 4096;

  std::shared_ptr<const Product> product(const Sizes& s) {
    const std::lock_guard lock(mutex_);
    if (const auto found = products_.find(s); found != products_.end()) return found->second;
    if (products_.size() >= kMostSizes) products_.clear();
    return products_.emplace(s, std::make_shared<const Product>(engine_, s)).first->second;
  }

  dnnl::engine engine_;
  std::mutex mutex_;
  std::map<Sizes, std::shared_ptr<const Product>> products_;
};

template <class T>
int32_t multiply(void* user, int32_t flags, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda, const T* b,
                 int64_t ldb, float* c, int64_t ldc) {
  constexpr int64_t kStep = 32;
  try {
    const auto part = [&](int64_t m0, int64_t rows, int64_t k0, int64_t depth) {
      const int32_t own = k0 > 0 ? flags | kAddToC : flags;
      static_cast<OneDnn*>(user)->multiply({sizeof(T) == 2, own, rows, n, depth, lda, ldb, ldc},
                                           a + (flags & kTransposedA ? k0 * lda + m0 : m0 * lda + k0),
                                           b + (flags & kTransposedB ? k0 : k0 * ldb), c + m0 * ldc);
    };
    // Rows of activations are the height of a forward product and the depth of a weight's gradient: what is no multiple
    // of a step comes alone.
    const int64_t whole_k = flags & kTransposedA ? k / kStep * kStep : k, whole_m = m / kStep * kStep;
    for (const auto& [m0, rows] : {std::array{int64_t(0), whole_m}, {whole_m, m - whole_m}})
      for (const auto& [k0, depth] : {std::array{int64_t(0), whole_k}, {whole_k, k - whole_k}})
        if (rows > 0 && depth > 0) part(m0, rows, k0, depth);
    return 0;
  } catch (...) {  // no memory, or nothing oneDNN can do on this CPU
    return 1;
  }
}

bool has_bf16(void* user) {
  const uint16_t one[32 * 32] = {0x3F80};
  float c[32 * 32] = {};
  return multiply<uint16_t>(user, 0, 32, 32, 32, one, 32, one, 32, c, 32) == 0 && c[0] == 1.0f;
}

}  // namespace

const GemmProvider* onednn_provider() {
  static const std::unique_ptr<OneDnn> library = []() -> std::unique_ptr<OneDnn> {
    try {
      return std::make_unique<OneDnn>();
    } catch (...) {
      return nullptr;
    }
  }();
  if (!library) return nullptr;
  static const GemmProvider provider{"onednn", library.get(), multiply<float>,
                                     has_bf16(library.get()) ? multiply<uint16_t> : nullptr};
  return &provider;
}

}  // namespace puna
