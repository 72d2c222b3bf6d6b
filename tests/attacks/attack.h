// attack.h -- what every hostile file must meet: an Error of the right kind that names the file and the field, at once,
// cheaply.
#pragma once
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "attacks/heap_meter.h"
#include "puna/base/error.h"
#include "puna/io/checkpoint.h"
#include "support/catch.h"
#include "support/context.h"

namespace puna::test {

// A valid file that is about to be corrupted. Places are found by the names in it.
struct AttackedFile {
  std::string bytes;

  // Offset of the byte behind the first occurrence of `text` as a length-prefixed string of GGUF.
  size_t behind(const std::string& text) const {
    const uint64_t length = text.size();
    const std::string needle = std::string(reinterpret_cast<const char*>(&length), 8) + text;
    const size_t at = bytes.find(needle);
    REQUIRE(at != std::string::npos);
    return at + needle.size();
  }
  template <class T>
  void put(size_t at, T value) {
    REQUIRE(at + sizeof value <= bytes.size());
    memcpy(bytes.data() + at, &value, sizeof value);
  }
  void replace(const std::string& from, const std::string& to) {  // the first occurrence
    const size_t at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    bytes.replace(at, from.size(), to);
  }
};

using Mutation = std::function<void(AttackedFile&)>;

template <class T>
Mutation at(size_t offset, T value) {
  return [=](AttackedFile& v) { v.put(offset, value); };
}
template <class T>
Mutation behind(const char* text, int plus, T value) {
  return [=](AttackedFile& v) { v.put(v.behind(text) + size_t(int64_t{plus}), value); };
}
inline Mutation renamed(const char* from, const char* to) {
  return [=](AttackedFile& v) { v.replace(from, to); };
}
inline Mutation all(std::vector<Mutation> steps) {
  return [=](AttackedFile& v) {
    for (const Mutation& s : steps) s(v);
  };
}

struct Attack {
  const char* name;  // the mutation, as a sentence
  Mutation mutate;
  Status status;      // expected
  const char* field;  // expected in the message
};

inline constexpr const char* kFile = "hostile.bin";  // expected in the message

// Runs `load` and checks how it fails. `bytes` is the size of the hostile input: memory must be proportional to it.
template <class Load>
void expect_refused(size_t bytes, Status status, const std::string& file, const std::string& field, Load load) {
  const ContextPtr context = test_context_without_kernels();
  const auto start = std::chrono::steady_clock::now();
  const HeapMeter heap;
  bool refused = false;
  try {
    load(*context);
  } catch (const Error& e) {
    refused = true;
    const std::string message = e.what();
    CAPTURE(message);
    CHECK(e.status() == status);
    CHECK(message.find(file) != std::string::npos);
    CHECK(message.find(field) != std::string::npos);
  }
  CHECK(refused);
  CHECK(HeapMeter::peak() < 32 * bytes + (1 << 20));
  CHECK(context->allocator()->peak() <= bytes);
  CHECK(context->allocator()->used() == 0);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

// Both ways bytes that are not a mapped file can arrive. The reader's memory is a copy of exactly the right size.
inline std::vector<SourcePtr> sources_of(const std::string& bytes) {
  return {open_memory_source(bytes.data(), bytes.size(), kFile),
          open_read_at_source({const_cast<std::string*>(&bytes), bytes.size(),
                               [](void* user, uint64_t offset, uint64_t n, void* dst) {
                                 const auto& all = *static_cast<const std::string*>(user);
                                 if (offset > all.size() || n > all.size() - offset) return 1;
                                 memcpy(dst, all.data() + offset, n);
                                 return 0;
                               }},
                              kFile)};
}

}  // namespace puna::test
