// What a host decides once: threads, instruction set, memory, and the rule by which option structs grow.
#include <atomic>
#include <cstdlib>
#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

struct CountingAllocator {
  std::atomic<int64_t> live{0}, calls{0};
  static void* alloc(void* user, size_t bytes, size_t alignment) {
    auto* self = static_cast<CountingAllocator*>(user);
    ++self->live, ++self->calls;
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  }
  static void dealloc(void* user, void* memory, size_t) {
    --static_cast<CountingAllocator*>(user)->live;
    std::free(memory);
  }
};

std::vector<float> logits_with(const puna_context_options& options) {
  const ContextHandle context = make_context(&options);
  return logits_after(make_session(open_model(chat_model(), context.get())), {1, 2, 3, 4, 5, 6, 7});
}

}  // namespace

TEST_CASE("a context reports its instruction set, threads and limits", "[capi]") {
  const ContextHandle context = make_context();
  auto info = sized<puna_context_info>();
  ok(puna_context_get_info(context.get(), &info));
  CHECK(info.threads >= 1);
  CHECK(std::string(info.isa) != "");
  CHECK(info.memory_limit == 0);
}

TEST_CASE("every instruction set level gives the same bits, or Error{unsupported} when this CPU lacks it", "[capi]") {
  std::vector<std::vector<float>> seen;
  for (const char* isa : {"scalar", "avx2", "avxvnni", "avx512", "avx512vnni", "neon"}) {
    CAPTURE(isa);
    auto options = sized<puna_context_options>();
    options.isa = isa;
    puna_context* context = nullptr;
    const puna_status status = puna_context_create(&options, &context);
    if (status == PUNA_OK) {
      puna_context_free(context);
      seen.push_back(logits_with(options));
      CHECK(seen.back() == seen.front());
    } else {
      refused(status, PUNA_UNSUPPORTED, isa);
    }
  }
  CHECK(seen.size() >= 1);
  auto options = sized<puna_context_options>();
  options.isa = "mmx";
  puna_context* context = nullptr;
  refused(puna_context_create(&options, &context), PUNA_UNSUPPORTED, "mmx");
  CHECK(context == nullptr);
}

TEST_CASE("the host's allocator gets every block back", "[capi]") {
  CountingAllocator counter;
  auto options = sized<puna_context_options>();
  options.alloc = CountingAllocator::alloc;
  options.dealloc = CountingAllocator::dealloc;
  options.alloc_user = &counter;
  {
    const ContextHandle context = make_context(&options);
    const ModelHandle model = open_model(chat_model(), context.get());
    const SessionHandle session = make_session(model);
    ok(puna_session_append(session.get(), std::vector<int32_t>{1, 2, 3}.data(), 3, nullptr, nullptr));
    auto info = sized<puna_context_info>();
    ok(puna_context_get_info(context.get(), &info));
    CHECK(info.memory_used > 0);
    CHECK(info.memory_peak >= info.memory_used);
    CHECK(counter.live > 0);
  }
  CHECK(counter.calls > 0);
  CHECK(counter.live == 0);
  options.dealloc = nullptr;
  puna_context* context = nullptr;
  refused(puna_context_create(&options, &context), PUNA_INVALID_ARGUMENT, "dealloc");
}

TEST_CASE("a memory limit is an error before the allocation and leaves the session usable", "[capi]") {
  auto options = sized<puna_context_options>();
  const ContextHandle free_context = make_context();
  const ModelHandle model = open_model(chat_model(), free_context.get());
  auto info = sized<puna_context_info>();
  ok(puna_context_get_info(free_context.get(), &info));
  options.memory_limit = info.memory_used + 100'000;  // the model fits, a long prompt does not

  const ContextHandle context = make_context(&options);
  const SessionHandle session = make_session(open_model(chat_model(), context.get()));
  const std::vector<int32_t> prompt(600, 5);
  refused(puna_session_append(session.get(), prompt.data(), prompt.size(), nullptr, nullptr), PUNA_OUT_OF_MEMORY,
          "memory limit");
  CHECK(length(session) == 0);
  ok(puna_context_get_info(context.get(), &info));
  CHECK(info.memory_peak <= options.memory_limit);
  CHECK(info.memory_limit == options.memory_limit);
}

