// The nearest known word, for errors about misspelt ones.
#include "base/nearest.h"
#include "support/catch.h"

using namespace puna;

TEST_CASE("a misspelt word gets the nearest suggestion, an unrelated one none", "[base]") {
  const std::vector<std::string_view> known{"temperature", "top_p", "top_k", "at_least", "surfaces", "price"};
  CHECK(nearest_word("tempature", known) == "temperature");
  CHECK(nearest_word("Top_P", known) == "top_p");
  CHECK(nearest_word("atleast", known) == "at_least");
  CHECK(nearest_word("surface", known) == "surfaces");
  CHECK(nearest_word("pirce", known) == "price");  // neighbours swapped
  CHECK(nearest_word("zebra", known) == "");
  CHECK(nearest_word("", known) == "");
  CHECK(nearest_word(std::string(100000, 'a'), known) == "");
  CHECK(did_you_mean("to_k", std::vector<std::string>{"top_k", "seed"}) == ", did you mean 'top_k'?");
  CHECK(did_you_mean("x", std::vector<std::string>{"seed"}) == "");
}
