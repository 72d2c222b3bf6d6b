#define CATCH_CONFIG_MAIN
#include "support/catch.h"

#include <cstdlib>

namespace puna::test {
bool models_required() {
  const char* v = std::getenv("PUNA_REQUIRE_MODELS");
  return v && *v == '1';
}
}  // namespace puna::test
