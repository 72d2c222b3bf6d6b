#include "runtime/opening/opening.h"

#include <algorithm>
#include <cstring>

#include "base/fp_env.h"
#include "base/hash.h"
#include "puna/base/error.h"
#include "runtime/images/image_cache.h"
#include "runtime/opening/folder_texts.h"
#include "runtime/opening/image_settings.h"
#include "runtime/opening/load_vision.h"
#include "runtime/opening/packed_file.h"
#include "runtime/opening/weight_block.h"

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

// The tokenizer's own beginning and end of text stand in for names that no file spells; a template finds them defined,
// if empty.
ChatTemplate::Texts tokens_for_templates(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const Watch& watch) {
  ChatTemplate::Texts tokens;
  if (checkpoint.format == Checkpoint::Format::huggingface)
    tokens = template_tokens_of_folder(checkpoint.folder, watch);
  else if (tokenizer)
    tokens = template_tokens_of_gguf(checkpoint.metadata, *tokenizer);
  const auto text = [&](int32_t id) {
    StreamDecoder utf8;
    return id < 0 ? std::string() : utf8.push(tokenizer->bytes(id)) + utf8.flush();
  };
  const Tokenizer::Specials specials = tokenizer ? tokenizer->specials() : Tokenizer::Specials();
  tokens.try_emplace("bos_token", text(specials.bos));
  tokens.try_emplace("eos_token", text(specials.eos));
  return tokens;
}

// The numbers of the configuration and a piece of some weights: enough to distinguish encoders that might be mixed
// up.
uint64_t identify(const VisionTower& tower) {
  const VisionConfig& c = tower.config;
  Hash h;
  for (const int64_t n : {c.layers, c.hidden, c.heads, c.ffn, c.tile, c.patch, c.shuffle, c.adapter, c.text_hidden})
    h.add_value(n);
  h.add_value(c.norm_eps);
  h.add_value(c.rope_theta);
  const auto add = [&](const Weight& w) { h.add(w.panels, size_t(std::min<int64_t>(w.panel_bytes, 4096))); };
  for (const Weight& w :
       {tower.weights.patch, tower.weights.positions, tower.weights.adapter_in, tower.weights.projector})
    add(w);
  for (const VisionLayer& layer : tower.weights.layers) add(layer.wq.w);
  return h.value();
}

}  // namespace

Opening::Opening(ContextPtr context, const ModelOptions& options, LoadProgress host)
    : options_(options),
      host_(host),
      watch_(host ? FunctionRef<bool()>(on_wait_) : FunctionRef<bool()>()),
      model_(new Model()) {
  PUNA_REQUIRE(context != nullptr, "context is NULL");
  context->require_same_process();
  model_->context_ = std::move(context);
  if (!host_) return;
  auto executor = std::make_unique<LoadWatch>(model_->context_->executor(), on_wait_);
  packing_watch_ = executor.get();
  watched_.emplace(*model_->context_, std::move(executor));
}

std::shared_ptr<Model> Opening::from_path(const std::string& path) {
  return naming_file(
      path, [&] { return from_checkpoint(load_checkpoint(*model_->context_, path, {}, watch_), /*mapped=*/true); });
}

std::shared_ptr<Model> Opening::from_source(const SourcePtr& source) {
  PUNA_REQUIRE(options_.packed_path.empty(), "packed weights are kept for models that are opened from a path");
  PUNA_REQUIRE(source != nullptr, "source is NULL");
  return naming_file(source->name(), [&] {
    return from_checkpoint(load_checkpoint(*model_->context_, source, progress(), watch_), /*mapped=*/false);
  });
}

std::shared_ptr<Model> Opening::from_checkpoint(Checkpoint checkpoint, bool mapped) {
  const FpEnv fp;
  model_->checkpoint_ = std::move(checkpoint);
  mapped_ = mapped;
  pack_weights();
  read_vision();
  release_tensors();
  read_tokenizer();
  read_chat_templates();
  read_image_settings();
  list_unused();
  return std::move(model_);
}

std::shared_ptr<Model> Opening::from_weights(Checkpoint checkpoint, Llama llama) {
  const FpEnv fp;
  model_->checkpoint_ = std::move(checkpoint);
  model_->llama_ = std::move(llama);
  read_tokenizer();
  read_chat_templates();
  list_unused();
  return std::move(model_);
}

void Opening::pack_weights() {
  part_ = Part::packing;
  const Checkpoint& c = model_->checkpoint_;
  const Context& context = packing_context();
  const auto pack = c.format == Checkpoint::Format::gguf ? Llama::from_gguf : Llama::from_huggingface;
  const auto build = [&](const Context& in, WeightStore* store, LoadProgress progress) {
    return pack(in, c.metadata, c.tensors, mapped_, progress, store);
  };
  if (options_.packed_path.empty()) {
    model_->llama_ = in_one_block(context, progress(), build);
    return;
  }
  const auto file = PackedFile::open_or_make(context, c, options_.packed_path, progress(), build);
  model_->llama_ = build(context, file.get(), {});
  file->finish(context, options_.verify_packed);
  model_->llama_.weights.owned.push_back(file);
  model_->llama_.weights.mapped = true;
}

