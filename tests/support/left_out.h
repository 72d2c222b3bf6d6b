// left_out.h -- a cross build has no image libraries for its target. There, and nowhere else, a file that needs one is
// left out, with a warning.
#pragma once
#include <cstddef>
#include <span>

#include "puna/base/error.h"
#include "puna/image/decode.h"
#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

inline bool left_out([[maybe_unused]] std::span<const std::byte> file) {
#ifdef PUNA_CROSS_BUILT
  try {
    (void)picture_info(file);
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    WARN(e.what());
    return true;
  }
#endif
  return false;
}

inline bool left_out_file(const std::string& path) {
  const std::string file = read_text(path);
  return left_out(std::as_bytes(std::span(file)));
}

}  // namespace puna::test
