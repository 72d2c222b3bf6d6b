// load_checkpoint.cpp -- which loader a path or source belongs to. Whatever goes wrong below arrives here as an Error.
#include "base/os.h"
#include "io/gguf_load.h"
#include "io/guarded.h"
#include "io/hf_folder.h"

namespace puna {

Checkpoint load_checkpoint(const Context& context, const std::string& path, LoadProgress progress, const Watch& watch) {
  return io::guarded(context, path, [&] {
    return os::is_directory(path) ? io::load_folder(context, path, progress, watch)
                                  : io::load_gguf(context, path, progress, watch);
  });
}

Checkpoint load_checkpoint(const Context& context, const SourcePtr& source, LoadProgress progress, const Watch& watch) {
  PUNA_REQUIRE(source != nullptr, "the source is NULL");
  return io::guarded(context, source->name(), [&] { return io::load_gguf(context, source, progress, watch); });
}

}  // namespace puna
