// handles.h -- what is behind the opaque pointers of puna.h: one owning reference each. Children hold their parents.
#pragma once
#include <memory>

#include "guard.h"
#include "puna/runtime/image.h"
#include "puna/runtime/model.h"
#include "puna/runtime/sampler.h"
#include "puna/runtime/session.h"

struct puna_context {
  puna::ContextPtr impl;
};

struct puna_tokenizer {
  puna::TokenizerPtr impl;
};

struct puna_model {
  puna::ModelPtr impl;
  puna_tokenizer tokenizer{impl->tokenizer_ptr()};  // NULL inside when the model has none
};

struct puna_image {
  puna::ImagePtr impl;
  std::vector<int32_t> tokens = impl->model().can_write_images() ? impl->tokens() : std::vector<int32_t>();
};

struct puna_session {
  std::shared_ptr<puna::Session> impl;  // shared with its generations
};

struct puna_sampler {
  puna::Sampler impl;
};

struct puna_adapter {
  puna::AdapterPtr impl;
  puna::ModelPtr model;
};

namespace puna::capi {

// The objects behind checked handles: not NULL and of this process.
inline const ContextPtr& use(const puna_context* context) {
  PUNA_REQUIRE(context != nullptr, "context is NULL");
  context->impl->require_same_process();
  return context->impl;
}

inline const Model& use(const puna_model* model) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  model->impl->context().require_same_process();
  return *model->impl;
}

inline Session& use(const puna_session* session) {
  PUNA_REQUIRE(session != nullptr, "session is NULL");
  session->impl->model().context().require_same_process();
  return *session->impl;
}

inline const Tokenizer& use(const puna_tokenizer* tokenizer) {
  PUNA_REQUIRE(tokenizer != nullptr, "tokenizer is NULL");
  return *tokenizer->impl;
}

inline const Adapter& use(const puna_adapter* adapter) {
  PUNA_REQUIRE(adapter != nullptr, "adapter is NULL");
  adapter->model->context().require_same_process();
  return *adapter->impl;
}

inline const Sampler& use(const puna_sampler* sampler) {
  PUNA_REQUIRE(sampler != nullptr, "sampler is NULL");
  return sampler->impl;
}

SourcePtr source_from_c(const puna_reader* reader);                                    // model.cpp
std::vector<ImagePtr> images_from_c(const puna_image* const* images, uint64_t count);  // vision.cpp
SamplerOptions sampler_options_from_c(const puna_sampler_options* options);            // sampler.cpp

}  // namespace puna::capi
