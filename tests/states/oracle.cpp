#include "states/oracle.h"

#include <algorithm>
#include <filesystem>
#include <span>

namespace puna::test::states {
namespace {

void ok(puna_status status, const char* what) {
  require(status == PUNA_OK, std::string("a fresh run failed: ") + what + ": " + puna_last_error());
}

std::string key_of(char kind, const History& h, int64_t length, Mode mode) {
  std::string key{kind, char('0' + mode.exact), char('0' + mode.adapter)};
  key.append(reinterpret_cast<const char*>(h.ids.data()), size_t(length) * 4);
  key.append(reinterpret_cast<const char*>(h.rows.data()), size_t(length) * 4);
  return key;
}

}  // namespace

Subject::Subject(const std::string& folder, const puna_context_options& options) {
  ok(puna_context_create(&options, &context), "context");
  const bool adapted = std::filesystem::exists(folder + "/base");
  ok(puna_model_open(context, (adapted ? folder + "/base" : folder).c_str(), nullptr, &model), "model");
  ok(puna_model_get_info(model, &info), "info");
  if (adapted) ok(puna_adapter_open(model, (folder + "/adapter").c_str(), &adapter), "adapter");
  const puna_tokenizer* tokenizer = nullptr;
  if (puna_model_get_tokenizer(model, &tokenizer) == PUNA_OK) read_tokens(tokenizer);
  if (info.image_tile == 0) return;
  ok(puna_tokenizer_find_token(tokenizer, "<|patch|>", 9, &patch), "patch");
  for (const int64_t width : {int64_t(info.image_tile), int64_t(info.image_tile) * 2}) {
    std::vector<uint8_t> rgb(size_t(3 * width * info.image_tile));
    for (size_t i = 0; i < rgb.size(); ++i) rgb[i] = uint8_t(i * 37 % 251);
    images.push_back(nullptr);
    ok(puna_image_create(model, rgb.data(), width, info.image_tile, 0, &images.back()), "image");
    size_t count = 0;
    const int32_t* ids = nullptr;
    ok(puna_image_get_tokens(images.back(), &ids, &count), "image tokens");
    History h;
    int32_t row = 0;
    for (const int32_t id : std::span(ids, count))
      h.add(id, id == patch ? int32_t(images.size() - 1) * 4096 + row++ : -1);
    image_tokens.push_back(h);
  }
}

void Subject::read_tokens(const puna_tokenizer* tokenizer) {
  auto about = sized<puna_tokenizer_info>();
  ok(puna_tokenizer_get_info(tokenizer, &about), "tokenizer info");
  for (int32_t id = 0; id < about.size; ++id) {
    auto token = sized<puna_token_info>();
    ok(puna_tokenizer_get_token_info(tokenizer, id, &token), "token info");
    const bool is_text = !token.is_special && token.size > 0 && token.kind != PUNA_TOKEN_UNKNOWN;
    tokens.push_back({std::string(token.bytes, token.size), is_text, token.is_stop == 1});
    if (token.is_stop == 1) own_stops.insert(id == about.eos ? own_stops.begin() : own_stops.end(), id);
  }
  auto kind = sized<puna_grammar_options>();
  kind.kind = PUNA_GRAMMAR_CHOICES;
  for (const Choices& choices : kChoices) {
    const std::string list = json_list(choices);
    grammars.push_back(nullptr);
    ok(puna_grammar_create(list.data(), list.size(), &kind, &grammars.back()), "grammar");
  }
}

Subject::~Subject() {
  for (puna_grammar* grammar : grammars) puna_grammar_free(grammar);
  for (puna_image* image : images) puna_image_free(image);
  puna_adapter_free(adapter);
  puna_model_free(model);
  puna_context_free(context);
}

std::vector<const puna_image*> Subject::images_of(const History& h) const {
  std::vector<const puna_image*> list;
  for (const int32_t row : h.rows)
    if (row >= 0 && row % 4096 == 0) list.push_back(images[size_t(row / 4096)]);
  return list;
}

static puna_context_options one_thread() {
  auto options = sized<puna_context_options>();
  options.threads = 1;
  return options;
}

Oracle::Oracle(const std::string& folder) : subject_(folder, one_thread()) {}

Oracle::Session Oracle::session(Mode mode) const {
  auto options = sized<puna_session_options>();
  options.exact = mode.exact;
  puna_session* s = nullptr;
  ok(puna_session_create(subject_.model, &options, &s), "session");
  Session made(s);
  if (mode.adapter) ok(puna_session_use_adapter(s, subject_.adapter), "adapter");
  return made;
}

void Oracle::fill(puna_session* s, const History& h, std::vector<float>& rows) const {
  const int64_t vocabulary = subject_.vocabulary();
  for (int64_t at = 0; at < h.size();) {
    History part;
    int64_t end = at;
    if (h.rows[size_t(at)] < 0) {  // text, up to the next image
      while (end < h.size() && h.rows[size_t(end)] < 0) ++end;
      part = h.slice(at, end);
    } else {  // an image, or its beginning: the rest of it is appended too, and cut off again
      const int32_t image = h.rows[size_t(at)] / 4096;
      int32_t next = image * 4096;
      for (int64_t p = at; p < h.size() && (h.rows[size_t(p)] < 0 || h.rows[size_t(p)] == next); ++p)
        if (h.rows[size_t(p)] == next) {
          ++next;
          end = p + 1;
        }
      part = h.slice(at, end);
      int32_t features = 0;
      for (const int32_t row : subject_.image_tokens[size_t(image)].rows) features += row >= 0;
      while (next < image * 4096 + features) part.add(subject_.patch, next++);
    }
    std::vector<float> logits(size_t(part.size() * vocabulary));
    const std::vector<const puna_image*> images = subject_.images_of(part);
    auto options = sized<puna_append_options>();
    options.images = images.data();
    options.image_count = images.size();
    options.logits = logits.data();
    options.logits_capacity = logits.size();
    ok(puna_session_append(s, part.ids.data(), part.ids.size(), &options, nullptr), "append");
    rows.insert(rows.end(), logits.begin(), logits.begin() + (end - at) * vocabulary);
    ok(puna_session_truncate(s, end), "truncate");
    at = end;
  }
}

template <class Make>
std::vector<float> Oracle::remembered(const std::string& key, Make&& make) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(key);
    if (found != known_.end()) return found->second;
  }
  std::vector<float> made = make();
  const std::lock_guard lock(mutex_);
  constexpr size_t kMost = 200'000;  // some hundred megabytes
  if (known_.size() > kMost) known_.clear();
  return known_.emplace(key, std::move(made)).first->second;
}

