#include "base/hash.h"

#include "base/format.h"

namespace puna {

std::string hex_of(uint64_t hash) { return format("%016jx", uintmax_t(hash)); }

}  // namespace puna
