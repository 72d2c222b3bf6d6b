// target.h -- FUZZ_TARGET(format) { ... }: what a fuzz target does with `data` and `size`. Under libFuzzer it is a
// program of its own; elsewhere all are in one, which replay_main.cpp calls by their names.
#pragma once
#include <cstddef>
#include <cstdint>

namespace puna::test {

// Whether the input was accepted as what it claims to be, as far as the target looks. mutate.py prints the share: where
// it is small, mutants are noise that fails at the first check; where it is near 100 %, they are hardly wrong.
inline bool accepted = false;

using FuzzTarget = int (*)(const uint8_t* data, size_t size);

struct NamedTarget {
  NamedTarget(const char* name, FuzzTarget target) : name(name), target(target), next(first) { first = this; }
  const char* name;
  FuzzTarget target;
  NamedTarget* next;
  static inline NamedTarget* first = nullptr;
};

}  // namespace puna::test

#ifdef PUNA_LIBFUZZER
#define FUZZ_TARGET(format) extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
#else
#define FUZZ_TARGET(format)                                              \
  static int fuzz_##format(const uint8_t* data, size_t size);            \
  static puna::test::NamedTarget named_##format(#format, fuzz_##format); \
  static int fuzz_##format(const uint8_t* data, size_t size)
#endif
