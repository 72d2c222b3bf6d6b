// The bump allocator of a pass: same takes, same addresses; measured without memory; never past its block.
#include "ops/arena.h"

#include <vector>

#include "ops/inference.h"
#include "support/catch.h"

using namespace puna;

namespace {

alignas(64) std::byte block[4096];

std::vector<void*> some_takes(Arena& a) {
  std::vector<void*> addresses;
  for (const size_t bytes : {1, 64, 65, 0, 100}) addresses.push_back(a.take(bytes));
  {
    const Inference::Frame frame(a);
    addresses.push_back(a.take(1000));
  }
  addresses.push_back(a.take(10));
  return addresses;
}

}  // namespace

TEST_CASE("the same takes give the same aligned, disjoint addresses", "[ops]") {
  Arena first(block, sizeof block), second(block, sizeof block);
  const std::vector<void*> a = some_takes(first), b = some_takes(second);
  CHECK(a == b);
  for (void* p : a) CHECK(reinterpret_cast<uintptr_t>(p) % 64 == 0);
  CHECK(static_cast<std::byte*>(a[1]) - static_cast<std::byte*>(a[0]) == 64);
  CHECK(static_cast<std::byte*>(a[3]) - static_cast<std::byte*>(a[2]) == 128);
  CHECK(a[5] == a[6]);  // a frame's memory is used again behind it
  CHECK(first.peak() == second.peak());
}

TEST_CASE("measuring finds the size that then just suffices", "[ops]") {
  Arena measure;
  CHECK(measure.measuring());
  some_takes(measure);
  Arena enough(block, measure.peak());
  CHECK_FALSE(enough.measuring());
  CHECK_NOTHROW(some_takes(enough));
  CHECK(enough.peak() == measure.peak());
  Arena less(block, measure.peak() - 64);
  CHECK_THROWS_AS(some_takes(less), Error);
}

TEST_CASE("frames nest, and the peak remembers the deepest", "[ops]") {
  Arena a(block, sizeof block);
  const size_t outside = a.mark();
  {
    const Inference::Frame outer(a);
    a.take(64);
    {
      const Inference::Frame inner(a);
      a.take(128);
    }
    CHECK(a.mark() == outside + 64);
  }
  CHECK(a.mark() == outside);
  CHECK(a.peak() == outside + 192);
}
