// models.h -- the models that a server has: by name, loaded when they are first asked for, within one memory limit;
// adapters are models too, "base:adapter".
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend.h"
#include "grammars.h"
#include "puna/runtime/model.h"

namespace puna::serve {

struct ModelSpec {
  std::string name, path;
  ModelOptions options = {};
  std::map<std::string, std::string> adapters = {};  // name -> folder
  std::string draft = {};                            // a smaller model's path; "" = none
};

struct LoadedModel {
  ModelPtr model;
  std::map<std::string, AdapterPtr> adapters;
  int64_t max_positions = 0;
  Grammars grammars;
  std::unique_ptr<Backend> backend;
};

struct ChosenModel {
  std::shared_ptr<LoadedModel> loaded;
  AdapterPtr adapter;  // NULL = the model alone
  std::string name;    // as answers say it
  const Model& model() const { return *loaded->model; }
};

struct ListedModel {
  std::string name;
  bool loaded = false;
  std::string base;           // of an adapter
  int64_t max_positions = 0;  // of a conversation, prompt and answer; 0 = not loaded
};

class Models {
 public:
  Models(ContextPtr context, std::vector<ModelSpec> specs, BackendOptions options);

  // "" = the first. ApiError(404) when there is none of this name, (503) when it does not fit beside what is in use.
  ChosenModel get(const std::string& name);
  bool has(const std::string& name) const;
  std::vector<ListedModel> list() const;
  // True: it was loaded and nobody uses it. ApiError(404) or (409).
  void unload(const std::string& name);
  void clear();       // cancels what is under way; nobody asks any more
  Load load() const;  // of all together
  const Context& context() const { return *context_; }
  int64_t created() const { return created_; }

 private:
  struct Entry {
    ModelSpec spec;
    std::mutex loading;                   // held while it is being loaded
    std::shared_ptr<LoadedModel> loaded;  // under mutex_, like `used`
    uint64_t used = 0;
  };
  Entry& find(const std::string& base) const;
  std::shared_ptr<LoadedModel> open(Entry& entry);
  bool drop_oldest();

  const ContextPtr context_;
  const BackendOptions options_;
  const int64_t created_;
  std::vector<std::unique_ptr<Entry>> entries_;
  mutable std::mutex mutex_;
  uint64_t uses_ = 0;
};

}  // namespace puna::serve