std::vector<float> Oracle::logits(const History& h, Mode mode) {
  return remembered(key_of('l', h, h.size(), mode), [&] {
    std::vector<float> rows;
    const Session s = session(mode);
    fill(s.get(), h, rows);
    const size_t vocabulary = size_t(subject_.vocabulary());
    const std::lock_guard lock(mutex_);
    for (int64_t n = 1; n < h.size(); ++n)
      known_.emplace(key_of('l', h, n, mode), std::vector<float>(rows.begin() + (n - 1) * int64_t(vocabulary),
                                                                 rows.begin() + n * int64_t(vocabulary)));
    return std::vector<float>(rows.end() - int64_t(vocabulary), rows.end());
  });
}

std::vector<float> Oracle::embedding(const History& before, const std::vector<int32_t>& ids, int32_t pooling,
                                     Mode mode) {
  History all = before;
  for (const int32_t id : ids) all.add(id);
  return remembered(key_of(char('a' + pooling), all, all.size(), mode) + std::to_string(ids.size()), [&] {
    std::vector<float> rows;
    const Session s = session(mode);
    fill(s.get(), before, rows);
    auto options = sized<puna_append_options>();
    options.pooling = pooling;
    std::vector<float> out(size_t(subject_.info.hidden) * (pooling == PUNA_POOLING_NONE ? ids.size() : 1));
    options.embeddings = out.data();
    options.embeddings_capacity = out.size();
    ok(puna_session_append(s.get(), ids.data(), ids.size(), &options, nullptr), "embed");
    return out;
  });
}

std::vector<float> Oracle::scores(const std::vector<int32_t>& ids, Mode mode) {
  History h;
  for (const int32_t id : ids) h.add(id);
  return remembered(key_of('s', h, h.size(), mode), [&] {
    std::vector<float> nll(ids.size() - 1);
    const Session s = session(mode);
    ok(puna_session_score(s.get(), ids.data(), ids.size(), nll.data(), nll.size()), "score");
    return nll;
  });
}

}  // namespace puna::test::states
