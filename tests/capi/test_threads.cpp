// Everything that may happen at once on one model, at once: what ThreadSanitizer is shown (`./dev tsan`). Every thread
// checks its own bits.
#include <puna_train.h>
#include <puna_vision.h>

#include <atomic>
#include <functional>
#include <thread>

#include "capi/fixture.h"

using namespace puna::test;

namespace test_threads {
namespace {

const std::string kExamples = R"({"prompt": "one two", "completion": " three"})";

// Catch2's assertions are for one thread: threads count what went wrong.
class Workers {
 public:
  void add(std::function<bool()> work) {
    threads_.emplace_back([this, work = std::move(work)] {
      for (int round = 0; round < 3; ++round)
        if (!work()) ++wrong_;
    });
  }
  int join() {
    for (std::thread& t : threads_) t.join();
    return wrong_;
  }

 private:
  std::atomic<int> wrong_{0};
  std::vector<std::thread> threads_;
};

struct Session {
  puna_session* s = nullptr;
  explicit Session(const puna_model* model) { puna_session_create(model, nullptr, &s); }
  explicit Session(puna_session* made) : s(made) {}
  ~Session() { puna_session_free(s); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  std::vector<float> after(const std::vector<int32_t>& ids) const {
    if (puna_session_append(s, ids.data(), ids.size(), nullptr, nullptr) != PUNA_OK) return {};
    return current();
  }
  std::vector<float> current() const {
    const float* data = nullptr;
    size_t n = 0;
    if (puna_session_get_logits(s, &data, &n) != PUNA_OK) return {};
    return {data, data + n};
  }
};

}  // namespace

TEST_CASE("sessions, forks, batches, cancels, adapters, images and fine-tuning share a model in parallel", "[capi]") {
  auto options = sized<puna_context_options>();
  options.threads = 3;
  if (GENERATE(false, true)) {  // the host's threads instead
    options.executor_threads = 2;
    options.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
      std::atomic<int64_t> next{0};
      const auto work = [&] {
        for (int64_t i; (i = next++) < n;) task(data, i);
      };
      std::thread other(work);
      work();
      other.join();
    };
  }
  const ContextHandle context = make_context(&options);
  const ModelHandle handle = open_model(chat_model(), context.get());
  const puna_model* const model = handle.get();
  const std::vector<int32_t> prompt = some_tokens(40), more = some_tokens(7, 3), other = some_tokens(11, 5);
  const std::vector<float> want = Session(model).after(prompt), want_other = Session(model).after(other);
  Session whole(model);
  whole.after(prompt);
  const std::vector<float> want_more = whole.after(more);
  auto finetune = sized<puna_finetune_options>();
  finetune.steps = 1;
  finetune.learning_rate = 0.1;
  std::atomic<int> asked{0};
  finetune.watch = [](void* user) -> int32_t { return ++*static_cast<std::atomic<int>*>(user) < 0; };
  finetune.watch_user = &asked;
  puna_adapter* adapter = nullptr;
  ok(puna_model_finetune(model, kExamples.data(), kExamples.size(), &finetune, &adapter));
  const auto adapted = [&](const puna_adapter* with) {
    const Session s(model);
    return puna_session_use_adapter(s.s, with) == PUNA_OK ? s.after(prompt) : std::vector<float>();
  };
  const std::vector<float> want_adapted = adapted(adapter);

  Workers workers;
  workers.add([&] {  // a fork goes on in another thread, over the same pages
    const Session a(model);
    if (a.after(prompt) != want) return false;
    puna_session* copy = nullptr;
    if (puna_session_fork(a.s, &copy) != PUNA_OK) return false;
    bool same = false;
    std::thread thread([&] {
      const Session fork(copy);
      same = fork.after(more) == want_more;
    });
    const bool mine = a.after(more) == want_more;
    thread.join();
    return mine && same;
  });
  workers.add([&] {
    const Session a(model), b(model);
    puna_session* const both[] = {a.s, b.s};
    const int32_t* const lists[] = {prompt.data(), other.data()};
    const size_t counts[] = {prompt.size(), other.size()};
    int32_t finished = puna_session_begin_batch(both, lists, counts, 2) != PUNA_OK;
    while (!finished)
      if (puna_session_step(b.s, 200, &finished) != PUNA_OK) return false;
    return a.current() == want && b.current() == want_other;
  });
  workers.add([&] {
    const Session s(model);
    std::thread canceller([&] { puna_session_cancel(s.s); });
    const puna_status status = puna_session_append(s.s, prompt.data(), prompt.size(), nullptr, nullptr);
    canceller.join();
    if (status == PUNA_OK && s.current() != want) return false;
    puna_session_truncate(s.s, 0);
    const std::vector<float> again = s.after(prompt);  // empty when the cancel came too late for the first
    return again == want || (again.empty() && s.after(prompt) == want);
  });
  workers.add([&] { return adapted(adapter) == want_adapted && adapted(nullptr) == want; });
  workers.add([&] {
    puna_adapter* made = nullptr;
    if (puna_model_finetune(model, kExamples.data(), kExamples.size(), &finetune, &made) != PUNA_OK) return false;
    const bool same = adapted(made) == want_adapted;
    puna_adapter_free(made);
    return same;
  });
  auto info = sized<puna_model_info>();
  ok(puna_model_get_info(model, &info));
  std::vector<uint8_t> picture(size_t(info.image_tile) * size_t(info.image_tile) * 3);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = uint8_t(i * 7);
  std::vector<float> features[2];
  for (std::vector<float>& mine : features) {
    if (info.image_tile == 0) break;
    workers.add([&, out = &mine] {
      puna_image* image = nullptr;
      auto i = sized<puna_image_info>();
      if (puna_image_create(model, picture.data(), info.image_tile, info.image_tile, 0, &image) != PUNA_OK)
        return false;
      bool good = puna_image_get_info(image, &i) == PUNA_OK;
      const float* rows = nullptr;
      size_t count = 0;
      good = good && puna_image_encode(image, &rows, &count) == PUNA_OK;
      if (good) out->assign(rows, rows + count);
      puna_image_free(image);
      return good;
    });
  }
  CHECK(workers.join() == 0);
  CHECK(features[0] == features[1]);
  CHECK(asked > 0);
  puna_adapter_free(adapter);
}

}  // namespace test_threads
