// catch.h -- Catch2 v2 (Debian 12) or v3, whichever is installed. Every test file includes this and nothing else of
// Catch2.
#pragma once
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
// Catch2 v2 has no SKIP: a test that cannot run says why and passes, unless PUNA_REQUIRE_MODELS=1 (then it fails).
#define PUNA_SKIP(reason)                                                       \
  do {                                                                          \
    if (::puna::test::models_required()) FAIL("required here, but " << reason); \
    WARN("skipped: " << reason);                                                \
    return;                                                                     \
  } while (0)
namespace puna::test {
bool models_required();  // PUNA_REQUIRE_MODELS=1: CI
}
