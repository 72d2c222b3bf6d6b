// model.cpp -- the queries of an opened model. How it is opened: opening.cpp.
#include "puna/runtime/model.h"

#include <chrono>
#include <mutex>
#include <utility>

#include "base/json.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "runtime/images/image_cache.h"
#include "runtime/opening/opening.h"

namespace puna {
namespace {

// As transformers asks: is `tools` there and not null?
bool gives_tools(std::string_view variables_json, const Watch& watch) {
  OrderedJson variables = parse_ordered_json(variables_json, "chat template variables", watch);
  const JsonGuard guard(variables);
  return variables.is_object() && variables.contains("tools") && !variables["tools"].is_null();
}

}  // namespace

ContextPtr make_context(const ContextOptions& options) {
  const KernelTable* kernels = select_kernels(options.isa.c_str());
  if (kernels) return std::make_shared<const Context>(options, *kernels);
  std::string known;
  IsaLevel levels[16];
  const int n = isa_levels(levels, 16);
  bool exists = false;
  for (int i = 0; i < n; ++i) {
    exists |= options.isa == levels[i].name;
    if (levels[i].supported) known.append(known.empty() ? "" : ", ").append(levels[i].name);
  }
  fail(Status::unsupported, "isa '%.40s' is not supported %s; this CPU has: %s", options.isa.c_str(),
       exists ? "by this CPU" : "(no such level)", known.c_str());
}

std::shared_ptr<const Model> Model::open(ContextPtr context, const std::string& path, LoadProgress progress,
                                         const ModelOptions& options) {
  return open_timed([&] { return Opening(std::move(context), options, progress).from_path(path); });
}

std::shared_ptr<const Model> Model::open(ContextPtr context, const SourcePtr& source, LoadProgress progress,
                                         const ModelOptions& options) {
  return open_timed([&] { return Opening(std::move(context), options, progress).from_source(source); });
}

std::shared_ptr<const Model> Model::open_timed(FunctionRef<std::shared_ptr<Model>()> open) {
  const auto start = std::chrono::steady_clock::now();
  const std::shared_ptr<Model> model = open();
  model->load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return model;
}

std::shared_ptr<Model> Model::from_checkpoint(ContextPtr context, Checkpoint checkpoint, bool mapped,
                                              LoadProgress progress, const ModelOptions& options) {
  return Opening(std::move(context), options, progress).from_checkpoint(std::move(checkpoint), mapped);
}

std::shared_ptr<const Model> Model::from_weights(ContextPtr context, Checkpoint checkpoint, Llama llama) {
  return Opening(std::move(context), {}, {}).from_weights(std::move(checkpoint), std::move(llama));
}

struct Model::LazyVocabulary {
  std::mutex mutex;
  GrammarVocabularyPtr vocabulary;
};

Model::Model() : grammar_vocabulary_(std::make_unique<LazyVocabulary>()) {}
Model::~Model() = default;

const Tokenizer& Model::require_tokenizer() const {
  if (!tokenizer_)
    fail(Status::unsupported, "%s",
         tokenizer_error_.empty() ? "the model ships no tokenizer" : tokenizer_error_.c_str());
  return *tokenizer_;
}

GrammarVocabularyPtr Model::grammar_vocabulary() const {
  require_tokenizer();
  const std::lock_guard lock(grammar_vocabulary_->mutex);
  if (!grammar_vocabulary_->vocabulary) grammar_vocabulary_->vocabulary = puna::grammar_vocabulary(tokenizer_);
  return grammar_vocabulary_->vocabulary;
}

const VisionTower& Model::require_vision() const {
  if (!vision_)
    fail(Status::unsupported, "%s", vision_error_.empty() ? "the model has no vision encoder" : vision_error_.c_str());
  return *vision_;
}

const ImageTokens& Model::require_image_tokens() const {
  require_vision();
  for (size_t i = 0; i < kImageTokens; ++i)
    if (image_tokens_.ids[i] < 0) fail(Status::unsupported, "the model's tokenizer has no %s", kImageTokenNames[i]);
  return image_tokens_;
}

RenderedChat Model::render_chat(std::string_view variables_json, std::string_view date, const Watch& watch,
                                std::string_view name) const {
  const bool several = name.empty() && chat_templates_.has("tool_use");
  return chat_templates_.choose(name, several && gives_tools(variables_json, watch))
      .render(variables_json, date, watch, template_tokens_);
}

const ToolFormat& Model::tool_format() const {
  const ChatTemplate* t = chat_templates_.with_tools();
  const auto has_token = [&](std::string_view name) { return tokenizer_ && tokenizer_->find(name) >= 0; };
  return find_tool_format(t ? std::string_view(t->source()) : std::string_view(), has_token);
}

uint64_t Model::parameter_count() const noexcept {
  uint64_t n = 0;
  const TensorMap& tensors = checkpoint_.tensors;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorEntry& t = tensors.entries()[i];
    if (!tensors.was_read(i) || t.name.starts_with("rope_f")) continue;  // tables that follow from the configuration
    const uint64_t count = uint64_t(t.shape.count());
    if (t.dtype == DType::u8)  // MXFP4 of a Hugging Face folder: two values a byte, and their scales
      n += t.name.ends_with("_blocks") ? 2 * count : 0;
    else if (t.dtype == DType::i32)  // codes of AWQ and GPTQ: eight in a word; zero points and groups
      n += t.name.ends_with(".qweight") || t.name.ends_with(".weight_packed") ? 8 * count : 0;
    else if (t.dtype != DType::i64 && !t.name.ends_with(".scales") && !t.name.ends_with(".weight_scale") &&
             !t.name.ends_with(".weight_scale_inv"))
      n += count;
  }
  return n;
}

}  // namespace puna
