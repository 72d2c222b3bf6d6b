// What a model shows of itself: tensors, the time its load took, hidden states as embeddings, its tokenizer as a
// handle.
#include <cmath>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

std::vector<float> embed(const ModelHandle& model, const std::vector<int32_t>& tokens, int32_t pooling, size_t rows,
                         bool normalize = false) {
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  std::vector<float> out(rows * size_t(info.hidden), -7.0f);
  auto options = sized<puna_append_options>();
  options.pooling = pooling;
  options.normalize = normalize;
  options.embeddings = out.data();
  options.embeddings_capacity = out.size() - 1;
  const SessionHandle session = make_session(model, /*exact=*/true);
  refused(puna_session_append(session.get(), tokens.data(), tokens.size(), &options, nullptr), PUNA_INVALID_ARGUMENT,
          "floats");
  options.embeddings_capacity = out.size();
  ok(puna_session_append(session.get(), tokens.data(), tokens.size(), &options, nullptr));
  CHECK(length(session) == int64_t(tokens.size()));
  CHECK(logits(session) == logits_after(make_session(model, true), tokens));
  return out;
}

bool has_final_hidden(const Golden& g) {
  return g.has("final_norm") && g.has("input_ids") && g.has_file("model.safetensors");
}

}  // namespace

TEST_CASE("a model lists its tensors", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  CHECK(info.load_seconds > 0);
  REQUIRE(info.tensor_count > 10);
  uint64_t parameters = 0, bytes = 0;
  std::vector<std::string> names;
  for (int32_t i = 0; i < info.tensor_count; ++i) {
    auto t = sized<puna_tensor_info>();
    ok(puna_model_get_tensor_info(model.get(), i, &t));
    uint64_t count = 1;
    for (const int64_t d : t.dims) count *= uint64_t(d);
    parameters += count;
    bytes += t.bytes;
    CHECK(t.rank <= 4);
    CHECK(std::string(t.dtype).size() >= 3);
    names.emplace_back(t.name);
  }
  CHECK(parameters == info.parameters);
  CHECK(bytes < info.file_bytes);
  CHECK(std::count(names.begin(), names.end(), "language_model.model.norm.weight") == 1);
  auto t = sized<puna_tensor_info>();
  for (const int32_t index : {-1, info.tensor_count, INT32_MAX})
    refused(puna_model_get_tensor_info(model.get(), index, &t), PUNA_INVALID_ARGUMENT, "tensor index");
}

TEST_CASE("hidden states are the reference's", "[capi][golden]") {
  for (const Golden& golden : goldens(has_final_hidden)) {
    CAPTURE(golden.fixture());
    const std::vector<int64_t> wide = golden.array("input_ids").i64();
    const std::vector<int32_t> ids(wide.begin(), wide.end());
    golden.check("final_norm", embed(open_model(golden.folder()), ids, PUNA_POOLING_NONE, ids.size()));
  }
}

TEST_CASE("pooled embeddings are the mean and the last of the hidden states", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::vector<int32_t> ids = some_tokens(33);
  const std::vector<float> all = embed(model, ids, PUNA_POOLING_NONE, ids.size()),
                           mean = embed(model, ids, PUNA_POOLING_MEAN, 1),
                           last = embed(model, ids, PUNA_POOLING_LAST, 1),
                           unit = embed(model, ids, PUNA_POOLING_MEAN, 1, true);
  const size_t D = mean.size();
  CHECK(std::equal(last.begin(), last.end(), all.end() - std::ptrdiff_t(D)));
  double length = 0, dot = 0, mean_length = 0;
  for (size_t d = 0; d < D; ++d) {
    double sum = 0;
    for (size_t t = 0; t < ids.size(); ++t) sum += double(all[t * D + d]);
    CHECK(mean[d] == float(sum / double(ids.size())));
    length += double(unit[d]) * unit[d];
    dot += double(unit[d]) * mean[d];
    mean_length += double(mean[d]) * mean[d];
  }
  CHECK(length == Approx(1).epsilon(1e-6));
  CHECK(dot == Approx(std::sqrt(mean_length)).epsilon(1e-6));
  const SessionHandle session = make_session(model);
  std::vector<float> out(D);
  auto options = sized<puna_append_options>();
  options.embeddings = out.data();
  options.embeddings_capacity = D;
  refused(puna_session_append(session.get(), nullptr, 0, &options, nullptr), PUNA_INVALID_ARGUMENT, "no tokens");
  options.pooling = 3;
  refused(puna_session_append(session.get(), ids.data(), 1, &options, nullptr), PUNA_INVALID_ARGUMENT, "pooling");
}

