// status.h -- how a call ended.
#pragma once
#include "puna/base/error.h"
#include "puna/base/function_ref.h"

namespace puna::test {

inline Status status_of(FunctionRef<void()> call) {
  try {
    call();
  } catch (const Error& e) {
    return e.status();
  }
  return Status::ok;
}

}  // namespace puna::test
