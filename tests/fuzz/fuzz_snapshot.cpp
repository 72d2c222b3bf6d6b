// fuzz_snapshot.cpp -- any bytes as a session's snapshot: an Error, or a session that goes on and gives a snapshot of the same tokens.
#include <cstdlib>
#include <vector>

#include "puna/base/error.h"
#include "puna/runtime/snapshot.h"
#include "tiny_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace puna;
  static const ModelPtr model = test::tiny_model();
  try {
    const auto session = restore_snapshot(model, {reinterpret_cast<const std::byte*>(data), size});
    std::vector<std::byte> again(snapshot_bytes(*session));
    save_snapshot(*session, again);
    session->append(std::vector<int32_t>{1, 2, 3});
  } catch (const Error& e) {
    if (e.status() == Status::internal) std::abort();
  }
  return 0;
}
