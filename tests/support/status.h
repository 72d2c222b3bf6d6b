// status.h -- how a call ended.
#pragma once
#include <string>

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

// The sentence of its Error; "" when there was none.
inline std::string message_of(FunctionRef<void()> call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace puna::test
