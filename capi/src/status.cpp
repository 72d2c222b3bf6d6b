// status.cpp -- status names, the last error of this thread, and the version.
#include <cstring>
#include <new>

#include "guard.h"

namespace puna::capi {
namespace {

// The one piece of per-thread state: fixed size, so that reporting "out of memory" cannot fail.
thread_local char last_error[Error::kCapacity];

puna_status remember(Status status, const char* message) noexcept {
  const size_t n = strnlen(message, sizeof last_error - 1);
  memcpy(last_error, message, n);
  last_error[n] = '\0';
  return static_cast<puna_status>(status);
}

}  // namespace

puna_status remember_current_exception() noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return remember(e.status(), e.what());
  } catch (const std::bad_alloc&) {
    return remember(Status::out_of_memory, "out of memory");
  } catch (const std::exception& e) {
    return remember(Status::internal, e.what());
  } catch (...) {
    return remember(Status::internal, "an exception of unknown type was thrown");
  }
}

}  // namespace puna::capi

static_assert(PUNA_OK == int(puna::Status::ok) && PUNA_INVALID_ARGUMENT == int(puna::Status::invalid_argument) &&
              PUNA_OUT_OF_MEMORY == int(puna::Status::out_of_memory) && PUNA_IO == int(puna::Status::io) &&
              PUNA_BAD_FILE == int(puna::Status::bad_file) && PUNA_UNSUPPORTED == int(puna::Status::unsupported) &&
              PUNA_CANCELLED == int(puna::Status::cancelled) && PUNA_CONTEXT_FULL == int(puna::Status::context_full) &&
              PUNA_WRONG_STATE == int(puna::Status::wrong_state) && PUNA_INTERNAL == int(puna::Status::internal) &&
              PUNA_BUSY == int(puna::Status::busy));

const char* puna_status_name(puna_status status) { return puna::name(static_cast<puna::Status>(status)); }
const char* puna_last_error(void) { return puna::capi::last_error; }

#define PUNA_TEXT(x) #x
#define PUNA_DOTTED(major, minor, patch) PUNA_TEXT(major) "." PUNA_TEXT(minor) "." PUNA_TEXT(patch)

uint32_t puna_version(void) { return PUNA_VERSION_MAJOR << 16 | PUNA_VERSION_MINOR << 8 | PUNA_VERSION_PATCH; }
const char* puna_version_string(void) {
  return PUNA_DOTTED(PUNA_VERSION_MAJOR, PUNA_VERSION_MINOR, PUNA_VERSION_PATCH);
}
