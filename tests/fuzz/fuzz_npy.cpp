// fuzz_npy.cpp -- any bytes as a .npy file of reference numbers (puna verify): an Error, or an array with as many
// values as its shape says, which is written and read again.
#include <cstring>

#include "expect_error.h"
#include "npy.h"
#include "scratch_folder.h"
#include "target.h"

FUZZ_TARGET(npy) {
  using namespace puna;
  static const test::ScratchFolder folder;
  cli::Array array;
  if (!test::expect_error_only([&] { array = cli::read_npy(folder.write("array.npy", test::text_of(data, size))); }))
    return 0;
  size_t count = 1;
  for (const int64_t n : array.shape) count *= size_t(n);
  test::require(array.values.size() == count);
  if (array.shape.size() > 64) return 0;  // a header has at most 64 KB
  cli::write_npy(folder / "again.npy", array.shape, array.values.data());
  const cli::Array again = cli::read_npy(folder / "again.npy");
  test::require(again.shape == array.shape &&
                (count == 0 || memcmp(again.values.data(), array.values.data(), count * sizeof(float)) == 0));
  return 0;
}
