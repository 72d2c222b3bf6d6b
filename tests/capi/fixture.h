// fixture.h -- what the tests of the C ABI share: handles that free themselves, statuses with their message, models to
// open.
#pragma once
#include <puna.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.h"
#include "support/golden.h"

namespace puna::test {

template <auto free_function>
struct Free {
  template <class T>
  void operator()(T* handle) const {
    free_function(handle);
  }
};
using ContextHandle = std::unique_ptr<puna_context, Free<puna_context_free>>;
using ModelHandle = std::unique_ptr<puna_model, Free<puna_model_free>>;
using SessionHandle = std::unique_ptr<puna_session, Free<puna_session_free>>;
using GenerationHandle = std::unique_ptr<puna_generation, Free<puna_generation_free>>;
using TokenizerHandle = std::unique_ptr<puna_tokenizer, Free<puna_tokenizer_free>>;
using ChatHandle = std::unique_ptr<puna_chat, Free<puna_chat_free>>;
using SamplerHandle = std::unique_ptr<puna_sampler, Free<puna_sampler_free>>;

inline void ok(puna_status status) {
  INFO(puna_status_name(status) << ": " << puna_last_error());
  REQUIRE(status == PUNA_OK);
}
// The call was refused with this status, and the message says why: it contains `words`.
inline void refused(puna_status status, puna_status wanted, const std::string& words) {
  INFO(puna_status_name(status) << ": " << puna_last_error());
  CHECK(status == wanted);
  CHECK_THAT(puna_last_error(), Catch::Matchers::Contains(words));
}

// An option or info struct with its size filled in and everything else zero.
template <class T>
T sized() {
  T t{};
  t.struct_size = sizeof(T);
  return t;
}

inline ContextHandle make_context(const puna_context_options* options = nullptr) {
  puna_context* c = nullptr;
  ok(puna_context_create(options, &c));
  return ContextHandle(c);
}
inline ModelHandle open_model(const std::string& path, puna_context* context = nullptr) {
  puna_model* m = nullptr;
  ok(puna_model_open(context, path.c_str(), nullptr, &m));
  return ModelHandle(m);
}
inline SessionHandle make_session(const ModelHandle& model, bool exact = false) {
  auto o = sized<puna_session_options>();
  o.exact = exact;
  puna_session* s = nullptr;
  ok(puna_session_create(model.get(), &o, &s));
  return SessionHandle(s);
}
inline puna_session_info info_of(const SessionHandle& session) {
  auto info = sized<puna_session_info>();
  ok(puna_session_get_info(session.get(), &info));
  return info;
}
inline puna_context_info info_of(const ContextHandle& context) {
  auto info = sized<puna_context_info>();
  ok(puna_context_get_info(context.get(), &info));
  return info;
}
inline int64_t length(const SessionHandle& session) {
  auto info = sized<puna_session_info>();
  ok(puna_session_get_info(session.get(), &info));
  return info.length;
}
inline std::vector<float> logits(const SessionHandle& session) {
  const float* data = nullptr;
  size_t count = 0;
  ok(puna_session_get_logits(session.get(), &data, &count));
  return {data, data + count};
}
inline std::vector<float> logits_after(const SessionHandle& session, const std::vector<int32_t>& tokens) {
  ok(puna_session_append(session.get(), tokens.data(), tokens.size(), nullptr, nullptr));
  return logits(session);
}

// What a call stores whose size only the work tells.
class Output {
 public:
  Output() { ok(puna_buffer_create(&buffer_)); }
  ~Output() { puna_buffer_free(buffer_); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  operator puna_buffer*() const { return buffer_; }
  size_t size() const { return puna_buffer_size(buffer_); }
  std::string text() const { return {static_cast<const char*>(puna_buffer_data(buffer_)), size()}; }
  std::vector<int32_t> ids() const {
    const auto* first = static_cast<const int32_t*>(puna_buffer_data(buffer_));
    return {first, first + size()};
  }

 private:
  puna_buffer* buffer_ = nullptr;
};

inline const puna_tokenizer* tokenizer_of(const puna_model* model) {
  const puna_tokenizer* tokenizer = nullptr;
  ok(puna_model_get_tokenizer(model, &tokenizer));
  return tokenizer;
}
inline std::vector<int32_t> encode(const ModelHandle& model, std::string_view text,
                                   const puna_encode_options* options = nullptr) {
  const Output ids;
  ok(puna_tokenizer_encode(tokenizer_of(model.get()), text.data(), text.size(), options, ids));
  return ids.ids();
}
inline std::vector<int32_t> tokens_of(const SessionHandle& session) {
  const int32_t* first = nullptr;
  size_t count = 0;
  ok(puna_session_get_tokens(session.get(), &first, &count));
  return {first, first + count};
}

inline puna_append_options wanting_logits(std::vector<float>& out) {
  auto options = sized<puna_append_options>();
  options.logits = out.data();
  options.logits_capacity = out.size();
  return options;
}
inline puna_append_options wanting_embeddings(std::vector<float>& out, int32_t pooling = PUNA_POOLING_MEAN) {
  auto options = sized<puna_append_options>();
  options.embeddings = out.data();
  options.embeddings_capacity = out.size();
  options.pooling = pooling;
  return options;
}

// A rendered chat with its info, which lives as long.
struct Chat {
  ChatHandle handle;
  puna_chat_info info = sized<puna_chat_info>();
  Chat(const ModelHandle& model, std::string_view json, const puna_chat_options* options = nullptr) {
    puna_chat* made = nullptr;
    ok(puna_chat_create(model.get(), json.data(), json.size(), options, &made));
    handle.reset(made);
    ok(puna_chat_get_info(made, &info));
  }
  std::string text() const { return {info.text, info.size}; }
  std::vector<int32_t> ids() const { return {info.tokens, info.tokens + info.token_count}; }
};
inline puna_status render(const ModelHandle& model, std::string_view json, const puna_chat_options* options = nullptr) {
  puna_chat* made = nullptr;
  const puna_status status = puna_chat_create(model.get(), json.data(), json.size(), options, &made);
  puna_chat_free(made);
  return status;
}

// Token ids below 256, which every model of the tests has.
inline std::vector<int32_t> some_tokens(size_t n, int32_t seed = 1) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(int32_t((int32_t(i) * 37 + seed * 11) % 256));
  return ids;
}

// A golden folder that is a whole model with its tokenizer and chat template.
inline std::string chat_model() {
  static const std::string folder =
      goldens([](const Golden& g) {
        return g.has_file("model.safetensors") && g.has_file("tokenizer.json") && g.has_file("chat_template.jinja");
      })[0]
          .folder();
  return folder;
}

// A whole small model with random weights and no tokenizer, as the bytes of a GGUF file.
const std::string& tiny_gguf();

}  // namespace puna::test
