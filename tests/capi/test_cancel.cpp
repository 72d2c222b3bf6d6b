// A cancel takes effect everywhere: while a header, a tokenizer or a chat is read, in a prompt's text, within a
// step of fine-tuning. How fast is for people to read: `./dev latency`.
#include <puna_train.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace test_cancel {
namespace {

std::string long_chat(int messages) {
  std::string json = R"({"add_generation_prompt": true, "messages": [)";
  for (int i = 0; i < messages; ++i)
    json += std::string(i ? "," : "") + R"({"role": ")" + (i % 2 ? "assistant" : "user") + R"(", "content": "said"})";
  return json + "]}";
}

// Says no to question `no`, counted from 1; 0 = never.
struct Host {
  int no = 0;
  std::atomic<int> asked{0};
  bool throws = false;
  static int32_t watch(void* user) {
    auto* self = static_cast<Host*>(user);
    const int n = ++self->asked;
    if (self->throws) throw std::runtime_error("from watch");
    return n == self->no;
  }
};

const std::string kExamples = R"({"prompt": "one two", "completion": " three"}
{"text": "six seven eight nine ten"}
)";

}  // namespace

TEST_CASE("a load asks while it reads the header and builds the tokenizer, with the numbers of before", "[capi]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2 is not in the model cache");
  struct Calls {
    int before = 0, after = 0, stop_after = -1;
    uint64_t total = 0;
    static int32_t report(void* user, uint64_t done, uint64_t total) {
      auto* self = static_cast<Calls*>(user);
      if (self->total == 0 && total == 1) {
        CHECK(done == 0);
        return ++self->before == self->stop_after;
      }
      if (self->total != 0 && total > 1) CHECK(total == self->total);
      self->total = total;
      return done == total && ++self->after == self->stop_after;
    }
  };
  const auto open = [](Calls& calls) {
    auto o = sized<puna_model_options>();
    o.progress = Calls::report;
    o.progress_user = &calls;
    puna_model* model = nullptr;
    const puna_status status = puna_model_open(nullptr, smollm2().c_str(), &o, &model);
    CHECK((model != nullptr) == (status == PUNA_OK));
    puna_model_free(model);
    return status;
  };
  Calls all;
  CHECK(open(all) == PUNA_OK);
  CHECK(all.after > 4);  // the last matrix, and then the tokenizer's 49,152 tokens
  Calls early;
  early.stop_after = 2;  // in the header, when that takes two milliseconds, or among the tokens
  CHECK(open(early) == PUNA_CANCELLED);
  Calls late;
  late.stop_after = all.after / 2;
  CHECK(open(late) == PUNA_CANCELLED);
}

TEST_CASE("a chat is rendered with a watch, and cancelled by it", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const std::string chat = long_chat(30), longer = long_chat(20000);
  auto options = sized<puna_chat_options>();
  options.date = "2026-01-02";
  Host host;
  options.watch = Host::watch;
  options.watch_user = &host;
  const Chat watched(model, chat, &options), unwatched(model, chat);
  CHECK(watched.text() == unwatched.text());
  host.asked = 0;
  ok(render(model, longer, &options));
  const int asked = host.asked;
  CHECK(asked > 2);
  for (const int no : {1, asked / 2}) {
    host.no = no;
    host.asked = 0;
    refused(render(model, longer, &options), PUNA_CANCELLED, "asked to stop");
    CHECK(host.asked == no);
  }
  host.throws = true;
  refused(render(model, longer, &options), PUNA_INTERNAL, "from watch");
  options.reserved = 1;
  refused(render(model, chat, &options), PUNA_UNSUPPORTED, "reserved");
}

TEST_CASE("a prompt's text is left when its session is cancelled, and the session goes on", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  std::string text;
  while (text.size() < 4 << 20) text += "some words that take a while ";
  ok(puna_session_cancel(session.get()));
  refused(puna_session_generate(session.get(), text.data(), text.size(), nullptr, nullptr, nullptr, nullptr),
          PUNA_CANCELLED, "asked to stop");
  CHECK(length(session) == 0);
  logits_after(session, some_tokens(3));  // that cancel is spent
}

TEST_CASE("fine-tuning is cancelled within a step, on any executor", "[capi]") {
  auto context_options = sized<puna_context_options>();
  const bool own = GENERATE(true, false);
  if (!own) {  // threads that are never the caller's
    context_options.executor_threads = 2;
    context_options.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
      std::thread([&] {
        for (int64_t i = 0; i < n; ++i) task(data, i);
      }).join();
    };
  }
  const ContextHandle context = make_context(&context_options);
  const ModelHandle model = open_model(chat_model(), context.get());
  Host host;
  auto options = sized<puna_finetune_options>();
  options.steps = 1;
  options.watch = Host::watch;
  options.watch_user = &host;
  puna_adapter* adapter = nullptr;
  ok(puna_model_finetune(model.get(), kExamples.data(), kExamples.size(), &options, &adapter));
  puna_adapter_free(adapter);
  adapter = nullptr;
  CHECK(host.asked > 0);
  host.asked = 0;
  host.no = 1;  // the first question of a run of one step is asked inside it
  refused(puna_model_finetune(model.get(), kExamples.data(), kExamples.size(), &options, &adapter), PUNA_CANCELLED, "");
  CHECK(host.asked == 1);
  CHECK(adapter == nullptr);
  host.throws = true;
  refused(puna_model_finetune(model.get(), kExamples.data(), kExamples.size(), &options, &adapter), PUNA_INTERNAL,
          "from watch");
  logits_after(make_session(model), some_tokens(3));
}

}  // namespace test_cancel
