// Snapshots: exact, deterministic, bound to a model; damaged ones are refused byte by byte.
#include "capi/fixture.h"
#include "capi/session_rules.h"

using namespace puna::test;

namespace test_snapshot {
namespace {

SessionHandle restore(const ModelHandle& model, const std::string& bytes) {
  puna_session* s = nullptr;
  ok(puna_session_restore(model.get(), bytes.data(), bytes.size(), &s));
  return SessionHandle(s);
}

puna_status status_of_restore(const ModelHandle& model, const std::string& bytes) {
  puna_session* s = nullptr;
  const puna_status status = puna_session_restore(model.get(), bytes.data(), bytes.size(), &s);
  puna_session_free(s);
  return status;
}

// Writes a value into the header and repairs the checksum, as an attacker would.
std::string with_field(std::string bytes, size_t offset, int64_t value, size_t size) {
  memcpy(bytes.data() + offset, &value, size);
  const uint64_t zero = 0;
  memcpy(bytes.data() + 32, &zero, 8);
  uint64_t state = 0x243F6A8885A308D3u;
  const auto mix = [&](uint64_t w) {
    state = (state ^ w) * 0x9E3779B97F4A7C15u;
    state ^= state >> 32;
  };
  const auto add = [&](const char* p, size_t n) {
    for (; n >= 8; p += 8, n -= 8) {
      uint64_t w;
      memcpy(&w, p, 8);
      mix(w);
    }
    uint64_t w = 0;
    memcpy(&w, p, n);
    mix(w ^ uint64_t(n) << 56);
  };
  add(bytes.data(), 72);
  add(bytes.data() + 72, bytes.size() - 72);
  const uint64_t sum = state ^ state >> 29;
  memcpy(bytes.data() + 32, &sum, 8);
  return bytes;
}

}  // namespace

TEST_CASE("a restored session goes on with the same bits, also behind a dropped chunk and on another ISA level",
          "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto scalar = sized<puna_context_options>();
  scalar.isa = "scalar";
  scalar.threads = 1;
  const ContextHandle elsewhere = make_context(&scalar);
  const ModelHandle same_model = open_model(chat_model(), elsewhere.get());
  for (const bool exact : {false, true})
    for (const size_t n : {size_t(1), size_t(40), size_t(131)}) {
      CAPTURE(exact, n);
      const SessionHandle session = make_session(model, exact);
      const std::vector<float> last = logits_after(session, some_tokens(n));
      const std::string bytes = snapshot(session);
      CHECK(bytes == snapshot(session));
      const SessionHandle copy = restore(model, bytes), moved = restore(same_model, bytes);
      CHECK(length(copy) == int64_t(n));
      CHECK(logits(copy) == last);
      CHECK(snapshot(copy) == bytes);
      const std::vector<float> next = logits_after(session, {5, 6, 7});
      CHECK(logits_after(copy, {5, 6, 7}) == next);
      CHECK(logits_after(moved, {5, 6, 7}) == next);
      ok(puna_session_truncate(copy.get(), int64_t(n) / 2));  // back across what was restored
      const SessionHandle rewound = restore(model, snapshot(copy));
      CHECK(logits_after(rewound, {9}) == logits_after(copy, {9}));
    }
  const SessionHandle empty = restore(model, snapshot(make_session(model)));
  CHECK(length(empty) == 0);
  CHECK(logits_after(empty, some_tokens(40)) == logits_after(make_session(model), some_tokens(40)));
}

TEST_CASE("a snapshot of another model is refused", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  puna_model* other = nullptr;
  ok(puna_model_open_memory(nullptr, tiny_gguf().data(), tiny_gguf().size(), nullptr, &other));
  const ModelHandle tiny(other);
  const SessionHandle session = make_session(model);
  logits_after(session, {1, 2, 3});
  puna_session* made = nullptr;
  const std::string bytes = snapshot(session);
  refused(puna_session_restore(tiny.get(), bytes.data(), bytes.size(), &made), PUNA_INVALID_ARGUMENT, "another model");
  const SessionHandle of_tiny = make_session(tiny);
  logits_after(of_tiny, {1, 2, 3});
  CHECK(status_of_restore(tiny, snapshot(of_tiny)) == PUNA_OK);
  std::string changed = tiny_gguf();  // other weights in one matrix, everything else the same
  for (size_t i = changed.size() - 20'000; i < changed.size(); ++i) changed[i] = char(changed[i] ^ 1);
  puna_model* retrained = nullptr;
  ok(puna_model_open_memory(nullptr, changed.data(), changed.size(), nullptr, &retrained));
  CHECK(status_of_restore(ModelHandle(retrained), snapshot(of_tiny)) == PUNA_INVALID_ARGUMENT);
  CHECK(made == nullptr);
}

TEST_CASE("a corrupted or malicious snapshot is an error, wherever the corruption is", "[capi]") {
  puna_model* opened = nullptr;
  ok(puna_model_open_memory(nullptr, tiny_gguf().data(), tiny_gguf().size(), nullptr, &opened));
  const ModelHandle model(opened);
  const SessionHandle session = make_session(model);
  logits_after(session, {1, 2, 3, 4, 5});
  const std::string bytes = snapshot(session);
  REQUIRE(status_of_restore(model, bytes) == PUNA_OK);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string flipped = bytes;
    flipped[i] = char(flipped[i] ^ 0x10);
    if (status_of_restore(model, flipped) == PUNA_OK) FAIL("byte " << i);
  }
  for (size_t n = 0; n < bytes.size(); n += n < 200 ? 1 : 97)
    if (status_of_restore(model, bytes.substr(0, n)) != PUNA_BAD_FILE) FAIL("cut to " << n);
  CHECK(status_of_restore(model, bytes + '\0') == PUNA_BAD_FILE);

  // With a checksum that is right: version, flags, size, max_positions, prefill_chunk, tokens, complete, the first
  // token id.
  REQUIRE(status_of_restore(model, with_field(bytes, 64, 5, 8)) ==
          PUNA_OK);  // the checksum of this test is the library's
  CHECK(status_of_restore(model, with_field(bytes, 8, 2, 4)) == PUNA_UNSUPPORTED);
  CHECK(status_of_restore(model, with_field(bytes, 12, 4, 4)) == PUNA_UNSUPPORTED);
  for (const int64_t value : {int64_t(-1), int64_t(0), int64_t(1) << 40, INT64_MAX, INT64_MIN}) {
    CAPTURE(value);
    for (const size_t field : {24, 40, 48, 56, 64}) {
      CAPTURE(field);
      CHECK(status_of_restore(model, with_field(bytes, field, value, 8)) != PUNA_OK);
    }
    CHECK(status_of_restore(model, with_field(bytes, 72, int32_t(value) == 0 ? 96 : value, 4)) == PUNA_BAD_FILE);
  }
  CHECK(status_of_restore(model, with_field(bytes, 64, 4, 8)) ==
        PUNA_BAD_FILE);  // fewer keys than tokens, though there are logits
  CHECK(status_of_restore(model, with_field(bytes, 12, 1, 4)) == PUNA_BAD_FILE);  // exact: other sizes
}

}  // namespace test_snapshot
