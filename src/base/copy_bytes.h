// copy_bytes.h -- memcpy that copies nothing from and to nowhere: the data() of an empty vector, or of an empty tensor
// in a file, may be NULL, which memcpy must not see even then.
#pragma once
#include <cstddef>
#include <cstring>

namespace puna {

inline void copy_bytes(void* to, const void* from, size_t bytes) noexcept {
  if (bytes != 0) memcpy(to, from, bytes);
}

}  // namespace puna
