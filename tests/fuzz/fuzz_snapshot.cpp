// fuzz_snapshot.cpp -- any bytes as a session's snapshot, of models that read and of one that sees: an Error, or a
// session that goes on and gives a snapshot of the same tokens.
#include <vector>

#include "expect_error.h"
#include "puna/runtime/sampler.h"
#include "puna/runtime/snapshot.h"
#include "scratch_folder.h"
#include "target.h"
#include "tiny_vision.h"

FUZZ_TARGET(snapshot) {
  using namespace puna;
  static const test::ScratchFolder folder;
  static const ModelPtr models[] = {test::tiny_model(), test::tiny_model(test::tiny_gemma4_config()),
                                    test::tiny_seeing_model(folder.path())};
  for (const ModelPtr& model : models)
    test::expect_error_only([&] {
      const auto session = restore_snapshot(model, {reinterpret_cast<const std::byte*>(data), size});
      std::vector<std::byte> again(snapshot_bytes(*session));
      save_snapshot(*session, again);
      const auto copy = restore_snapshot(model, again);
      test::require(std::ranges::equal(copy->tokens(), session->tokens()) &&
                    copy->held().patches.size() == session->held().patches.size());
      test::expect_error_only([&] { (void)Sampler({}).sample(session->logits(), session->tokens(), 0); });
      session->append(std::vector<int32_t>{1, 2, 3});
      session->truncate(session->length() / 2);
      session->append(std::vector<int32_t>{4});
    });
  return 0;
}