void Opening::read_vision() {
  part_ = Part::after;  // the text model counted every tensor
  const VisionOptions& options = options_.vision;
  Model& m = *model_;
  const uint64_t limit = m.context_->allocator()->limit(), usual = uint64_t(256) << 20;
  const uint64_t own = limit == 0 ? usual : std::min(usual, limit / 8);
  m.image_cache_ =
      std::make_unique<ImageCache>(options.cache_bytes == VisionOptions::kDefaultBudget ? own : options.cache_bytes);
  if (!options.load) return;
  LoadedVision loaded =
      load_vision(packing_context(), m.checkpoint_, options.projector_path, m.config().hidden, mapped_, progress());
  m.vision_ = std::move(loaded.tower);
  m.vision_error_ = std::move(loaded.why_not);
  if (!m.vision_) return;
  m.vision_id_ = identify(*m.vision_);
  m.tile_settings_.tile = m.vision_->config.tile;
  if (!options.projector_path.empty()) read_tile_settings(m.tile_settings_, loaded.projector, options.projector_path);
}

void Opening::release_tensors() {
  model_->checkpoint_.tensors.drop_data();
  model_->checkpoint_.keepalive.clear();
}

// A tokenizer that is not supported does not keep the weights from running.
void Opening::read_tokenizer() {
  Model& m = *model_;
  const Checkpoint& c = m.checkpoint_;
  const int64_t vocab = m.config().vocab;
  try {
    if (c.format == Checkpoint::Format::gguf)
      m.tokenizer_ = tokenizer_from_gguf(c.metadata, watch_, vocab);
    else if (!c.folder.empty())
      m.tokenizer_ = tokenizer_of_folder(c.folder, watch_, vocab);
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    m.tokenizer_error_ = e.what();
  }
  if (!m.tokenizer_) return;
  for (const std::string& note : m.tokenizer_->notes())
    m.context_->logger().write(LogLevel::warning, "%s", note.c_str());
  if (m.tokenizer_->size() > vocab)
    fail(Status::bad_file, "the tokenizer has %d tokens, but the embedding has %jd rows", m.tokenizer_->size(), vocab);
}

void Opening::read_chat_templates() {
  Model& m = *model_;
  const Checkpoint& c = m.checkpoint_;
  if (c.format == Checkpoint::Format::gguf)
    m.chat_templates_ = chat_templates_of_gguf(c.metadata, watch_);
  else if (!c.folder.empty())
    m.chat_templates_ = chat_templates_of_folder(c.folder, watch_);
  if (m.chat_templates_.empty()) return;
  try {
    m.template_tokens_ = tokens_for_templates(c, m.tokenizer_.get(), watch_);
  } catch (const Error& e) {
    if (e.status() == Status::out_of_memory || e.status() == Status::cancelled) throw;
    m.chat_templates_ = ChatTemplates();
    m.chat_templates_.add_unreadable("default", e.what());
  }
}

void Opening::read_image_settings() {
  Model& m = *model_;
  if (!m.vision_) return;
  try {
    const std::string text = image_processor_of_folder(m.checkpoint_.folder);
    if (!text.empty()) read_tile_settings(m.tile_settings_, text, watch_);
  } catch (const Error& e) {
    if (e.status() != Status::unsupported) throw;
    m.vision_error_ = e.what();
    m.vision_.reset();
    return;
  }
  if (!m.tokenizer_) return;
  for (size_t i = 0; i < kImageTokens; ++i) m.image_tokens_.ids[i] = m.tokenizer_->find(kImageTokenNames[i]);
  const int32_t patch = m.image_tokens_[ImageToken::patch];
  const int64_t stated = m.checkpoint_.metadata.integer("image_token_index", 0, m.config().vocab - 1, patch);
  if (patch >= 0 && stated != patch)
    fail(Status::bad_file, "config.json: image_token_index is %jd, but the tokenizer's <|patch|> is %d", stated, patch);
}

void Opening::list_unused() { model_->not_used_ = not_used(model_->checkpoint_); }

// What is not mapped is read first, every byte of it, and packed then: two halves of the whole.
bool Opening::report(uint64_t done, uint64_t total) {
  if (part_ == Part::reading) {
    done_ = done;
    total_ = 2 * total;
  } else if (part_ == Part::packing) {
    done_ = mapped_ ? done : total + done;
    total_ = mapped_ ? total : 2 * total;
  } else {
    done_ = total_;
  }
  packing_watch_->rethrow();
  return !packing_watch_->stopped() && ask();
}

bool Opening::ask() { return host_(done_, total_); }

}  // namespace puna
