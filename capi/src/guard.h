// guard.h -- what every entry point runs inside: the floating-point mode that the results assume, and a handler that
// converts every C++ exception to a status and a message in a fixed thread-local buffer. No exception crosses extern
// "C".
#pragma once
#include <exception>

#include "base/fp_env.h"
#include "puna.h"
#include "puna/base/context.h"
#include "puna/base/error.h"

namespace puna::capi {

// Call inside a catch block: stores the message of the exception in flight and returns its status. One copy of the
// handlers serves every entry point.
puna_status remember_current_exception() noexcept;

template <class Body>
puna_status guard(Body&& body) noexcept {
  const FpEnv fp;
  try {
    body();
    return PUNA_OK;
  } catch (...) {
    return remember_current_exception();
  }
}

// What the functions of a part answer in a build without that part.
inline puna_status missing(const char* part) {
  return guard([&] { fail(Status::unsupported, "this library was built without %s", part); });
}

// Deletes a handle, unless this is a forked child: there the threads it would join do not exist, so it is left alone.
template <class Handle>
void free_handle(Handle* handle, const Context& context) noexcept {
  const FpEnv fp;
  try {
    context.require_same_process();
  } catch (...) {
    return;
  }
  delete handle;
}

}  // namespace puna::capi
