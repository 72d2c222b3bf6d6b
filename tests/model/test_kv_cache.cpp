// Pages of keys and values: forks share until one writes, chunked layers drop what no later position sees, rewinding
// finds the way back.
#include "puna/model/kv_cache.h"

#include "kernels/encode_blocks.h"
#include "kernels/kernel_table.h"

#include <algorithm>

#include "puna/base/error.h"
#include "support/catch.h"

using namespace puna;

namespace {

// Layers 0-2 attend inside chunks, layer 3 to everything.
LlamaConfig config(int64_t chunk) {
  LlamaConfig c;
  c.layers = 4;
  c.kv_heads = 2;
  c.head_dim = 8;
  c.chunk = chunk;
  c.uses_rope = {1, 1, 1, 0};
  c.is_moe.assign(4, 0);
  return c;
}

struct Fixture {
  explicit Fixture(int64_t chunk = 16, uint64_t limit = 0)
      : allocator(std::make_shared<Allocator>(AllocatorFunctions(), limit)), kv(config(chunk), allocator, DType::f32) {}
  std::shared_ptr<Allocator> allocator;
  KvCache kv;
};

float mark(int64_t layer, int64_t position, int64_t head, bool value) {
  return float(layer * 100000 + position * 10 + head * 2 + value);
}

void write(KvCache& kv, int64_t begin, int64_t end, float add = 0) {
  kv.prepare(begin, end);
  for (int64_t l = 0; l < 4; ++l)
    for (int64_t p = begin; p < end; ++p)
      for (int64_t h = 0; h < 2; ++h) {
        const std::vector<float> key(8, mark(l, p, h, false) + add), value(8, mark(l, p, h, true) + add);
        kv.store(*select_kernels("scalar"), l, p, h, key.data(), value.data());
      }
}

// How many numbers of layer `l` in [begin, end) are not what write() put there, looked up as KvPages says.
int wrong_rows(const KvCache& kv, int64_t l, int64_t begin, int64_t end, float add = 0) {
  int wrong = 0;
  const int64_t size = kv.page_size(), tiles = (size + 15) / 16;
  for (int64_t p = begin; p < end; ++p)
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t i = 0; i < 8; ++i) {
        const auto* k = static_cast<const float*>(kv.keys(l)[p / size]);
        const auto* v = static_cast<const float*>(kv.values(l)[p / size]);
        const int64_t at = p % size;
        wrong += k[((h * tiles + at / 16) * 8 + i) * 16 + at % 16] != mark(l, p, h, false) + add;
        wrong += v[(h * size + at) * 8 + i] != mark(l, p, h, true) + add;
      }
  return wrong;
}

template <class Cache>
concept Writable = requires(Cache& kv, const std::byte* row) { kv.copy_in(0, 0, 0, row); };
static_assert(Writable<KvCache> && !Writable<const KvCache>);

const void* page(const KvCache& kv, int64_t layer, int64_t index) { return kv.keys(layer)[index]; }

}  // namespace

TEST_CASE("rows of all layers, heads and positions do not overlap", "[model]") {
  for (const int64_t chunk : {16, 24, 7}) {
    Fixture f(chunk);
    write(f.kv, 0, 50);
    for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(f.kv, l, 0, 50) == 0);
  }
  Fixture f;
  CHECK(f.kv.page_size() == 16);
  CHECK(KvCache(config(0), f.allocator, DType::f16).page_size() == 64);
  write(f.kv, 0, 17);
  CHECK(f.kv.bytes() == 4 * 2 * (2 * 2 * 16 * 8 * 4));  // layers, pages, (k and v, heads, positions, head_dim, f32)
  CHECK(f.allocator->used() == f.kv.bytes());
}

TEST_CASE("preparing keeps what is written", "[model]") {
  Fixture f;
  write(f.kv, 0, 5);
  const void* first = page(f.kv, 0, 0);
  f.kv.prepare(0, 40);
  CHECK(page(f.kv, 0, 0) == first);
  for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(f.kv, l, 0, 5) == 0);
  const uint64_t bytes = f.kv.bytes();
  f.kv.prepare(5, 5);
  f.kv.prepare(5, 40);
  CHECK(f.kv.bytes() == bytes);
}

