#define CATCH_CONFIG_MAIN
#include "support/catch.h"

#include <cstdlib>

namespace puna::test {
bool models_required() {
  const char* v = std::getenv("PUNA_REQUIRE_MODELS");
  return v && *v == '1';
}
}  // namespace puna::test

#ifdef __SANITIZE_THREAD__
extern "C" const char* __tsan_default_options() {
  return "die_after_fork=0";
}  // the forked child of test_host.cpp makes a context of its own
#endif
