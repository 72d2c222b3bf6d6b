// copy_bytes.h -- memcpy that allows NULL for zero bytes: the data() of an empty vector or tensor may be NULL, which is
// undefined behaviour for memcpy.
#pragma once
#include <cstddef>
#include <cstring>

namespace puna {

inline void copy_bytes(void* to, const void* from, size_t bytes) noexcept {
  if (bytes != 0) memcpy(to, from, bytes);
}

}  // namespace puna
