// Adapters from C: PEFT's files, sessions with and without, fine-tuning with progress and cancel.
#include <puna_train.h>

#include <algorithm>

#include "capi/fixture.h"
#include "support/files.h"

using namespace puna::test;

namespace {

bool has_adapter(const Golden& g) { return g.has("logits_lora"); }

struct AdapterHandle {
  puna_adapter* p = nullptr;
  ~AdapterHandle() { puna_adapter_free(p); }
};

std::vector<float> logits_with(const ModelHandle& model, const puna_adapter* adapter, std::span<const int32_t> ids) {
  const SessionHandle session = make_session(model, /*exact=*/true);
  ok(puna_session_use_adapter(session.get(), adapter));
  return logits_after(session, std::vector<int32_t>(ids.begin(), ids.end()));
}

const std::string kLines = R"({"prompt": "one two", "completion": " three"}
{"prompt": "three four", "completion": " five"}
{"text": "six seven eight nine ten"}
)";

}  // namespace

TEST_CASE("an adapter of PEFT's changes the logits to PEFT's, and a saved one is the same", "[capi][golden]") {
  for (const Golden& g : goldens(has_adapter)) {
    CAPTURE(g.fixture());
    const ModelHandle model = open_model(g.folder() + "/base");
    const Npy input = g.array("input_ids");
    const std::vector<int64_t> wide = input.i64();
    const std::vector<int32_t> ids(wide.begin(), wide.begin() + input.shape[1]);  // the first sequence
    AdapterHandle adapter, again;
    ok(puna_adapter_open(model.get(), (g.folder() + "/adapter").c_str(), &adapter.p));
    const TempFolder folder;
    ok(puna_adapter_save(adapter.p, folder.path().c_str()));
    ok(puna_adapter_open(model.get(), folder.path().c_str(), &again.p));
    const std::vector<float> got = logits_with(model, adapter.p, ids), all = g.array("logits_lora").f32();
    const size_t vocab = got.size();
    check_close("logits_lora", got, {all.data() + (ids.size() - 1) * vocab, vocab}, g.tolerance("logits_lora"));
    CHECK(logits_with(model, again.p, ids) == got);
    CHECK(logits_with(model, nullptr, ids) != got);
  }
}

TEST_CASE("an adapter is changed in an empty session only, and is one model's", "[capi]") {
  const ModelHandle model = open_model(chat_model()), other = open_model(chat_model());
  auto options = sized<puna_finetune_options>();
  options.steps = 1;
  AdapterHandle adapter;
  ok(puna_model_finetune(model.get(), kLines.data(), kLines.size(), &options, &adapter.p));
  const SessionHandle session = make_session(model), other_session = make_session(other);
  refused(puna_session_use_adapter(other_session.get(), adapter.p), PUNA_INVALID_ARGUMENT, "another model");
  const int32_t id = 5;
  ok(puna_session_append(session.get(), &id, 1, nullptr, nullptr));
  refused(puna_session_use_adapter(session.get(), adapter.p), PUNA_WRONG_STATE, "empty");
  ok(puna_session_truncate(session.get(), 0));
  ok(puna_session_use_adapter(session.get(), adapter.p));
  refused(puna_adapter_open(model.get(), "/nowhere", &adapter.p), PUNA_IO, "/nowhere");
}

TEST_CASE("fine-tuning reports each step, lowers the loss, repeats itself and can be stopped", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  struct Seen {
    std::vector<puna_finetune_report> reports;
    int64_t stop_at = 0;
  };
  const auto progress = [](void* user, const puna_finetune_report* r) -> int32_t {
    auto* const seen = static_cast<Seen*>(user);
    seen->reports.push_back(*r);
    return r->step == seen->stop_at;
  };
  auto options = sized<puna_finetune_options>();
  options.learning_rate = 2e-2;
  options.steps = 12;
  options.rank = 4;
  options.targets = "all";
  options.progress = progress;
  Seen seen;
  options.progress_user = &seen;
  AdapterHandle first, second;
  ok(puna_model_finetune(model.get(), kLines.data(), kLines.size(), &options, &first.p));
  REQUIRE(seen.reports.size() == 12);
  CHECK(seen.reports.back().loss < seen.reports.front().loss);
  CHECK((seen.reports[0].step == 1 && seen.reports[0].steps == 12 && seen.reports[0].tokens > 0));
  ok(puna_model_finetune(model.get(), kLines.data(), kLines.size(), &options, &second.p));
  const std::vector<int32_t> ids = some_tokens(9);
  CHECK(logits_with(model, first.p, ids) == logits_with(model, second.p, ids));

  seen = {{}, 3};
  puna_adapter* none = nullptr;
  refused(puna_model_finetune(model.get(), kLines.data(), kLines.size(), &options, &none), PUNA_CANCELLED,
          "step 3 of 12");
  CHECK(none == nullptr);
  const std::string bad = "{\"prompt\": \"x\"}";
  refused(puna_model_finetune(model.get(), bad.data(), bad.size(), &options, &none), PUNA_BAD_FILE, "line 1");
  refused(puna_model_finetune(model.get(), nullptr, 0, &options, &none), PUNA_INVALID_ARGUMENT, "nothing to learn");
  options.targets = "no_such_proj";
  refused(puna_model_finetune(model.get(), kLines.data(), kLines.size(), &options, &none), PUNA_INVALID_ARGUMENT,
          "no_such_proj");
}

TEST_CASE("fine-tuning reads the usual forms of rows and logs unused columns", "[capi]") {
  std::vector<std::string> told;
  auto listening = sized<puna_context_options>();
  listening.log = [](void* user, int32_t, const char* message) {
    static_cast<std::vector<std::string>*>(user)->push_back(message);
  };
  listening.log_user = &told;
  const ContextHandle context = make_context(&listening);
  const ModelHandle model = open_model(chat_model(), context.get());
  auto options = sized<puna_finetune_options>();
  options.steps = 1;
  const auto finetune = [&](const std::string& rows) {
    AdapterHandle adapter;
    told.clear();
    const puna_status status = puna_model_finetune(model.get(), rows.data(), rows.size(), &options, &adapter.p);
    CHECK((status == PUNA_OK) == (adapter.p != nullptr));
    return status;
  };
  ok(finetune(R"([{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}], "id": 7},
                  {"instruction": "a", "input": "", "output": "b", "source": "x"}, {"prompt": "a", "completion": "b"}])"));
  const auto said = [&](const char* words) {
    return std::any_of(told.begin(), told.end(), [&](const std::string& m) { return m.find(words) != m.npos; });
  };
  CHECK((said("columns not used: id, source") && said("Alpaca's rows became chats")));
  ok(finetune(R"({"prompt": "a", "completion": "b"})"));
  CHECK(told.empty());
  const std::string misspelt = R"({"mesages": []})", packed = "\x1F\x8B\x08";
  puna_adapter* none = nullptr;
  refused(puna_model_finetune(model.get(), misspelt.data(), misspelt.size(), &options, &none), PUNA_BAD_FILE,
          "did you mean 'messages'");
  refused(puna_model_finetune(model.get(), packed.data(), packed.size(), &options, &none), PUNA_UNSUPPORTED, "gzip");
  options.parse_content = 2;
  refused(puna_model_finetune(model.get(), misspelt.data(), misspelt.size(), &options, &none), PUNA_INVALID_ARGUMENT,
          "parse_content");
  CHECK(none == nullptr);
}