TEST_CASE("threads, the host's own threads and none give the same bits", "[capi]") {
  auto one = sized<puna_context_options>();
  one.threads = 1;
  const std::vector<float> expected = logits_with(one);

  std::atomic<int32_t> started{0};
  auto pool = sized<puna_context_options>();
  pool.threads = 3;
  pool.thread_start = [](void* user, int32_t index) { *static_cast<std::atomic<int32_t>*>(user) += index; };
  pool.thread_user = &started;
  CHECK(logits_with(pool) == expected);
  CHECK(started == 1 + 2);

  std::atomic<int64_t> calls{0};
  auto host = sized<puna_context_options>();
  host.executor_threads = 2;
  host.executor_user = &calls;
  host.parallel_for = [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
    ++*static_cast<std::atomic<int64_t>*>(user);
    std::thread other([&] {
      for (int64_t i = 1; i < n; i += 2) task(data, i);
    });
    for (int64_t i = 0; i < n; i += 2) task(data, i);
    other.join();
  };
  CHECK(logits_with(host) == expected);
  CHECK(calls > 0);
}

TEST_CASE("option structs may be shorter or longer than ours", "[capi]") {
  struct Newer {
    puna_context_options known;
    uint64_t unknown;
  } newer{};
  const auto create = [&](uint32_t size) {
    newer.known.struct_size = size;
    puna_context* context = nullptr;
    const puna_status status = puna_context_create(&newer.known, &context);
    CHECK((context != nullptr) == (status == PUNA_OK));
    puna_context_free(context);
    return status;
  };
  ok(create(sizeof newer));
  newer.unknown = uint64_t(1) << 63;
  refused(create(sizeof newer), PUNA_UNSUPPORTED, "puna_context_options");
  ok(create(sizeof newer.known));  // beyond the stated size nothing is read
  newer.known.reserved = 1;
  refused(create(sizeof newer.known), PUNA_UNSUPPORTED, "reserved");
  newer.known.isa = "nonsense";
  ok(create(offsetof(puna_context_options, isa)));  // an older program: only struct_size and threads
  for (const uint32_t size : {0u, 4u, 10u, 1u << 20}) refused(create(size), PUNA_INVALID_ARGUMENT, "struct_size");
}

TEST_CASE("infos fill what fits and zero what is unknown", "[capi]") {
  const ContextHandle context = make_context();
  struct Newer {
    puna_context_info known;
    uint64_t unknown;
  } newer;
  memset(&newer, 0x55, sizeof newer);
  newer.known.struct_size = sizeof newer;
  ok(puna_context_get_info(context.get(), &newer.known));
  CHECK(newer.known.struct_size == sizeof newer);
  CHECK(newer.known.threads >= 1);
  CHECK(newer.unknown == 0);

  memset(&newer, 0x55, sizeof newer);
  newer.known.struct_size = offsetof(puna_context_info, isa);
  ok(puna_context_get_info(context.get(), &newer.known));
  CHECK(newer.known.threads >= 1);
  CHECK(newer.known.memory_used == 0x5555555555555555);  // not touched
}

TEST_CASE("every status has a name and errors are kept for each thread", "[capi]") {
  for (puna_status s = PUNA_OK; s <= PUNA_INTERNAL; ++s)
    CHECK(std::string(puna_status_name(s)) != puna_status_name(-1));
  refused(puna_context_create(nullptr, nullptr), PUNA_INVALID_ARGUMENT, "context is NULL");
  std::string elsewhere = "?";
  std::thread([&] { elsewhere = puna_last_error(); }).join();
  CHECK(elsewhere == "");
  make_context();
  CHECK_THAT(puna_last_error(), Catch::Matchers::Contains("context is NULL"));  // success leaves it alone
  CHECK(puna_version() >> 16 == PUNA_VERSION_MAJOR);
  CHECK(std::string(puna_version_string()) == std::to_string(PUNA_VERSION_MAJOR) + "." +
                                                  std::to_string(PUNA_VERSION_MINOR) + "." +
                                                  std::to_string(PUNA_VERSION_PATCH));
}
