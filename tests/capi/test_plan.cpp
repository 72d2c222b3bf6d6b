// Memory: a plan is what is then allocated, a limit is never passed, and a thousand lives of a model leave nothing
// behind.
#include <cstdlib>

#include <algorithm>
#include <filesystem>

#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;

namespace {

puna_plan plan_of(const std::string& path, const puna_plan_options& options) {
  auto plan = sized<puna_plan>();
  ok(puna_model_plan(path.c_str(), &options, &plan));
  return plan;
}

std::string dense_model() {
  return goldens([](const Golden& g) {
           return g.fixture().find("dense") != std::string::npos && g.has_file("model.safetensors");
         })[0]
      .folder();
}

void check_close(uint64_t allocated, uint64_t planned) {
  CHECK(allocated <= planned);
  CHECK(double(allocated) >= 0.99 * double(planned));
}

// Opens the model by `open(context)`, fills the sessions, and compares every number of the plan.
template <class Open>
void check_plan(const puna_plan& plan, const puna_plan_options& options, Open&& open) {
  CAPTURE(options.sessions, options.positions, options.prefill_chunk, options.exact);
  const ContextHandle context = make_context();
  const ModelHandle model = open(context.get());
  CHECK(info_of(context).memory_used == plan.weight_bytes);
  CHECK(info_of(context).memory_peak == plan.load_peak_bytes);

  auto session_options = sized<puna_session_options>();
  session_options.exact = options.exact;
  session_options.prefill_chunk = options.prefill_chunk;
  session_options.kv_type = options.kv_type;
  std::vector<SessionHandle> sessions;
  for (int i = 0; i < std::max(options.sessions, 1); ++i) {
    puna_session* s = nullptr;
    ok(puna_session_create(model.get(), &session_options, &s));
    sessions.emplace_back(s);
    std::vector<int32_t> ids = some_tokens(size_t(plan.positions));
    for (int32_t& id : ids) id %= info_of(sessions.back()).vocabulary;
    logits_after(sessions.back(), ids);
  }
  check_close(info_of(context).memory_peak, plan.total_bytes);
  CHECK(plan.total_bytes ==
        std::max(plan.load_peak_bytes, plan.weight_bytes + plan.kv_bytes + plan.scratch_bytes + plan.logits_bytes));
  uint64_t kv = 0;
  for (const SessionHandle& s : sessions) kv += info_of(s).kv_bytes;
  CHECK(kv <= plan.kv_bytes);

  auto added = sized<puna_plan>();
  ok(puna_session_plan(model.get(), &options, &added));
  CHECK(added.kv_bytes == plan.kv_bytes);
  CHECK(added.scratch_bytes == plan.scratch_bytes);
  CHECK(added.weight_bytes == 0);
}

void check_plan(const std::string& path, const puna_plan_options& options) {
  CAPTURE(path);
  const puna_plan plan = plan_of(path, options);
  check_plan(plan, options, [&](puna_context* context) {
    ModelHandle model = open_model(path, context);
    auto info = sized<puna_model_info>();
    ok(puna_model_get_info(model.get(), &info));
    CHECK(plan.mapped_bytes == info.file_bytes);
    return model;
  });
}

}  // namespace

TEST_CASE("a plan is what is allocated: within 1 %, never below", "[capi]") {
  auto options = sized<puna_plan_options>();
  for (const bool exact : {false, true})
    for (const int64_t positions : {1, 64, 200}) {
      options.exact = exact;
      options.positions = positions;
      options.sessions = 0;
      check_plan(chat_model(), options);
      options.sessions =
          3;  // a dense model: one with local attention drops pages, so its sessions have their peaks one by one
      check_plan(dense_model(), options);
    }
  options = sized<puna_plan_options>();
  options.positions = 100;
  options.prefill_chunk = 10;
  check_plan(chat_model(), options);
}

TEST_CASE("a plan of SmolLM2 is what is allocated", "[capi]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2 is not in the model cache");
  auto options = sized<puna_plan_options>();
  options.positions = 300;
  check_plan(smollm2(), options);
  options.kv_type = PUNA_KV_Q8_0;
  check_plan(smollm2(), options);
}

TEST_CASE("a plan for memory and for a reader is what is allocated, and reads next to nothing", "[capi]") {
  std::string bytes = tiny_gguf();
  if (!smollm2().empty()) bytes = read_text(smollm2());
  auto options = sized<puna_plan_options>();
  options.positions = 100;
  puna_model* model = nullptr;
  const bool aligned = GENERATE(true, false);
  std::string storage = std::string(aligned ? 0 : 1, 'x') + bytes;  // from an odd address every tensor is copied first
  const char* const data = storage.data() + (aligned ? 0 : 1);
  auto plan = sized<puna_plan>();
  ok(puna_model_plan_memory(data, bytes.size(), &options, &plan));
  CHECK(plan.mapped_bytes == 0);
  check_plan(plan, options, [&](puna_context* context) {
    ok(puna_model_open_memory(context, data, bytes.size(), nullptr, &model));
    return ModelHandle(model);
  });
  if (aligned)
    CHECK(plan.load_peak_bytes < bytes.size() * 3 / 2);
  else
    CHECK(plan.load_peak_bytes > plan.weight_bytes + bytes.size() / 2);

  struct Archive {
    const std::string* bytes;
    uint64_t read = 0;
  } archive{&bytes};
  auto reader = sized<puna_reader>();
  reader.size = bytes.size();
  reader.user = &archive;
  reader.read_at = [](void* user, uint64_t offset, uint64_t n, void* to) -> int32_t {
    auto* a = static_cast<Archive*>(user);
    a->read += n;
    memcpy(to, a->bytes->data() + offset, n);
    return 0;
  };
  ok(puna_model_plan_reader(&reader, &options, &plan));
  CHECK(plan.mapped_bytes == 0);
  if (!smollm2().empty()) CHECK(archive.read < bytes.size() / 4);
  check_plan(plan, options, [&](puna_context* context) {
    ok(puna_model_open_reader(context, &reader, nullptr, &model));
    return ModelHandle(model);
  });
  options.packed_path = "x";
  refused(puna_model_plan_reader(&reader, &options, &plan), PUNA_INVALID_ARGUMENT, "packed");
}

