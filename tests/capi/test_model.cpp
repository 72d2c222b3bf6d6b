// Opening models from a path, from memory and through a callback, and what they say about themselves.
#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;

namespace {

std::string metadata(const ModelHandle& model, const char* key) {
  const Output json;
  ok(puna_model_get_metadata(model.get(), key, json));
  return json.text();
}

// A file in an archive: reads from a string, and fails after `reads_left` reads.
struct Archive {
  const std::string& bytes;
  int64_t reads_left = INT64_MAX;
  static int32_t read_at(void* user, uint64_t offset, uint64_t bytes, void* destination) {
    auto* self = static_cast<Archive*>(user);
    if (self->reads_left-- <= 0) return 77;
    memcpy(destination, self->bytes.data() + offset, bytes);
    return 0;
  }
  puna_reader reader() {
    auto r = sized<puna_reader>();
    r.size = bytes.size();
    r.read_at = read_at;
    r.user = this;
    r.name = "pak/tiny.gguf";
    return r;
  }
};

struct Progress {
  uint64_t last = 0, total = 0, cancel_at = UINT64_MAX;
  int calls = 0;
  static int32_t report(void* user, uint64_t done, uint64_t total) {
    auto* self = static_cast<Progress*>(user);
    CHECK(done >= self->last);
    CHECK(done <= total);
    self->last = done;
    self->total = total;
    return ++self->calls > 0 && done >= self->cancel_at ? 1 : 0;
  }
  puna_model_options options() {
    auto o = sized<puna_model_options>();
    o.progress = report;
    o.progress_user = this;
    return o;
  }
};

}  // namespace

TEST_CASE("a model's info is its config.json", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  nlohmann::json config = nlohmann::json::parse(read_text(chat_model() + "/config.json"));
  if (config.contains("text_config")) config = config["text_config"];
  CHECK(info.layers == config["num_hidden_layers"]);
  CHECK(info.hidden == config["hidden_size"]);
  CHECK(info.heads == config["num_attention_heads"]);
  CHECK(info.kv_heads == config["num_key_value_heads"]);
  CHECK(info.head_dim == config["head_dim"]);
  CHECK(info.vocabulary == config["vocab_size"]);
  CHECK(info.max_positions == config["max_position_embeddings"]);
  CHECK(info.experts == config.value("num_local_experts", 0));
  CHECK(info.experts_used == config.value("num_experts_per_tok", 0));
  CHECK(info.attention_chunk == config.value("attention_chunk_size", 0));
  CHECK_THAT(info.architecture, Catch::Matchers::StartsWith("llama"));
  CHECK(info.has_tokenizer == 1);
  CHECK(info.has_chat_template == 1);
  CHECK(info.parameters > uint64_t(info.vocabulary) * uint64_t(info.hidden));
  CHECK(info.file_bytes > info.parameters);
}

TEST_CASE("metadata is listed in order and given as JSON", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model.get(), &info));
  REQUIRE(info.metadata_count > 0);
  std::string before;
  for (int32_t i = 0; i < info.metadata_count; ++i) {
    const char* key = nullptr;
    ok(puna_model_get_metadata_key(model.get(), i, &key));
    CHECK(before < key);
    before = key;
    CHECK_NOTHROW(nlohmann::json::parse(metadata(model, key)));
  }
  const nlohmann::json config = nlohmann::json::parse(read_text(chat_model() + "/config.json"));
  CHECK(nlohmann::json::parse(metadata(model, "model_type")) == config["model_type"]);
  CHECK(nlohmann::json::parse(metadata(model, "architectures")) == config["architectures"]);

  const char* key = nullptr;
  refused(puna_model_get_metadata_key(model.get(), info.metadata_count, &key), PUNA_INVALID_ARGUMENT, "index");
  refused(puna_model_get_metadata_key(model.get(), -1, &key), PUNA_INVALID_ARGUMENT, "index");
  const Output json;
  refused(puna_model_get_metadata(model.get(), "no.such.key", json), PUNA_INVALID_ARGUMENT, "no.such.key");
}

TEST_CASE("unused keys and tensors of a model's files are listed as JSON, and listing them changes nothing", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const auto not_used = [&] {
    const Output json;
    ok(puna_model_get_unused(model.get(), json));
    return nlohmann::json::parse(json.text());
  };
  const nlohmann::json told = not_used();
  REQUIRE((told["tensors"].is_array() && told["keys"].is_array()));
  for (const auto& item : told["keys"]) {
    CHECK(item["note"].is_string());
    metadata(model, item["name"].get<std::string>().c_str());
  }
  CHECK(not_used() == told);
}

