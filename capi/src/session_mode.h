// session_mode.h -- exact and kv_type, which sessions and plans take alike.
#pragma once
#include "puna/runtime/session.h"
#include "translate.h"

namespace puna::capi {

inline void read_mode(SessionOptions& options, int32_t exact, int32_t kv_type) {
  PUNA_REQUIRE(kv_type >= PUNA_KV_DEFAULT && kv_type <= PUNA_KV_Q8_0, "kv_type is %d, expected PUNA_KV_*", kv_type);
  options.exact = flag(exact, "exact");
  PUNA_REQUIRE(!options.exact || kv_type == PUNA_KV_DEFAULT,
               "an exact session keeps float32: kv_type is %d, expected PUNA_KV_DEFAULT", kv_type);
  if (kv_type == PUNA_KV_Q8_0) options.kv_type = DType::q8_0;
}

}  // namespace puna::capi