TEST_CASE("a fork shares every page until one side writes to it", "[model]") {
  Fixture f(0);  // nothing is dropped
  write(f.kv, 0, 100);
  const uint64_t before = f.allocator->used();
  KvCache fork = f.kv;
  CHECK(f.allocator->used() == before);
  CHECK(page(fork, 2, 0) == page(f.kv, 2, 0));
  write(fork, 70, 110, 0.5f);  // copies page 1 (positions 64-127)
  CHECK(f.allocator->used() == before + before / 2);
  CHECK(page(fork, 2, 0) == page(f.kv, 2, 0));
  CHECK(page(fork, 2, 1) != page(f.kv, 2, 1));
  for (int64_t l = 0; l < 4; ++l) {
    CHECK(wrong_rows(f.kv, l, 0, 100) == 0);
    CHECK(wrong_rows(fork, l, 0, 70) == 0);
    CHECK(wrong_rows(fork, l, 70, 110, 0.5f) == 0);
  }
  write(f.kv, 100, 101);  // the original's page is its own again: no copy
  CHECK(f.allocator->used() == before + before / 2);
}

TEST_CASE("the last owner of a page writes in place, whoever made it", "[model]") {
  auto allocator = std::make_shared<Allocator>(AllocatorFunctions(), 0);
  auto original = std::make_unique<KvCache>(config(0), allocator, DType::f32);
  write(*original, 0, 10);
  KvCache fork = *original, second = fork;
  original.reset();
  const void* shared = page(fork, 0, 0);
  fork.prepare(10, 11);  // `second` still reads it
  CHECK(page(fork, 0, 0) != shared);
  CHECK(page(second, 0, 0) == shared);
  second.prepare(10, 11);
  CHECK(page(second, 0, 0) == shared);
  second = fork;
  CHECK(page(second, 0, 0) == page(fork, 0, 0));
  CHECK(wrong_rows(second, 3, 0, 10) == 0);
}

TEST_CASE("chunked layers hold one chunk however long the sequence; full layers hold it all", "[model]") {
  for (const int64_t chunk : {16, 24, 128}) {
    Fixture f(chunk);
    const int64_t size = f.kv.page_size(), step = 7;
    for (int64_t p = 0; p < 1000; p += step) {
      write(f.kv, p, p + step);
      f.kv.commit(p + step);
      const int64_t length = p + step, in_chunk = length % chunk, pages = (in_chunk + size - 1) / size,
                    full = (length + size - 1) / size;
      for (int64_t l = 0; l < 3; ++l) {
        CHECK(f.kv.pages(l) == pages);
        if (in_chunk) CHECK(wrong_rows(f.kv, l, length - in_chunk, length) == 0);
      }
      CHECK(f.kv.pages(3) == full);
      CHECK(f.kv.bytes() == uint64_t(3 * pages + full) * uint64_t(2 * ((size + 15) / 16 * 16 + size) * 8 * 4));
    }
    CHECK(wrong_rows(f.kv, 3, 0, 1000) == 0);
    CHECK(f.allocator->used() == f.kv.bytes());
  }
}

TEST_CASE("rewinding inside the chunk that is there goes exactly where it was asked to", "[model]") {
  Fixture f(64);
  write(f.kv, 0, 60);
  f.kv.commit(60);
  CHECK(f.kv.rewind(60) == 60);
  CHECK(f.kv.rewind(33) == 33);
  for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(f.kv, l, 0, 33) == 0);
  CHECK(f.kv.rewind(0) == 0);
  CHECK(f.kv.bytes() == 0);
  CHECK(f.allocator->used() == 0);
}

