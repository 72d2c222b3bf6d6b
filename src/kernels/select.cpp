// select.cpp -- which kernel table this CPU can run. Asked once a context; nothing is remembered between calls.
#include <cstring>

#include "kernels/kernel_table.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace puna {

#ifdef PUNA_HAS_ISA_scalar
namespace scalar {
extern const KernelTable kTable;
}
#endif
#ifdef PUNA_HAS_ISA_avx2
namespace avx2 {
extern const KernelTable kTable;
}
#endif
#ifdef PUNA_HAS_ISA_avxvnni
namespace avxvnni {
extern const KernelTable kTable;
}
#endif
#ifdef PUNA_HAS_ISA_avx512
namespace avx512 {
extern const KernelTable kTable;
}
#endif
#ifdef PUNA_HAS_ISA_avx512vnni
namespace avx512vnni {
extern const KernelTable kTable;
}
#endif
#ifdef PUNA_HAS_ISA_neon
namespace neon {
extern const KernelTable kTable;
}
#endif

namespace {

struct Level {
  const KernelTable* table;
  bool supported;
};

#if defined(__x86_64__)
// Two CPUID bits that __builtin_cpu_supports does not name in every compiler: clang 16 lacks f16c, gcc 12 lacks
// avxvnni.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c >> 29 & 1u);
}
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
bool has_avxvnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || a < 1) return false;  // a = the highest sub-leaf of leaf 7
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1u);
}
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx512vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#elif defined(__aarch64__)
bool has_dotprod() {
#ifdef __linux__
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#else
  return true;  // every Apple and Windows-on-Arm machine we know of
#endif
}
#endif

int levels(Level* out) {
  int n = 0;
#ifdef PUNA_HAS_ISA_scalar
  out[n++] = {&scalar::kTable, true};
#endif
#ifdef PUNA_HAS_ISA_avx2
  out[n++] = {&avx2::kTable, has_avx2()};
#endif
#ifdef PUNA_HAS_ISA_avxvnni
  out[n++] = {&avxvnni::kTable, has_avxvnni()};
#endif
#ifdef PUNA_HAS_ISA_avx512
  out[n++] = {&avx512::kTable, has_avx512()};
#endif
#ifdef PUNA_HAS_ISA_avx512vnni
  out[n++] = {&avx512vnni::kTable, has_avx512vnni()};
#endif
#ifdef PUNA_HAS_ISA_neon
  out[n++] = {&neon::kTable, has_dotprod()};
#endif
  return n;
}

constexpr int kMaxLevels = 8;

}  // namespace

const KernelTable* select_kernels(const char* isa) {
  Level level[kMaxLevels] = {};
  const int n = levels(level);
  for (int i = n - 1; i >= 0; --i) {
    const bool wanted = isa == nullptr || *isa == '\0' || strcmp(isa, level[i].table->name) == 0;
    if (wanted && level[i].supported) return level[i].table;
  }
  return nullptr;
}

int isa_levels(IsaLevel* out, int capacity) {
  Level level[kMaxLevels] = {};
  const int n = levels(level);
  for (int i = 0; i < n && i < capacity; ++i) out[i] = {level[i].table->name, level[i].supported};
  return n;
}

}  // namespace puna
