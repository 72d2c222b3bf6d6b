#include "models.h"

#include <ctime>

#include "api_error.h"
#include "json_out.h"
#include "puna/runtime/adapter_file.h"

namespace puna::serve {
namespace {

std::pair<std::string, std::string> split(const std::string& name) {
  const size_t colon = name.find(':');
  if (colon == name.npos) return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

[[noreturn]] void no_such(const std::string& name) {
  throw ApiError(404, "there is no model " + json_string(name.substr(0, 120)) + " here: GET /v1/models lists them",
                 "model", "model_not_found");
}

}  // namespace

Models::Models(ContextPtr context, std::vector<ModelSpec> specs, BackendOptions options)
    : context_(std::move(context)), options_(std::move(options)), created_(int64_t(time(nullptr))) {
  for (ModelSpec& s : specs) {
    entries_.push_back(std::make_unique<Entry>());
    entries_.back()->spec = std::move(s);
  }
}

Models::Entry& Models::find(const std::string& base) const {
  if (base.empty()) return *entries_.front();
  for (const auto& e : entries_)
    if (e->spec.name == base) return *e;
  no_such(base);
}

bool Models::has(const std::string& name) const {
  const auto [base, adapter] = split(name);
  for (const auto& e : entries_)
    if (e->spec.name == base && (adapter.empty() || e->spec.adapters.contains(adapter))) return true;
  return false;
}

ChosenModel Models::get(const std::string& name) {
  const auto [base, adapter] = split(name);
  Entry& entry = find(base);
  if (!adapter.empty() && !entry.spec.adapters.contains(adapter)) no_such(name);
  ChosenModel chosen;
  {
    const std::lock_guard<std::mutex> one(entry.loading);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      entry.used = ++uses_;
      chosen.loaded = entry.loaded;
    }
    if (!chosen.loaded) chosen.loaded = open(entry);
  }
  chosen.name = name.empty() ? entry.spec.name : name;
  if (!adapter.empty()) chosen.adapter = chosen.loaded->adapters.at(adapter);
  return chosen;
}

// With `entry.loading` held. Models that nobody uses make room, the one that was asked for longest ago first.
std::shared_ptr<LoadedModel> Models::open(Entry& entry) {
  const auto loaded = std::make_shared<LoadedModel>();
  for (;;) {
    try {
      loaded->model = Model::open(context_, entry.spec.path, {}, entry.spec.options);
      break;
    } catch (const Error& e) {
      if (e.status() != Status::out_of_memory) throw ApiError(500, entry.spec.name + ": " + e.what());
      if (drop_oldest()) continue;
      ApiError full(503, entry.spec.name + " does not fit beside the models in use: " + e.what(), "model",
                    "out_of_memory");
      full.retry_after = 5;
      throw full;
    }
  }
  BackendOptions o = options_;
  try {
    for (const auto& [name, folder] : entry.spec.adapters)
      loaded->adapters[name] = load_adapter(*loaded->model, folder);
    if (!entry.spec.draft.empty()) o.draft = Model::open(context_, entry.spec.draft);
    const int64_t most = loaded->model->config().max_positions;
    if (o.session.max_positions == 0 || o.session.max_positions > most) o.session.max_positions = most;
    loaded->max_positions = o.session.max_positions;
    loaded->backend = new_backend(loaded->model, o);
  } catch (const Error& e) {
    throw ApiError(500, entry.spec.name + ": " + e.what());
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  entry.loaded = loaded;
  return loaded;
}

bool Models::drop_oldest() {
  std::shared_ptr<LoadedModel> dropped;  // declared first: its end comes after the lock's
  const std::lock_guard<std::mutex> lock(mutex_);
  Entry* oldest = nullptr;
  for (const auto& e : entries_)
    if (e->loaded && e->loaded.use_count() == 1 && (!oldest || e->used < oldest->used)) oldest = e.get();
  if (!oldest) return false;
  dropped = std::move(oldest->loaded);
  return true;
}

std::vector<ListedModel> Models::list() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<ListedModel> all;
  for (const auto& e : entries_) {
    const bool loaded = e->loaded != nullptr;
    const int64_t most = loaded ? e->loaded->max_positions : 0;
    all.push_back({e->spec.name, loaded, "", most});
    for (const auto& [name, folder] : e->spec.adapters)
      all.push_back({e->spec.name + ":" + name, loaded, e->spec.name, most});
  }
  return all;
}

void Models::unload(const std::string& name) {
  Entry& entry = find(name);
  if (name != entry.spec.name) no_such(name);
  std::shared_ptr<LoadedModel> dropped;  // likewise
  const std::lock_guard<std::mutex> lock(mutex_);
  if (entry.loaded && entry.loaded.use_count() > 1)
    throw ApiError(409, json_string(name) + " is being used: try again when its requests have ended", "model");
  dropped = std::move(entry.loaded);
  entry.loaded = nullptr;
}

void Models::clear() {
  std::vector<std::shared_ptr<LoadedModel>> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& e : entries_)
      if (e->loaded) dropped.push_back(std::move(e->loaded));
  }
  for (const auto& l : dropped) l->backend->close();
}

Load Models::load() const {
  std::vector<std::shared_ptr<LoadedModel>> loaded;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& e : entries_)
      if (e->loaded) loaded.push_back(e->loaded);
  }
  Load all;
  for (const auto& l : loaded) {
    const Load one = l->backend->load();
    all.running += one.running;
    all.queued += one.queued;
    all.cache_bytes += one.cache_bytes;
    all.cache_hits += one.cache_hits;
    all.cache_lookups += one.cache_lookups;
    all.cache_hit_tokens += one.cache_hit_tokens;
    all.cache_evictions += one.cache_evictions;
    all.pauses += one.pauses;
  }
  return all;
}

}  // namespace puna::serve