TEST_CASE("rewinding into a chunk that was dropped starts at its beginning", "[model]") {
  Fixture f;  // chunk 16
  write(f.kv, 0, 100);
  f.kv.commit(100);
  CHECK(f.kv.rewind(97) == 97);  // chunk 96-111 is there
  CHECK(f.kv.rewind(96) == 96);  // a chunk's start needs nothing of the chunk before
  CHECK(f.kv.rewind(95) == 80);
  CHECK(f.kv.pages(3) == 5);
  CHECK(f.kv.pages(0) == 0);
  CHECK(wrong_rows(f.kv, 3, 0, 80) == 0);
  write(f.kv, 80, 95);  // what a session does then
  f.kv.commit(95);
  for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(f.kv, l, 80, 95) == 0);
  CHECK(f.kv.rewind(90) == 90);
  CHECK(f.kv.rewind(80) == 80);
  CHECK(f.kv.rewind(16) == 16);
  CHECK(f.kv.rewind(15) == 0);
  CHECK(f.kv.bytes() == 0);
}

TEST_CASE("a fork keeps the chunk that the original drops", "[model]") {
  Fixture f;
  write(f.kv, 0, 30);
  f.kv.commit(30);
  KvCache fork = f.kv;
  write(f.kv, 30, 50);
  f.kv.commit(50);
  CHECK(f.kv.rewind(25) == 16);
  CHECK(fork.rewind(25) == 25);
  for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(fork, l, 16, 25) == 0);
}

TEST_CASE("memory that ends half way leaves what was committed, and rewinding gives the rest back", "[model]") {
  const uint64_t page_bytes = 2 * 2 * 16 * 8 * 4;
  for (uint64_t limit = 4; limit < 12; ++limit) {  // pages in all; the first chunk takes 4
    Fixture f(16, limit * page_bytes);
    write(f.kv, 0, 10);
    f.kv.commit(10);
    CHECK_THROWS_AS(f.kv.prepare(10, 1000), Error);
    CHECK(f.allocator->used() == f.kv.bytes());
    CHECK(f.kv.rewind(10) == 10);
    CHECK(f.kv.bytes() == 4 * page_bytes);
    CHECK(f.allocator->used() == 4 * page_bytes);
    for (int64_t l = 0; l < 4; ++l) CHECK(wrong_rows(f.kv, l, 0, 10) == 0);
    write(f.kv, 10, 16);  // the pages are there
  }
}

TEST_CASE("q8_0 pages give back each key and value as a row of blocks, and keep what they are given", "[model]") {
  LlamaConfig c = config(0);
  c.head_dim = 96;  // more than store() encodes at once
  KvCache kv(c, std::make_shared<Allocator>(AllocatorFunctions(), 0), DType::q8_0);
  kv.prepare(0, 70);
  const size_t row = 96 / 32 * 34;
  REQUIRE(kv.row_bytes(0) == 2 * row);
  const EncodeFunction encode = encoder(DType::q8_0);
  std::vector<std::byte> want(2 * row), got(2 * row);
  const auto encoded = [&](int64_t p, int64_t h) {
    std::vector<float> key, value;
    for (int64_t i = 0; i < 96; ++i) {
      key.push_back(float((p * 31 + h * 7 + i * 3) % 101 - 50) * 0.01f);
      value.push_back(float((p * 17 + h * 5 + i * 11) % 97 - 40) * 0.1f);
    }
    encode(want.data(), key.data(), 96, nullptr);
    encode(want.data() + row, value.data(), 96, nullptr);
    return std::pair(key, value);
  };
  for (int64_t p = 0; p < 70; ++p)
    for (int64_t h = 0; h < 2; ++h) {
      const auto [key, value] = encoded(p, h);
      if (p % 2 == 0)
        kv.store(*select_kernels("scalar"), 1, p, h, key.data(), value.data());
      else
        kv.copy_in(1, p, h, want.data());
    }
  for (int64_t p = 0; p < 70; ++p)
    for (int64_t h = 0; h < 2; ++h) {
      encoded(p, h);
      kv.copy_out(1, p, h, got.data());
      CHECK(got == want);
    }
}
