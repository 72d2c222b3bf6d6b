// fuzz_gzip.cpp -- any bytes as training data in .gz: an Error, or at most as many bytes as may come out.
#include "expect_error.h"
#include "gzip.h"
#include "target.h"

FUZZ_TARGET(gzip) {
  using namespace puna;
  constexpr size_t kMost = 16 << 20;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  test::expect_error_only([&] {
    const std::string text = cli::unpack_gzip(bytes, "data.gz", kMost);
    test::require(text.size() <= kMost && (cli::is_gzip(bytes) || text.empty()));
  });
  return 0;
}
