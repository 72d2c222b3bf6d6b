// fuzz_packed_file.cpp -- any bytes as the file of packed weights beside a model: an Error that leaves the file as it
// is, or a model that answers. Of which model files it was made, the file says by a hash with their times in it: where
// an input has 0 there, it gets the right one.
#include <cstring>

#include "expect_error.h"
#include "puna/runtime/save.h"
#include "runtime/opening/packed_file.h"
#include "scratch_folder.h"
#include "target.h"
#include "tiny_model.h"

namespace {

using namespace puna;

struct Beside {
  test::ScratchFolder folder;
  std::string model = folder / "model.gguf";
  uint64_t source = 0;

  Beside() {
    save_gguf(*test::tiny_model(), model);
    open("right.packed", true);
    PackedFile::Header header;
    memcpy(&header, folder.read("right.packed").data(), sizeof header);
    source = header.source;
  }
  ModelPtr open(const char* packed, bool verify) const {
    return Model::open(test::tiny_context(), model, {}, {folder / packed, verify});
  }
};

std::vector<float> logits_of(const ModelPtr& model) {
  Session session(model, {});
  session.append(std::vector<int32_t>{1, 2, 3});
  return {session.logits().begin(), session.logits().end()};
}

}  // namespace

FUZZ_TARGET(packed_file) {
  static const Beside beside;
  static const std::vector<float> right = logits_of(beside.open("right.packed", false));
  std::string file(test::text_of(data, size));
  constexpr size_t kSource = offsetof(PackedFile::Header, source);
  if (file.size() >= kSource + 8 && file.compare(kSource, 8, std::string(8, '\0')) == 0)
    memcpy(file.data() + kSource, &beside.source, sizeof beside.source);
  for (const bool verify : {false, true}) {
    beside.folder.write("model.packed", file);
    std::vector<float> logits;
    if (!test::expect_error_only([&] { logits = logits_of(beside.open("model.packed", verify)); }))
      test::require(beside.folder.read("model.packed") == file);
    else if (beside.folder.read("model.packed") != file)
      test::require(logits == right);  // it was made anew
  }
  return 0;
}
