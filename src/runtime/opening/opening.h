// opening.h -- a model is opened in steps, one after the other: header, weights, vision encoder, tokenizer, chat
// templates, image settings. All of it or an Error. The host gets the progress in bytes, and may cancel every few
// milliseconds.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "puna/runtime/model.h"
#include "runtime/opening/load_watch.h"

namespace puna {

class Opening {
 public:
  // `host` may be empty. What is passed here outlives the object.
  Opening(ContextPtr context, const ModelOptions& options, LoadProgress host);
  Opening(const Opening&) = delete;
  Opening& operator=(const Opening&) = delete;

  std::shared_ptr<Model> from_path(const std::string& path);
  std::shared_ptr<Model> from_source(const SourcePtr& source);
  // Tensors that were read already. `mapped`: they lie in file mappings of ours.
  std::shared_ptr<Model> from_checkpoint(Checkpoint checkpoint, bool mapped);
  // Weights that were made already; the checkpoint brings the tokenizer and the chat templates.
  std::shared_ptr<Model> from_weights(Checkpoint checkpoint, Llama llama);

 private:
  // The steps. Each leaves its part in the model.
  void pack_weights();
  void read_vision();
  void release_tensors();
  void read_tokenizer();
  void read_chat_templates();
  void read_image_settings();
  void list_unused();

  // Where there is a host. done and total of the part of the work that is being done, for the host: of the whole.
  bool report(uint64_t done, uint64_t total);
  bool ask();  // again with the numbers that were reported last
  const Context& packing_context() const { return watched_ ? *watched_ : *model_->context_; }
  LoadProgress progress() { return host_ ? LoadProgress(on_bytes_) : LoadProgress(); }

  struct OnBytes {
    Opening& opening;
    bool operator()(uint64_t done, uint64_t total) const { return opening.report(done, total); }
  };
  struct OnWait {
    Opening& opening;
    bool operator()() const { return opening.ask(); }
  };
  enum class Part { reading, packing, after };  // which numbers report() is given

  const ModelOptions& options_;
  LoadProgress host_;
  OnBytes on_bytes_{*this};
  OnWait on_wait_{*this};
  Watch watch_;
  LoadWatch* packing_watch_ = nullptr;  // of watched_, where there is a host to ask
  std::optional<Context> watched_;      // packs in slices of a few milliseconds
  Part part_ = Part::reading;
  bool mapped_ = false;
  uint64_t done_ = 0, total_ = 1;  // as reported last
  std::shared_ptr<Model> model_;
};

}  // namespace puna
