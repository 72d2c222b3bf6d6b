// load_checkpoint.cpp -- which loader a path or source belongs to. Whatever goes wrong below arrives here as an Error.
#include <new>

#include "base/os.h"
#include "io/file_error.h"
#include "io/gguf_load.h"
#include "io/hf_folder.h"

namespace puna {
namespace {

// Names, keys and tables of a header live in ordinary memory, which may run out as well.
template <class Fn>
Checkpoint guarded(const Context& context, const std::string& name, Fn fn) {
  context.require_same_process();
  try {
    return fn();
  } catch (const std::bad_alloc&) {
    io::fail_in(name, Status::out_of_memory, "not enough memory for the metadata");
  }
}

}  // namespace

Checkpoint load_checkpoint(const Context& context, const std::string& path, LoadProgress progress) {
  return guarded(context, path, [&] {
    return os::is_directory(path) ? io::load_folder(context, path, progress) : io::load_gguf(context, path, progress);
  });
}

Checkpoint load_checkpoint(const Context& context, const SourcePtr& source, LoadProgress progress) {
  PUNA_REQUIRE(source != nullptr, "the source is NULL");
  return guarded(context, source->name(), [&] { return io::load_gguf(context, source, progress); });
}

}  // namespace puna
