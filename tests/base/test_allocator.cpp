// The context's allocator: aligned, counted, limited, and the host's own when it gives one.
#include "puna/base/allocator.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;

namespace {

Status status_of(Allocator& a, size_t bytes) {
  try {
    a.release(a.allocate(bytes, "a test"), bytes);
    return Status::ok;
  } catch (const Error& e) {
    return e.status();
  }
}

// A host's functions that remember what was asked; `give` decides what the next call returns.
struct Host {
  enum Give { memory, nothing, misaligned } give = memory;
  std::map<void*, size_t> live;
  int calls = 0;
  bool wrong_size = false;

  AllocatorFunctions functions() {
    return {this,
            [](void* user, size_t bytes, size_t alignment) -> void* {
              Host& h = *static_cast<Host*>(user);
              ++h.calls;
              if (h.give == nothing) return nullptr;
              const size_t rounded = (bytes + 2 * alignment - 1) / alignment * alignment;
              char* p = static_cast<char*>(std::aligned_alloc(alignment, rounded));
              h.live[h.give == misaligned ? p + 8 : p] = bytes;
              return h.give == misaligned ? p + 8 : p;
            },
            [](void* user, void* memory, size_t bytes) {
              Host& h = *static_cast<Host*>(user);
              h.wrong_size |= h.live.count(memory) == 0 || h.live[memory] != bytes;
              h.live.erase(memory);
              std::free(reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(memory) / 64 * 64));
            }};
  }
};

}  // namespace

TEST_CASE("memory is aligned, counted while held, and its peak remembered", "[base]") {
  Allocator a({}, 0);
  std::vector<std::pair<void*, size_t>> held;
  uint64_t sum = 0;
  for (const size_t bytes : {1, 63, 64, 65, 4096, 100000}) {
    held.emplace_back(a.allocate(bytes, "a test"), bytes);
    CHECK(reinterpret_cast<uintptr_t>(held.back().first) % Allocator::kAlignment == 0);
    memset(held.back().first, 0xA5, bytes);
    CHECK(a.used() == (sum += bytes));
  }
  for (const auto& [memory, bytes] : held) a.release(memory, bytes);
  CHECK(a.used() == 0);
  CHECK(a.peak() == sum);
  a.release(nullptr, 100);
  CHECK(a.used() == 0);
}

TEST_CASE("the limit is exact, and what it refuses is never asked of the host", "[base]") {
  Host host;
  Allocator a(host.functions(), 1000);
  void* first = a.allocate(600, "a test");
  CHECK(status_of(a, 401) == Status::out_of_memory);
  CHECK(host.calls == 1);
  CHECK(status_of(a, 400) == Status::ok);
  for (const size_t huge : {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX - 599, SIZE_MAX / 2, SIZE_MAX / 2 + 1})
    CHECK(status_of(a, huge) == Status::out_of_memory);
  CHECK(a.used() == 600);
  CHECK(a.peak() == 1000);
  CHECK_THROWS_WITH(a.allocate(500, "a page"),
                    Catch::Contains("for a page") && Catch::Contains("1100") && Catch::Contains("1000"));
  a.release(first, 600);
  CHECK(a.used() == 0);
  CHECK((host.live.empty() && !host.wrong_size));
}

TEST_CASE("sizes beyond any machine are out of memory, not small blocks", "[base]") {
  Allocator a({}, 0);
  for (const size_t huge : {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 63, SIZE_MAX - 64, SIZE_MAX / 2 + 1})
    CHECK(status_of(a, huge) == Status::out_of_memory);
  CHECK(a.used() == 0);
}

TEST_CASE("a host allocator that fails or returns misaligned memory is an error and leaks nothing", "[base]") {
  Host host;
  Allocator a(host.functions(), 0);
  host.give = Host::nothing;
  CHECK(status_of(a, 100) == Status::out_of_memory);
  host.give = Host::misaligned;
  CHECK(status_of(a, 100) == Status::out_of_memory);
  CHECK(a.used() == 0);
  CHECK(a.peak() == 0);
  CHECK((host.live.empty() && !host.wrong_size));
  host.give = Host::memory;
  CHECK(status_of(a, 100) == Status::ok);
  CHECK((host.live.empty() && !host.wrong_size));
}

TEST_CASE("half a pair of host functions is no pair", "[base]") {
  Host host;
  AllocatorFunctions functions = host.functions();
  functions.free = nullptr;
  Allocator a(functions, 0);
  CHECK(status_of(a, 100) == Status::ok);
  CHECK(host.calls == 0);
}

TEST_CASE("a buffer owns its bytes and keeps the allocator", "[base]") {
  auto allocator = std::make_shared<Allocator>(AllocatorFunctions(), 0);
  Buffer a(allocator, 100, "a test"), none;
  CHECK((none.data() == nullptr && none.size() == 0));
  std::byte* const data = a.data();
  Buffer b(std::move(a));
  CHECK((b.data() == data && b.size() == 100 && allocator->used() == 100));
  b = Buffer(allocator, 30, "a test");  // the old bytes go
  CHECK(allocator->used() == 30);
  std::weak_ptr<Allocator> watch = allocator;
  allocator.reset();
  CHECK_FALSE(watch.expired());
  b = Buffer();
  CHECK(watch.expired());
}

TEST_CASE("threads that are refused do not disturb those that fit", "[base]") {
  Allocator a({}, 1000);
  std::atomic<int> refused{0}, admitted{0};
  void* held = a.allocate(150, "a test");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20000; ++i)
        if (t < 2)
          refused += status_of(a, 900) == Status::out_of_memory;  // 150 are held: it never fits
        else
          admitted += status_of(a, 25) == Status::ok;
    });
  for (std::thread& t : threads) t.join();
  a.release(held, 150);
  CHECK(refused == 40000);
  CHECK(admitted == 40000);
  CHECK(a.used() == 0);
  CHECK(a.peak() <= 1000);
}
