// model.cpp -- opening: checkpoint, weights, tokenizer, chat template, in that order; all of it or an Error.
#include "puna/runtime/model.h"

#include <chrono>
#include <cstring>

#include "base/fp_env.h"
#include "base/json.h"
#include "base/os.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"
#include "runtime/folder_texts.h"
#include "runtime/image_cache.h"
#include "runtime/load_watch.h"
#include "runtime/packed_file.h"
#include "runtime/weight_block.h"

namespace puna {
namespace {

// Messages of lower layers name the field; the file is known here.
template <class F>
auto naming_file(const std::string& name, F&& f) {
  try {
    return f();
  } catch (const Error& e) {
    if (e.status() == Status::cancelled || strstr(e.what(), name.c_str())) throw;
    fail(e.status(), "%s: %s", name.c_str(), e.what());
  }
}

// The tokenizer's own beginning and end of text stand in for names that no file spells; a template finds them defined, if empty.
ChatTemplate::Texts tokens_for_templates(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const Watch& watch) {
  ChatTemplate::Texts tokens;
  if (checkpoint.format == Checkpoint::Format::huggingface) tokens = template_tokens_of_folder(checkpoint.folder, watch);
  else if (tokenizer) tokens = template_tokens_of_gguf(checkpoint.metadata, *tokenizer);
  const auto text = [&](int32_t id) {
    StreamDecoder utf8;
    return id < 0 ? std::string() : utf8.push(tokenizer->bytes(id)) + utf8.flush();
  };
  const Tokenizer::Specials specials = tokenizer ? tokenizer->specials() : Tokenizer::Specials();
  tokens.try_emplace("bos_token", text(specials.bos));
  tokens.try_emplace("eos_token", text(specials.eos));
  return tokens;
}

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

template <class Load>
std::shared_ptr<const Model> Model::open_timed(const ContextPtr& context, const std::string& name, bool mapped, LoadProgress progress,
                                               const ModelOptions& options, Load&& load) {
  PUNA_REQUIRE(context != nullptr, "context is NULL");
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  uint64_t done = 0, total = 1;  // as told last
  const auto tell = [&](uint64_t d, uint64_t t) { return progress(done = d, total = t); };
  const auto again = [&] { return progress(done, total); };
  const Watch watch(progress ? FunctionRef<bool()>(again) : FunctionRef<bool()>());
  // What is not mapped is read first, every byte of it.
  const auto reading = [&](uint64_t d, uint64_t t) { return tell(d, 2 * t); };
  const auto packing = [&](uint64_t d, uint64_t t) { return mapped ? tell(d, t) : tell(t + d, 2 * t); };
  const auto told = [&](LoadProgress part) { return progress ? part : LoadProgress(); };
  const std::shared_ptr<Model> m =
      naming_file(name, [&] { return from_checkpoint(context, load(told(reading), watch), mapped, told(packing), options, watch); });
  m->load_seconds_ = std::chrono::duration<double>(Clock::now() - start).count();
  return m;
}

std::shared_ptr<const Model> Model::open(ContextPtr context, const std::string& path, LoadProgress progress, const ModelOptions& options) {
  return open_timed(context, path, /*mapped=*/true, progress, options,
                    [&](LoadProgress, const Watch& watch) { return load_checkpoint(*context, path, {}, watch); });
}

std::shared_ptr<const Model> Model::open(ContextPtr context, const SourcePtr& source, LoadProgress progress, const ModelOptions& options) {
  PUNA_REQUIRE(options.packed_path.empty(), "packed weights are kept for models that are opened from a path");
  PUNA_REQUIRE(source != nullptr, "source is NULL");
  return open_timed(context, source->name(), /*mapped=*/false, progress, options,
                    [&](LoadProgress reading, const Watch& watch) { return load_checkpoint(*context, source, reading, watch); });
}

std::shared_ptr<Model> Model::from_checkpoint(ContextPtr context, Checkpoint checkpoint, bool mapped, LoadProgress progress, const ModelOptions& options,
                                              const Watch& watch) {
  const FpEnv fp;
  context->require_same_process();
  std::shared_ptr<Model> m(new Model());
  m->context_ = std::move(context);
  m->checkpoint_ = std::move(checkpoint);
  m->pack_weights(mapped, progress, options);
  m->read_vision(mapped, progress, options.vision);
  m->checkpoint_.tensors.forget_data();
  m->checkpoint_.keepalive.clear();
  m->read_text_parts(watch);
  m->read_image_settings(watch);
  m->not_used_ = puna::not_used(m->checkpoint_);
  return m;
}

std::shared_ptr<const Model> Model::from_weights(ContextPtr context, Checkpoint checkpoint, Llama llama) {
  const FpEnv fp;
  std::shared_ptr<Model> m(new Model());
  m->context_ = std::move(context);
  m->checkpoint_ = std::move(checkpoint);
  m->llama_ = std::move(llama);
  m->read_text_parts(Watch());
  m->not_used_ = puna::not_used(m->checkpoint_);
  return m;
}

void Model::pack_weights(bool mapped, LoadProgress progress, const ModelOptions& options) {
  const Checkpoint& c = checkpoint_;
  const auto pack = c.format == Checkpoint::Format::gguf ? Llama::from_gguf : Llama::from_huggingface;
  const auto build = [&](const Context& context, WeightStore* store, LoadProgress report) {
    return pack(context, c.metadata, c.tensors, mapped, report, store);
  };
  watched(progress, [&](const Context& context, LoadProgress report) {
    if (options.packed_path.empty()) {
      llama_ = in_one_block(context, report, build);
      return;
    }
    const auto file = PackedFile::open_or_make(context, c, options.packed_path, report, build);
    llama_ = build(context, file.get(), {});
    file->finish(context, options.verify_packed);
    llama_.weights.owned.push_back(file);
    llama_.weights.mapped = true;
  });
}

// The host is told of every matrix, and asked again every few milliseconds inside one.
void Model::watched(LoadProgress progress, FunctionRef<void(const Context&, LoadProgress)> load) const {
  if (!progress) return load(*context_, {});
  uint64_t done = 0, total = 0;
  const auto again = [&] { return progress(done, total); };
  auto executor = std::make_unique<LoadWatch>(context_->executor(), again);
  const LoadWatch& watch = *executor;
  const Context context(*context_, std::move(executor));
  load(context, [&](uint64_t d, uint64_t t) {
    done = d;
    total = t;
    watch.rethrow();
    return !watch.stopped() && progress(d, t);
  });
}

Model::Model() = default;
Model::~Model() = default;

void Model::read_text_parts(const Watch& watch) {
  const bool gguf = checkpoint_.format == Checkpoint::Format::gguf;
  const std::string& folder = checkpoint_.folder;
  try {
    tokenizer_ = gguf ? tokenizer_from_gguf(checkpoint_.metadata, watch, config().vocab) : folder.empty() ? nullptr : tokenizer_of_folder(folder, watch, config().vocab);
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    tokenizer_error_ = e.what();
  }
  if (tokenizer_)
    for (const std::string& note : tokenizer_->notes()) context_->logger().write(LogLevel::warning, "%s", note.c_str());
  if (tokenizer_ && tokenizer_->size() > config().vocab)
    fail(Status::bad_file, "the tokenizer has %d tokens, but the embedding has %lld rows", tokenizer_->size(), static_cast<long long>(config().vocab));
  if (gguf) chat_templates_ = chat_templates_of_gguf(checkpoint_.metadata, watch);
  else if (!folder.empty()) chat_templates_ = chat_templates_of_folder(folder, watch);
  try {
    if (!chat_templates_.empty()) template_tokens_ = tokens_for_templates(checkpoint_, tokenizer_.get(), watch);
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory || e.status() == Status::cancelled) throw;
    chat_templates_ = ChatTemplates();
    chat_templates_.add_unreadable("default", e.what());
  }
}

const Tokenizer& Model::require_tokenizer() const {
  if (!tokenizer_) fail(Status::unsupported, "%s", tokenizer_error_.empty() ? "the model ships no tokenizer" : tokenizer_error_.c_str());
  return *tokenizer_;
}

RenderedChat Model::render_chat(std::string_view variables_json, std::string_view date, const Watch& watch, std::string_view name) const {
  const bool several = name.empty() && chat_templates_.has("tool_use");
  return chat_templates_.choose(name, several && gives_tools(variables_json, watch)).render(variables_json, date, watch, template_tokens_);
}

uint64_t Model::parameter_count() const noexcept {
  uint64_t n = 0;
  const TensorMap& tensors = checkpoint_.tensors;
  for (size_t i = 0; i < tensors.size(); ++i)  // rope_freqs: a table that follows from the configuration
    if (tensors.was_read(i) && tensors.entries()[i].name != "rope_freqs.weight")
      n += uint64_t(tensors.entries()[i].shape.count());
  return n;
}

}  // namespace puna