TEST_CASE("embeddings behind a rewind into a dropped chunk are those of a fresh session", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  const std::vector<int32_t> ids = some_tokens(120);
  const auto embed_tail = [&](const SessionHandle& s) {
    std::vector<float> out(size_t(info.hidden));
    auto options = sized<puna_append_options>();
    options.embeddings = out.data();
    options.embeddings_capacity = out.size();
    ok(puna_session_append(s.get(), ids.data() + 30, 5, &options, nullptr));
    return out;
  };
  const SessionHandle rewound = make_session(model), fresh = make_session(model);
  logits_after(rewound, ids);
  ok(puna_session_truncate(rewound.get(), 30));
  logits_after(fresh, {ids.begin(), ids.begin() + 30});
  CHECK(embed_tail(rewound) == embed_tail(fresh));
}

TEST_CASE("a tokenizer by itself is that of the model", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  puna_tokenizer *of_folder = nullptr, *of_file = nullptr;
  ok(puna_tokenizer_open(chat_model().c_str(), &of_folder));
  ok(puna_tokenizer_open((chat_model() + "/tokenizer.json").c_str(), &of_file));
  const TokenizerHandle handles[] = {TokenizerHandle(of_folder), TokenizerHandle(of_file)};
  auto model_info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &model_info));
  const std::string text = "Hello, \xC3\xA4 world\n 123";
  const std::vector<int32_t> want = encode(model, text);
  for (const puna_tokenizer* t : {tokenizer_of(model.get()), static_cast<const puna_tokenizer*>(of_folder),
                                  static_cast<const puna_tokenizer*>(of_file)}) {
    const Output out;
    ok(puna_tokenizer_encode(t, text.data(), text.size(), nullptr, out));
    CHECK(out.ids() == want);
    ok(puna_tokenizer_decode(t, want.data(), want.size(), 0, out));
    CHECK(out.text() == text);
    auto info = sized<puna_tokenizer_info>();
    ok(puna_tokenizer_get_info(t, &info));
    CHECK(info.size > 256);
    auto token = sized<puna_token_info>();
    ok(puna_tokenizer_get_token_info(t, want[0], &token));
    int32_t found = -1;
    ok(puna_tokenizer_find_token(t, token.bytes, size_t(token.size), &found));
    CHECK(found == want[0]);
    // With a model beside it, the rows of the embedding behind the tokens are ids without text; beyond them, and alone,
    // an id is an error.
    const int32_t end = t == of_file ? info.size : model_info.vocabulary;
    for (int32_t id = info.size; id < end; ++id) {
      ok(puna_tokenizer_get_token_info(t, id, &token));
      CHECK(token.size == 0);
    }
    refused(puna_tokenizer_get_token_info(t, end, &token), PUNA_INVALID_ARGUMENT, std::to_string(end));
  }
  puna_tokenizer* none = nullptr;
  refused(puna_tokenizer_open("/no/such/tokenizer.json", &none), PUNA_IO, "/no/such/tokenizer.json");
  puna_model* opened = nullptr;
  ok(puna_model_open_memory(nullptr, tiny_gguf().data(), tiny_gguf().size(), nullptr, &opened));
  const ModelHandle tiny(opened);
  const puna_tokenizer* of_tiny = nullptr;
  refused(puna_model_get_tokenizer(tiny.get(), &of_tiny), PUNA_UNSUPPORTED, "no tokenizer");
  CHECK(of_tiny == nullptr);
}