TEST_CASE("a GGUF from memory and through a callback is the same model", "[capi]") {
  const std::string& bytes = tiny_gguf();
  puna_model* opened = nullptr;
  ok(puna_model_open_memory(nullptr, bytes.data(), bytes.size(), nullptr, &opened));
  const ModelHandle memory(opened);
  Archive archive{bytes};
  const puna_reader reader = archive.reader();
  ok(puna_model_open_reader(nullptr, &reader, nullptr, &opened));
  const ModelHandle callback(opened);

  const std::vector<int32_t> tokens = {3, 1, 4, 1, 5, 9, 2, 6};
  CHECK(logits_after(make_session(memory), tokens) == logits_after(make_session(callback), tokens));

  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(memory.get(), &info));
  CHECK(info.has_tokenizer == 0);
  CHECK(info.file_bytes == bytes.size());
  CHECK(metadata(memory, "general.architecture") == "\"llama\"");
  const puna_tokenizer* none = nullptr;
  refused(puna_model_get_tokenizer(memory.get(), &none), PUNA_UNSUPPORTED, "tokenizer");
}

TEST_CASE("a reader that fails fails the open, wherever it happens", "[capi]") {
  puna_model* model = nullptr;
  int64_t reads = 0;
  for (;; ++reads) {
    REQUIRE(reads < 10'000);
    Archive archive{tiny_gguf(), reads};
    const puna_reader reader = archive.reader();
    const puna_status status = puna_model_open_reader(nullptr, &reader, nullptr, &model);
    if (status == PUNA_OK) break;
    refused(status, PUNA_IO, "77");
    CHECK_THAT(puna_last_error(), Catch::Matchers::Contains("pak/tiny.gguf"));
    CHECK(model == nullptr);
  }
  puna_model_free(model);
  CHECK(reads > 1);
  puna_reader reader = Archive{tiny_gguf()}.reader();
  reader.read_at = nullptr;
  refused(puna_model_open_reader(nullptr, &reader, nullptr, &model), PUNA_INVALID_ARGUMENT, "read_at");
}

TEST_CASE("loading reports progress and can be cancelled", "[capi]") {
  puna_model* model = nullptr;
  Progress whole;
  puna_model_options options = whole.options();
  ok(puna_model_open(nullptr, chat_model().c_str(), &options, &model));
  puna_model_free(model);
  CHECK(whole.calls > 50);  // a call a matrix: a bar moves
  CHECK(whole.last == whole.total);

  model = nullptr;
  Progress impatient;
  impatient.cancel_at = 0;
  options = impatient.options();
  refused(puna_model_open(nullptr, chat_model().c_str(), &options, &model), PUNA_CANCELLED, "");
  CHECK(impatient.calls == 1);
  CHECK(model == nullptr);
}

TEST_CASE("a packed file is made by the first open and mapped by the second", "[capi]") {
  const TempFolder folder;
  const std::string packed = folder / "model.packed";
  auto options = sized<puna_model_options>();
  options.packed_path = packed.c_str();
  const auto open = [&] {
    puna_model* model = nullptr;
    ok(puna_model_open(nullptr, chat_model().c_str(), &options, &model));
    return ModelHandle(model);
  };
  const ModelHandle first = open();
  const std::string made = read_text(packed);
  options.verify_packed = 1;
  const ModelHandle second = open();
  CHECK(read_text(packed) == made);

  puna_model* none = nullptr;
  refused(puna_model_open_memory(nullptr, tiny_gguf().data(), tiny_gguf().size(), &options, &none),
          PUNA_INVALID_ARGUMENT, "packed_path");
  options.verify_packed = 2;
  refused(puna_model_open(nullptr, chat_model().c_str(), &options, &none), PUNA_INVALID_ARGUMENT, "verify_packed is 2");
  CHECK(none == nullptr);
}

TEST_CASE("missing files and files that are no models are different errors", "[capi]") {
  puna_model* model = nullptr;
  refused(puna_model_open(nullptr, "/no/such/model.gguf", nullptr, &model), PUNA_IO, "/no/such/model.gguf");
  refused(puna_model_open(nullptr, PUNA_SOURCE_DIR "/CMakeLists.txt", nullptr, &model), PUNA_BAD_FILE,
          "CMakeLists.txt");
  const std::string& bytes = tiny_gguf();
  refused(puna_model_open_memory(nullptr, bytes.data(), bytes.size() / 2, nullptr, &model), PUNA_BAD_FILE, "");
  refused(puna_model_open_memory(nullptr, "GGUF", 4, nullptr, &model), PUNA_BAD_FILE, "");
  CHECK(model == nullptr);
}

TEST_CASE("handles keep their parents alive in any order of freeing", "[capi]") {
  ContextHandle context = make_context();
  ModelHandle model = open_model(chat_model(), context.get());
  context.reset();
  SessionHandle session = make_session(model);
  model.reset();
  puna_session* copy = nullptr;
  ok(puna_session_append(session.get(), std::vector<int32_t>{1, 2, 3}.data(), 3, nullptr, nullptr));
  ok(puna_session_fork(session.get(), &copy));
  const SessionHandle forked(copy);
  const std::vector<float> expected = logits_after(session, {4});
  session.reset();
  CHECK(logits_after(forked, {4}) == expected);
}
