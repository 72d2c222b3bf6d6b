// The packed file changes nothing but the time a start takes: same bits, made anew when the source changes, never half,
// never someone else's file; like any file it is validated: corrupted headers and tables are errors that name
// it.
#include <cstddef>
#include <cstring>
#include <filesystem>

#include "base/hash.h"
#include "base/os.h"
#include "puna/base/error.h"
#include "puna/runtime/save.h"
#include "puna/runtime/session.h"
#include "runtime/opening/packed_file.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"

using namespace puna;
using namespace puna::test;
namespace fs = std::filesystem;

namespace {

std::vector<float> logits_of(const ModelPtr& model) {
  Session session(model, {});
  std::vector<float> logits(3 * size_t(model->config().vocab));
  session.append(std::vector<int32_t>{1, 5, 9}, {.logits = logits});
  return logits;
}

struct Fixture {
  TempFolder folder;
  ContextPtr context = make_context({});
  std::string source = folder / "model.gguf", packed = folder / "model.packed";
  Fixture() {
    save_gguf(*Model::open(context,
                           goldens([](const Golden& s) { return s.fixture() == "text_scout_like"; }).front().folder()),
              source, {});
  }
  ModelPtr open(bool verify = false) const { return Model::open(context, source, {}, {packed, verify}); }

  std::string bytes() const { return os::read_file(packed, 1 << 30); }
  void rewrite(const std::string& b) const { write_file(packed, b); }
  // Changes bytes at `at`, and the table's hash with them when it is told to, as an attacker would.
  template <class T>
  void corrupt(size_t at, T value) const {
    std::string b = bytes();
    memcpy(b.data() + at, &value, sizeof value);
    rewrite(b);
  }
};

constexpr size_t kTable = sizeof(PackedFile::Header), kHashOf = offsetof(PackedFile::Header, table_hash);

std::string with_table_hash(std::string b) {
  PackedFile::Header h;
  memcpy(&h, b.data(), sizeof h);
  Hash hash;
  hash.add(b.data() + kTable, h.matrices * sizeof(PackedFile::Entry));
  const uint64_t value = hash.value();
  memcpy(b.data() + kHashOf, &value, sizeof value);
  return b;
}

}  // namespace

TEST_CASE("a model from its packed file computes the same bits, and the file is made once", "[runtime]") {
  const Fixture f;
  const std::vector<float> expected = logits_of(Model::open(f.context, f.source));
  CHECK(logits_of(f.open()) == expected);
  const auto made = fs::last_write_time(f.packed);
  const std::string bytes = f.bytes();
  const ModelPtr second = f.open(/*verify=*/true);
  CHECK(logits_of(second) == expected);
  CHECK(fs::last_write_time(f.packed) == made);
  CHECK(f.bytes() == bytes);

  SECTION("deleting it under an open model takes nothing away") {
    fs::remove(f.packed);
    CHECK(logits_of(second) == expected);
  }
  SECTION("a source written since makes it anew") {
    fs::last_write_time(f.source, fs::last_write_time(f.source) + std::chrono::seconds(2));
    CHECK(logits_of(f.open()) == expected);
    CHECK(f.bytes() != bytes);
  }
  SECTION("a Hugging Face folder has one as well") {
    const std::string folder = goldens([](const Golden& s) { return s.fixture() == "dense_llama3"; }).front().folder();
    const std::string packed = f.folder / "dense.packed";
    const std::vector<float> dense = logits_of(Model::open(f.context, folder));
    CHECK(logits_of(Model::open(f.context, folder, {}, {packed})) == dense);
    CHECK(logits_of(Model::open(f.context, folder, {}, {packed})) == dense);
  }
}

TEST_CASE("making a packed file can be cancelled at every report and leaves nothing", "[runtime]") {
  const Fixture f;
  int cancelled = 0;
  for (int reports = 0; !fs::exists(f.packed); reports += 5) {
    int left = reports;
    const auto stop = [&](uint64_t, uint64_t) { return left-- > 0; };
    try {
      Model::open(f.context, f.source, stop, {f.packed});
    } catch (const Error& e) {
      CHECK(e.status() == Status::cancelled);
      CHECK(f.folder.file_count() == 1);  // the source
      ++cancelled;
    }
  }
  CHECK(cancelled > 10);
}

TEST_CASE("a packed file that cannot be is an error that names it", "[runtime]") {
  const Fixture f;
  SECTION("a file of another kind is refused and left alone") {
    write_file(f.packed, "my thesis");
    CHECK_THROWS_WITH(f.open(),
                      Catch::Contains("is no packed model; it was left as it is") && Catch::Contains(f.packed));
    CHECK(f.bytes() == "my thesis");
  }
  SECTION("a folder that cannot be written is an error that names the file") {
    CHECK_THROWS_WITH(Model::open(f.context, f.source, {}, {"/nowhere/at/all"}), Catch::Contains("/nowhere/at/all"));
  }
}

TEST_CASE("a corrupted packed file is an error", "[runtime]") {
  const Fixture f;
  f.open();
  const std::string good = f.bytes();
  SECTION("another version is made anew") {
    f.corrupt(offsetof(PackedFile::Header, version), uint32_t(99));
    f.open();
    CHECK(f.bytes() == good);
  }
  SECTION("cut anywhere") {
    for (size_t n = kTable; n < good.size(); n += good.size() / 37) {
      f.rewrite(good.substr(0, n));
      CHECK_THROWS_WITH(f.open(), Catch::Contains(f.packed));
    }
  }
  SECTION("a table that is not the one written") {
    f.corrupt(kTable + 3, uint8_t(77));
    CHECK_THROWS_WITH(f.open(), Catch::Contains("the table of matrices is corrupted"));
  }
  SECTION("tables made up on purpose, hash and all") {
    const auto attack = [&](size_t at, auto value, const char* message) {
      std::string b = good;
      memcpy(b.data() + at, &value, sizeof value);
      f.rewrite(with_table_hash(b));
      CHECK_THROWS_WITH(f.open(), Catch::Contains(message));
    };
    using Entry = PackedFile::Entry;
    PackedFile::Header h;
    memcpy(&h, good.data(), sizeof h);
    attack(kTable + offsetof(Entry, offset), uint64_t(1) << 62, "matrix 0 is not inside the file");
    attack(kTable + offsetof(Entry, offset), good.size() - 1, "matrix 0 is not inside the file");
    attack(kTable + offsetof(Entry, offset), good.size() / 4096 * 4096, "matrix 0 is not inside the file");
    attack(kTable + offsetof(Entry, offset), UINT64_MAX, "matrix 0 is not inside the file");
    attack(kTable + sizeof(Entry) + offsetof(Entry, rows), INT64_MAX, "matrix 1 has not the type and shape");
    attack(kTable + offsetof(Entry, cols), int64_t(-1), "matrix 0 has not the type and shape");
    attack(kTable + offsetof(Entry, dtype), int32_t(12345), "matrix 0 has not the type and shape");
    attack(offsetof(PackedFile::Header, matrices), h.matrices - 1, "is missing");
    attack(offsetof(PackedFile::Header, matrices), h.matrices + 1, "more matrices than the model");
    attack(offsetof(PackedFile::Header, bytes), h.bytes + 4096, "the header tells of");
  }
  SECTION("weights that changed are found when asked for") {
    std::string b = good;
    b[b.size() - 4000] = char(b[b.size() - 4000] ^ 1);
    f.rewrite(b);
    f.open();
    CHECK_THROWS_WITH(f.open(/*verify=*/true), Catch::Contains("is not what was packed"));
  }
}
