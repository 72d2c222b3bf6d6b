// model.cpp -- puna_model_open*: from a path, a block of memory, or the host's reader.
#include "handles.h"
#include "translate.h"

using namespace puna;
using namespace puna::capi;

namespace {

// Opens by `load(context, progress)` inside the caller's context or one of its own.
template <class Load>
void open_model(const puna_context* context, const puna_model_options* theirs, puna_model** model, Load&& load) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  const puna_model_options o = read_options(theirs, "puna_model_options");
  require_reserved(o.reserved, "puna_model_options");
  require_reserved(o.reserved2, "puna_model_options");
  require_reserved(o.reserved3, "puna_model_options");
  PUNA_REQUIRE(o.verify_packed == 0 || o.verify_packed == 1, "puna_model_options.verify_packed is %d, expected 0 or 1",
               int(o.verify_packed));
  const ContextPtr own = context ? use(context) : make_context({});
  const auto report = [&](uint64_t done, uint64_t total) { return o.progress(o.progress_user, done, total) == 0; };
  *model = new puna_model{load(own, o.progress ? LoadProgress(report) : LoadProgress(), o)};
}

ModelOptions options_from_c(const puna_model_options& o) {
  ModelOptions options;
  if (o.packed_path) options.packed_path = o.packed_path;
  options.verify_packed = o.verify_packed == 1;
  options.vision.load = !flag(o.no_vision, "no_vision");
  if (o.projector_path) options.vision.projector_path = o.projector_path;
  if (o.image_cache_bytes != 0) options.vision.cache_bytes = o.image_cache_bytes;
  return options;
}

void require_unpacked(const puna_model_options& o) {
  PUNA_REQUIRE(
      o.packed_path == nullptr,
      "puna_model_options.packed_path goes with puna_model_open: bytes without a file have no time to compare");
}

}  // namespace

SourcePtr puna::capi::source_from_c(const puna_reader* reader) {
  PUNA_REQUIRE(reader != nullptr, "reader is NULL");
  const puna_reader r = read_options(reader, "puna_reader");
  require_reserved(r.reserved, "puna_reader");
  PUNA_REQUIRE(r.read_at != nullptr, "puna_reader.read_at is NULL");
  PUNA_REQUIRE(r.size <= uint64_t(INT64_MAX), "puna_reader.size is %ju, expected at most %jd", r.size, INT64_MAX);
  return open_read_at_source({r.user, r.size, r.read_at}, r.name ? r.name : "reader");
}

puna_status puna_model_open(const puna_context* context, const char* path, const puna_model_options* options,
                            puna_model** model) {
  return guard([&] {
    PUNA_REQUIRE(path != nullptr, "path is NULL");
    open_model(context, options, model, [&](const ContextPtr& c, LoadProgress progress, const puna_model_options& o) {
      return Model::open(c, path, progress, options_from_c(o));
    });
  });
}

puna_status puna_model_open_memory(const puna_context* context, const void* data, size_t bytes,
                                   const puna_model_options* options, puna_model** model) {
  return guard([&] {
    PUNA_REQUIRE(data != nullptr, "data is NULL");
    open_model(context, options, model, [&](const ContextPtr& c, LoadProgress progress, const puna_model_options& o) {
      require_unpacked(o);
      return Model::open(c, open_memory_source(data, bytes, "memory"), progress, options_from_c(o));
    });
  });
}

puna_status puna_model_open_reader(const puna_context* context, const puna_reader* reader,
                                   const puna_model_options* options, puna_model** model) {
  return guard([&] {
    const SourcePtr source = source_from_c(reader);
    open_model(context, options, model, [&](const ContextPtr& c, LoadProgress progress, const puna_model_options& o) {
      require_unpacked(o);
      return Model::open(c, source, progress, options_from_c(o));
    });
  });
}

void puna_model_free(puna_model* model) {
  if (model) free_handle(model, model->impl->context());
}
