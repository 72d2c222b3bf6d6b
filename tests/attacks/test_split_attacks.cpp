// test_split_attacks.cpp -- sets of GGUF files that do not belong together, go round in circles, or lie about their
// number.
#include "attacks/attack.h"
#include "support/tiny_files.h"

using namespace puna;
using namespace puna::test;

namespace {

// A valid model in three files of one tensor each.
struct Set {
  TempFolder folder;
  std::vector<OwnedTensor> tensors = tiny_gguf_tensors();
  std::vector<std::string> paths = write_gguf(folder / "m.gguf", tiny_metadata(), outputs(tensors), {1});

  void expect_refused(Status status, const std::string& file, const std::string& field, size_t opened = 0) const {
    const auto load = [&](const Context& context) { load_checkpoint(context, paths[opened]); };
    puna::test::expect_refused(1 << 16, status, file, field, load);
  }
  // Overwrites the value of a split key; all of them start with 16 bits.
  void put(size_t file, const char* key, uint16_t value) const {
    AttackedFile v{read_text(paths[file])};
    v.put(v.behind(key) + 4, value);  // behind the value type
    write_file(paths[file], v.bytes);
  }
  void copy(const std::string& from, size_t to) const {
    std::filesystem::copy_file(from, paths[to], std::filesystem::copy_options::overwrite_existing);
  }
};

}  // namespace

TEST_CASE("a set of files that is no model is refused by name", "[attacks][gguf]") {
  const Set set;
  constexpr Status bad = Status::bad_file, unsupported = Status::unsupported;
  REQUIRE(set.paths.size() == 3);
  REQUIRE(load_checkpoint(*test_context_without_kernels(), set.paths[0]).tensors.size() == 3);

  SECTION("opened at another file than the first") {
    set.expect_refused(unsupported, "00002-of-00003", "-00001-of-00003.gguf", 1);
  }
  SECTION("a file is missing") {
    std::filesystem::remove(set.paths[1]);
    set.expect_refused(bad, "00002-of-00003", "missing");
  }
  SECTION("two files are exchanged") {
    const std::string second = read_text(set.paths[1]);
    set.copy(set.paths[2], 1);
    write_file(set.paths[2], second);
    set.expect_refused(bad, "00002-of-00003", "file 3 of 3");
  }
  SECTION("the first file again in the second's place: a cycle") {
    set.copy(set.paths[0], 1);
    set.expect_refused(bad, "00002-of-00003", "file 1 of 3");
  }
  SECTION("a file of another set with the same number") {
    set.copy(write_gguf(set.folder / "o.gguf", {}, outputs(set.tensors), {2}).at(1), 1);
    set.expect_refused(bad, "00002-of-00003", "split.count");
  }
  SECTION("a whole model in the second's place") {
    write_file(set.paths[1], tiny_gguf());
    set.expect_refused(bad, "00002-of-00003", "split.count");
  }
  SECTION("the count is larger than the set") {
    set.put(0, "split.count", 65535);
    set.expect_refused(bad, "00001-of-00003", "-00001-of-65535.gguf");
  }
  SECTION("the count is smaller than the set") {
    set.put(0, "split.count", 2);
    set.expect_refused(bad, "00001-of-00003", "-00001-of-00002.gguf");
  }
  SECTION("the number is outside the count") {
    set.put(0, "split.no", 3);
    set.expect_refused(bad, "00001-of-00003", "split.no");
  }
  SECTION("the tensors do not add up") {
    for (size_t i = 0; i < 3; ++i) set.put(i, "split.tensors.count", 4);
    set.expect_refused(bad, "00001-of-00003", "split.tensors.count");
  }
  SECTION("the files disagree about the number of tensors") {
    set.put(2, "split.tensors.count", 4);
    set.expect_refused(bad, "00003-of-00003", "split.tensors.count");
  }
  SECTION("one tensor is in two files") {
    AttackedFile v{read_text(set.paths[2])};
    v.replace("third", "first");
    write_file(set.paths[2], v.bytes);
    set.expect_refused(bad, "00003-of-00003", "'first' is also in another file");
  }
  SECTION("a file is cut") {
    const std::string third = read_text(set.paths[2]);
    write_file(set.paths[2], third.substr(0, third.size() - 1));
    set.expect_refused(bad, "00003-of-00003", "'third'");
  }
  SECTION("renamed, so that the others cannot be found") {
    std::filesystem::rename(set.paths[0], set.folder / "renamed.gguf");
    const auto load = [&](const Context& context) { load_checkpoint(context, set.folder / "renamed.gguf"); };
    expect_refused(1 << 16, bad, "renamed.gguf", "-00001-of-00003.gguf", load);
  }
  SECTION("given as memory") {
    const std::string bytes = read_text(set.paths[0]);
    const auto load = [&](const Context& context) {
      load_checkpoint(context, open_memory_source(bytes.data(), bytes.size(), kFile));
    };
    expect_refused(bytes.size(), unsupported, kFile, "split.count", load);
  }
}