TEST_CASE("a plan with a packed file counts it as mapped, and its matrices nowhere else", "[capi]") {
  const TempFolder folder;
  const std::string packed = folder / "model.packed";
  auto open_options = sized<puna_model_options>();
  open_options.packed_path = packed.c_str();
  open_options.no_vision = 1;  // an encoder is not packed
  auto options = sized<puna_plan_options>();
  options.positions = 50;
  options.no_vision = 1;
  const puna_plan plain = plan_of(chat_model(), options);
  options.packed_path = packed.c_str();
  const puna_plan plan = plan_of(chat_model(), options);
  for (int i = 0; i < 2; ++i) {  // made, and then found
    check_plan(plan, options, [&](puna_context* context) {
      puna_model* model = nullptr;
      ok(puna_model_open(context, chat_model().c_str(), &open_options, &model));
      return ModelHandle(model);
    });
    CHECK(plan.mapped_bytes == plain.mapped_bytes + std::filesystem::file_size(packed));
  }
  CHECK(plan.weight_bytes < plain.weight_bytes / 4);
}

TEST_CASE("a plan refuses what an open would refuse, and takes no memory of its own", "[capi]") {
  auto plan = sized<puna_plan>();
  auto options = sized<puna_plan_options>();
  refused(puna_model_plan("/no/such/model.gguf", nullptr, &plan), PUNA_IO, "/no/such/model.gguf");
  options.positions = -1;
  refused(puna_model_plan(chat_model().c_str(), &options, &plan), PUNA_INVALID_ARGUMENT, "positions");
  options = sized<puna_plan_options>();
  options.sessions = -1;
  refused(puna_model_plan(chat_model().c_str(), &options, &plan), PUNA_INVALID_ARGUMENT, "sessions");
  options = sized<puna_plan_options>();
  options.prefill_chunk = -1;
  refused(puna_model_plan(chat_model().c_str(), &options, &plan), PUNA_INVALID_ARGUMENT, "prefill_chunk");
  options = sized<puna_plan_options>();
  options.kv_type = 3;
  refused(puna_model_plan(chat_model().c_str(), &options, &plan), PUNA_INVALID_ARGUMENT, "kv_type");
  options.kv_type = PUNA_KV_Q8_0;
  options.exact = 1;
  refused(puna_model_plan(chat_model().c_str(), &options, &plan), PUNA_INVALID_ARGUMENT, "exact");
  CHECK(plan.total_bytes == 0);
}

TEST_CASE("the planned total is a memory limit that suffices; a byte less is an error that leaves everything as it was",
          "[capi]") {
  auto options = sized<puna_plan_options>();
  options.positions = 100;
  const puna_plan plan = plan_of(chat_model(), options);
  auto limited = sized<puna_context_options>();
  limited.memory_limit = plan.total_bytes;
  {
    const ContextHandle context = make_context(&limited);
    const SessionHandle session = make_session(open_model(chat_model(), context.get()));
    logits_after(session, some_tokens(100));
    CHECK(info_of(context).memory_peak == plan.total_bytes);
  }
  limited.memory_limit = plan.total_bytes - 1;
  {
    const ContextHandle context = make_context(&limited);
    const SessionHandle session = make_session(open_model(chat_model(), context.get()));
    const std::vector<float> before = logits_after(session, some_tokens(5));
    const uint64_t used = info_of(context).memory_used;
    const std::vector<int32_t> more = some_tokens(95, 3);
    ok(puna_session_truncate(session.get(), 0));
    const std::vector<int32_t> all = some_tokens(100);
    refused(puna_session_append(session.get(), all.data(), all.size(), nullptr, nullptr), PUNA_OUT_OF_MEMORY,
            "memory limit");
    CHECK(length(session) == 0);
    CHECK(info_of(context).memory_peak <= limited.memory_limit);
    CHECK(logits_after(session, some_tokens(5)) == before);
    CHECK(info_of(context).memory_used <= used + 0);
  }
  limited.memory_limit = plan.load_peak_bytes - 1;
  const ContextHandle context = make_context(&limited);
  puna_model* model = nullptr;
  refused(puna_model_open(context.get(), chat_model().c_str(), nullptr, &model), PUNA_OUT_OF_MEMORY, "memory limit");
  CHECK(model == nullptr);
  CHECK(info_of(context).memory_used == 0);
}
