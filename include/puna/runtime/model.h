// model.h -- an opened model: weights, tokenizer, chat template. Immutable, shared across threads and sessions.
#pragma once
#include <memory>
#include <string>

#include "puna/base/context.h"
#include "puna/chat/image_tokens.h"
#include "puna/chat/tools.h"
#include "puna/grammar/matcher.h"
#include "puna/image/tiles.h"
#include "puna/io/checkpoint.h"
#include "puna/model/llama.h"
#include "puna/model/vision.h"
#include "puna/runtime/chat_templates.h"
#include "puna/runtime/not_used.h"
#include "puna/text/tokenizer.h"

namespace puna {

// Chooses the kernels (Error{unsupported} when options.isa names a level this CPU lacks) and starts the threads.
ContextPtr make_context(const ContextOptions& options);

// The tokenizer alone, without the weights: of a GGUF file or a Hugging Face folder, or a bare tokenizer.json or
// tokenizer.model.
TokenizerPtr open_tokenizer(const std::string& path, const Watch& watch = Watch());

class ImageCache;  // src/runtime/images/image_cache.h
class Opening;     // src/runtime/opening/opening.h

struct VisionOptions {
  bool load = true;                       // the vision encoder, when the model has one
  std::string projector_path;             // an mmproj GGUF with the encoder of a text model's GGUF; "" = none
  uint64_t cache_bytes = kDefaultBudget;  // for encoded images that no session holds any more
  // 256 MB, and no more than an eighth of the context's memory limit
  static constexpr uint64_t kDefaultBudget = UINT64_MAX;
};

struct ModelOptions {
  // Where the packed form of the weights is kept ("" = nowhere): mapped when it is there and belongs to the model's
  // files as they are, made first otherwise. A model that is opened so lies in pages of that file, which the system may
  // take back and read again: it can be larger than memory. The file may be replaced or deleted meanwhile, but not be
  // written to or cut short.
  std::string packed_path;
  bool verify_packed = false;  // read all of it and compare hashes
  VisionOptions vision = {};
};

// The ids that an image is written with; -1 = the tokenizer does not have it.
struct ImageTokens {
  int32_t ids[kImageTokens] = {-1, -1, -1, -1, -1, -1};
  int32_t operator[](ImageToken token) const noexcept { return ids[size_t(token)]; }
  bool all() const noexcept {
    for (const int32_t id : ids)
      if (id < 0) return false;
    return true;
  }
};

class Model {
 public:
  ~Model();
  // A GGUF file or a Hugging Face folder. Transactional: a complete model or an Error and nothing changed.
  // progress(done, total) counts the bytes of the weights as they are packed, and before that as they are read where
  // the source is not a file of ours to map. In between, and while header, tokenizer and template are read, it is
  // called again with the last numbers (at first 0 of 1), so that false cancels the load within milliseconds.
  static std::shared_ptr<const Model> open(ContextPtr context, const std::string& path, LoadProgress progress = {},
                                           const ModelOptions& options = {});
  static std::shared_ptr<const Model> open(ContextPtr context, const SourcePtr& source, LoadProgress progress = {},
                                           const ModelOptions& options = {});
  // `mapped`: the tensors lie in file mappings of ours (load_checkpoint from a path). The weights are packed; the
  // tensor data is released.
  static std::shared_ptr<Model> from_checkpoint(ContextPtr context, Checkpoint checkpoint, bool mapped = false,
                                                LoadProgress progress = {}, const ModelOptions& options = {});

  // A model of these weights with the tokenizer and chat template that `checkpoint` brings: weights in training, merged
  // or made otherwise.
  static std::shared_ptr<const Model> from_weights(ContextPtr context, Checkpoint checkpoint, Llama llama);
  std::shared_ptr<const Model> with_weights(Llama llama) const {
    return from_weights(context_, checkpoint_, std::move(llama));
  }

  const Context& context() const noexcept { return *context_; }
  const ContextPtr& context_ptr() const noexcept { return context_; }
  const Llama& llama() const noexcept { return llama_; }
  const LlamaConfig& config() const noexcept { return llama_.config; }
  const Checkpoint& checkpoint() const noexcept { return checkpoint_; }
  const Tokenizer* tokenizer() const noexcept { return tokenizer_.get(); }  // NULL when the model ships none
  const TokenizerPtr& tokenizer_ptr() const noexcept { return tokenizer_; }
  const Tokenizer& require_tokenizer() const;  // Error{unsupported} instead of NULL
  const ChatTemplates& chat_templates() const noexcept { return chat_templates_; }
  // NULL when the model ships none that can be used
  const ChatTemplate* chat_template() const noexcept { return chat_templates_.without_tools(); }
  // The tokenizer's tokens as grammars look at them, made when first asked for (0.1 s for 200,000 tokens) and kept.
  // Error{unsupported} when the model ships no tokenizer. Thread-safe.
  GrammarVocabularyPtr grammar_vocabulary() const;
  // The prompt text for {"messages": [...], "tools", "add_generation_prompt", ...}. The special tokens that the model's
  // files name (bos_token, pad_token, ...) are filled in; one that the variables give themselves wins. `date`
  // (YYYY-MM-DD) is today for templates that ask. `name`: see ChatTemplates::choose. Its ids: Tokenizer::encode_chat.
  RenderedChat render_chat(std::string_view variables_json, std::string_view date = {}, const Watch& watch = Watch(),
                           std::string_view name = {}) const;
  // How this model writes calls of tools: by the template that chats with tools take, else by the special tokens.
  const ToolFormat& tool_format() const;
  uint64_t parameter_count() const noexcept;  // of the tensors that are used
  const NotUsed& not_used() const noexcept { return not_used_; }

  const VisionTower* vision() const noexcept { return vision_.get(); }  // NULL when the model has no vision tower
  const VisionTower& require_vision() const;                            // Error{unsupported} instead of NULL
  const TileSettings& tile_settings() const noexcept { return tile_settings_; }
  const ImageTokens& require_image_tokens() const;  // Error{unsupported} when one is missing
  bool can_write_images() const noexcept { return image_tokens_.all(); }
  uint64_t vision_id() const noexcept { return vision_id_; }          // identifies the encoder
  ImageCache& image_cache() const noexcept { return *image_cache_; }  // synchronised

  double load_seconds() const noexcept { return load_seconds_; }  // that open() took

 private:
  friend class Opening;
  Model();
  static std::shared_ptr<const Model> open_timed(FunctionRef<std::shared_ptr<Model>()> open);

  double load_seconds_ = 0;
  ContextPtr context_;
  Checkpoint checkpoint_;
  Llama llama_;
  NotUsed not_used_;
  TokenizerPtr tokenizer_;
  ChatTemplates chat_templates_;
  ChatTemplate::Texts template_tokens_;
  // why the model has none: the weights run without them
  std::string tokenizer_error_, vision_error_;
  std::unique_ptr<const VisionTower> vision_;
  TileSettings tile_settings_;
  ImageTokens image_tokens_;
  uint64_t vision_id_ = 0;
  std::unique_ptr<ImageCache> image_cache_;
  struct LazyVocabulary;
  std::unique_ptr<LazyVocabulary> grammar_vocabulary_;
};

using ModelPtr = std::shared_ptr<const Model>;

}  // namespace puna
