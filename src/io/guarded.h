// guarded.h -- the door of every loader: whatever goes wrong inside comes out as an Error.
#pragma once
#include <new>

#include "io/file_error.h"
#include "puna/base/context.h"

namespace puna::io {

// Names, keys and tables of a header live in ordinary memory, which may run out as well.
template <class Fn>
auto guarded(const Context& context, const std::string& file, Fn fn) {
  context.require_same_process();
  try {
    return fn();
  } catch (const std::bad_alloc&) {
    fail_in(file, Status::out_of_memory, "not enough memory for the header");
  }
}

}  // namespace puna::io
