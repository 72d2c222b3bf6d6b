// heap_meter.h -- how many bytes of ordinary memory a piece of code had at most: operator new of this test program is
// counted.
#pragma once
#include <cstddef>

namespace puna::test {

class HeapMeter {
 public:
  HeapMeter() noexcept;           // starts a measurement; one at a time
  static size_t peak() noexcept;  // bytes above what was in use when the measurement started
};

}  // namespace puna::test
