// test_philox.cpp -- the known answers published with Random123 (kat_vectors, philox4x32 10).
#include "puna/runtime/sampler.h"
#include "support/catch.h"

using namespace puna;

namespace {
std::vector<uint32_t> words(const Philox& p) { return {p.word, p.word + 4}; }
}  // namespace

TEST_CASE("Philox4x32-10 gives the published answers", "[runtime]") {
  using V = std::vector<uint32_t>;
  CHECK(words(philox(0, 0, 0)) == V{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words(philox(~0ull, ~0ull, ~0ull)) == V{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e)) ==
        V{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}
