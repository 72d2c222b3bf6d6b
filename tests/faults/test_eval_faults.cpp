// Memory that runs out anywhere in an evaluation, a comparison or a life of labels, and callbacks that end it there:
// the call says so, the handle is as before, no answer is lost or told twice, and called again all comes out the same.
#include <puna_eval.h>
#include <puna_label.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <stdexcept>

#include "capi/fixture.h"
#include "faults/failing_allocator.h"
#include "faults/failing_heap.h"

using namespace puna::test;

namespace test_eval_faults {
namespace {

uint64_t hash_of(const void* bytes, size_t count) {
  return std::hash<std::string_view>()({static_cast<const char*>(bytes), count});
}

// What a life was told. A call that runs out of memory is made once more.
struct Told {
  puna_status status = PUNA_OK;
  uint64_t sum = 0;               // of the hashes of all results, in any order
  int ran_out = 0;                // calls that ran out of memory
  const char* changed = nullptr;  // the call that failed and left its handle otherwise than it was

  void add(const void* bytes, size_t count) { sum += hash_of(bytes, count); }
  void add(double number) { add(&number, sizeof number); }
  void add(std::string_view text) { add(text.data(), text.size()); }

  template <class Call, class AsBefore>
  void call(const char* what, const Call& make, const AsBefore& as_before) {
    if (status != PUNA_OK) return;
    status = make();
    if (status != PUNA_OUT_OF_MEMORY) return;
    ran_out_in(what, as_before());
    status = make();
  }
  void ran_out_in(const char* what, bool as_before) {
    ++ran_out;
    if (!as_before) changed = what;
  }
  bool operator==(const Told& o) const { return status == o.status && sum == o.sum; }
};

std::string_view text_of(const puna_buffer* buffer) {
  return {static_cast<const char*>(puna_buffer_data(buffer)), puna_buffer_size(buffer)};
}

struct Buffer {
  puna_buffer* handle = nullptr;
  ~Buffer() { puna_buffer_free(handle); }
  void create(Told& told) {
    told.call(
        "a buffer", [&] { return puna_buffer_create(&handle); }, [&] { return handle == nullptr; });
  }
  // A call that fills it.
  template <class Call>
  void fill(Told& told, const char* what, const Call& make) {
    const uint64_t before = handle ? hash_of(puna_buffer_data(handle), puna_buffer_size(handle)) : 0;
    told.call(what, make, [&] { return before == hash_of(puna_buffer_data(handle), puna_buffer_size(handle)); });
  }
};

// Allocation 0 of a life fails, then each one, or samples that lie further and further apart, until a life sees none
// fail. may_do_without: what fails may be something that it can do without. Returns how many failed.
template <class Live>
int sweep(const Live& live, bool each, bool may_do_without, const std::function<void(int64_t)>& arm,
          const std::function<bool(bool*)>& disarm, const std::function<int64_t()>& blocks) {
  live();  // static tables are made now
  const Told want = live();
  INFO(puna_status_name(want.status) << ": " << puna_last_error());
  REQUIRE(want.status == PUNA_OK);
  const int64_t before = blocks();
  int failures = 0;
  for (int64_t n = 0;; n += (each ? 1 : 1 + n / 16) * kOneIn, ++failures) {
    bool optional = false;
    arm(n);
    const Told told = live();
    const bool failed = disarm(&optional);
    if (told.changed) FAIL("allocation " << n << " failed, and " << told.changed << " was not as before");
    if (!(told == want))
      FAIL("allocation " << n << " changed what came out: " << puna_status_name(told.status) << ": "
                         << puna_last_error());
    if (!failed) break;
    if (told.ran_out == 0 && !optional && !may_do_without) FAIL("allocation " << n << " failed and nobody said so");
    if (blocks() != before) live();  // a cache of the model may hold what the failed call left there
    if (blocks() != before) FAIL("allocation " << n << ": " << blocks() - before << " blocks were not given back");
  }
  return failures * kOneIn;
}

template <class Live>
int sweep_heap(const Live& live, bool each = false, bool may_do_without = false) {
  return sweep(live, each, may_do_without, arm_heap, disarm_heap, live_blocks);
}

ModelHandle open_chat_model(FailingAllocator* allocator = nullptr) {
  auto options = sized<puna_context_options>();
  options.threads = 1;
  if (allocator) {
    options.alloc = FailingAllocator::alloc;
    options.dealloc = FailingAllocator::dealloc;
    options.alloc_user = allocator;
  }
  return open_model(chat_model(), make_context(&options).get());
}

// ---- evaluations

struct Asked {
  const char* task;
  const char* items;
  puna_evaluation_options options = sized<puna_evaluation_options>();
  std::string restored = {};  // an answer of an earlier run
};

Asked choices() {
  Asked a{R"({"task": "c", "output_type": "multiple_choice", "num_fewshot": 1, "description": "Say which.",
              "doc_to_text": "{{q}}\nA:", "doc_to_choice": "{{options}}", "doc_to_target": "right"})",
          R"({"q": "Who?", "options": ["Emma", "it's \"she\""], "right": 1, "group": "x", "more": [1, {"a": [2, 3]}]}
             {"q": "Where?", "options": ["In Bath", "Lyme"], "right": 0, "group": "y"}
             {"q": "When?", "options": ["now", "in the evening"], "right": 0, "group": "x"})"};
  a.options.cluster = "group";
  return a;
}

Asked chat_choices() {
  Asked a = choices();
  a.options.chat = 1;
  a.options.multiturn = 1;
  a.options.system = "Be brief.";
  a.options.date = "2026-11-22";
  a.options.name = "m";
  a.options.limit = 2;
  a.options.cluster = nullptr;
  return a;
}

Asked likelihoods() {
  return {R"({"task": "l", "output_type": "loglikelihood", "doc_to_text": "a", "doc_to_target": " {{b}}"})",
          R"([{"a": "Up", "b": "down"}, {"a": "Ups", "b": "and"}, {"a": "He", "b": "she"}, {"a": "I", "b": "it"}])"};
}

Asked windows() {
  Asked a{R"({"task": "r", "output_type": "loglikelihood_rolling", "doc_to_target": "{{text}}"})",
          R"({"text": "It was a fine morning, and she walked."} {"text": "She had been there for an hour."})"};
  a.options.max_positions = 16;
  return a;
}

Asked texts() {
  return {R"({"task": "g", "doc_to_text": "{{start}}", "doc_to_target": "{{[end, 'x']}}", "repeats": 2,
              "metric_list": [{"metric": "exact_match", "ignore_case": true}, {"metric": "f1"}],
              "generation_kwargs": {"until": ["."], "max_gen_toks": 4, "temperature": 0.8},
              "filter_list": [{"name": "first", "filter": [{"function": "take_first"}]},
                {"name": "vote", "filter": [{"function": "lowercase"}, {"function": "majority_vote"}]}]})",
          R"({"start": "It was", "end": "x"} {"start": "She had", "end": "y"} {"start": "He", "end": "z"}
             {"start": "We", "end": "z"})"};
}

// Hears answers; stops or throws at one of them.
struct Listener {
  int64_t count = 0, stops_at = -1, throws_at = -1;
  uint64_t sum = 0;
  std::string* first = nullptr;
  static int32_t hear(void* user, const char* json, size_t bytes) {
    auto* self = static_cast<Listener*>(user);
    self->sum += hash_of(json, bytes);
    if (self->first && self->count == 0) self->first->assign(json, bytes);
    if (++self->count == self->throws_at) throw std::runtime_error("from on_answer");
    return self->count == self->stops_at;
  }
};

struct Evaluation {
  puna_evaluation* handle = nullptr;
  ~Evaluation() { puna_evaluation_free(handle); }
  puna_evaluation_info info() const {
    auto info = sized<puna_evaluation_info>();
    puna_evaluation_get_info(handle, &info);
    return info;
  }
  puna_status create(const puna_model* model, const Asked& a) {
    return puna_evaluation_create(model, a.task, strlen(a.task), a.items, strlen(a.items), nullptr, 0, &a.options,
                                  &handle);
  }
  puna_status run(Listener& listener) { return puna_evaluation_run(handle, Listener::hear, &listener); }
};

Told evaluate(const puna_model* model, const Asked& asked) {
  Told told;
  Evaluation e;
  Buffer out;
  Listener heard;
  const auto all_told = [&] { return e.info().answered == heard.count; };
  told.call(
      "creating an evaluation", [&] { return e.create(model, asked); }, [&] { return e.handle == nullptr; });
  out.create(told);
  if (told.status != PUNA_OK) return told;
  told.add(double(e.info().fingerprint));
  int32_t taken = 0;
  told.call(
      "restoring an answer",
      [&] { return puna_evaluation_restore(e.handle, asked.restored.data(), asked.restored.size(), &taken); },
      all_told);
  heard.count += taken;
  heard.sum += hash_of(asked.restored.data(), asked.restored.size());
  // Two runs that are ended; when memory ends one instead, the next goes on as well.
  const auto stopped = [&](const char* what) {
    const puna_status status = e.run(heard);
    heard.stops_at = -1;
    if (status == PUNA_OUT_OF_MEMORY)
      told.ran_out_in(what, all_told());
    else if (status != PUNA_CANCELLED && told.status == PUNA_OK)
      told.status = status == PUNA_OK ? PUNA_INTERNAL : status;
    if (!all_told()) told.changed = what;
  };
  puna_evaluation_cancel(e.handle);
  stopped("a cancelled run");
  heard.stops_at = heard.count + 1;
  stopped("a stopped run");
  told.call(
      "a run", [&] { return e.run(heard); }, all_told);
  told.sum += heard.sum;
  out.fill(told, "a result", [&] { return puna_evaluation_result(e.handle, out.handle); });
  told.add(text_of(out.handle).substr(0, text_of(out.handle).find("\"seconds\":")));
  out.fill(told, "samples", [&] { return puna_evaluation_samples(e.handle, out.handle); });
  told.add(text_of(out.handle));
  out.fill(told, "a report", [&] { return puna_evaluation_report(e.handle, out.handle); });
  told.add(double(text_of(out.handle).ends_with("</html>\n")));
  return told;
}

// Its first answer is there already. False: this build has no evaluation.
bool prepare(const ModelHandle& model, Asked& asked) {
  Evaluation e;
  const puna_status made = e.create(model.get(), asked);
  if (made == PUNA_UNSUPPORTED) return false;
  ok(made);
  Listener first;
  first.first = &asked.restored;
  ok(e.run(first));
  return true;
}

std::string samples_of(const ModelHandle& model, const Asked& asked) {
  Evaluation e;
  Listener heard;
  const Output lines;
  ok(e.create(model.get(), asked));
  ok(e.run(heard));
  ok(puna_evaluation_samples(e.handle, lines));
  return lines.text();
}

void sweep_evaluation(Asked asked, int at_least, bool each = false) {
  const ModelHandle model = open_chat_model();
  if (!prepare(model, asked)) return;
  // If it must, an engine does without a prefix cache, and a list without giving back room.
  constexpr bool kMayDoWithout = true;
  CHECK(sweep_heap([&] { return evaluate(model.get(), asked); }, each, kMayDoWithout) > at_least);

  FailingAllocator allocator;
  const ModelHandle other = open_chat_model(&allocator);
  const int failures = sweep([&] { return evaluate(other.get(), asked); }, /*each=*/true, kMayDoWithout,
                             [&](int64_t n) {
                               allocator.failed = false;
                               allocator.countdown = n;
                             },
                             [&](bool*) {
                               allocator.countdown = -1;
                               return allocator.failed;
                             },
                             [&] { return allocator.live.load(); });
  CHECK(failures > 2);
}

// ---- scores of continuations, comparisons

Told score(const puna_model* model) {
  const int32_t tokens[] = {5, 6, 7, 8, 9, 10, 5, 6, 7, 8, 3, 5, 6, 7, 8, 9, 10, 11, 12};
  const uint64_t lengths[] = {6, 5, 8}, scored[] = {3, 1, 7};
  double sums[] = {1, 1, 1};  // no log-likelihood is above 0
  int32_t greedy[] = {-1, -1, -1};
  Told told;
  told.call(
      "a score", [&] { return puna_model_score(model, tokens, lengths, scored, 3, nullptr, sums, greedy); },
      [&] { return std::equal(sums, sums + 3, greedy, [](double s, int32_t g) { return (s > 0) == (g < 0); }); });
  told.add(sums, sizeof sums);
  told.add(greedy, sizeof greedy);
  return told;
}

Told compare(const std::string& a, const std::string& b, const puna_compare_options& options) {
  Told told;
  Buffer out;
  out.create(told);
  out.fill(told, "a comparison",
           [&] { return puna_compare_samples(a.data(), a.size(), b.data(), b.size(), &options, out.handle); });
  told.add(text_of(out.handle));
  return told;
}

// ---- labels

constexpr const char* kAnswers[][3] = {{"review-1", "ann", "1"},
                                       {"review-1", "bob", "1"},
                                       {"review-1", "a worker with a long name", "2"},
                                       {"an item with quite a long name", "ann", "2"},
                                       {"review-2", "bob", "3"},
                                       {"review-2", "ann", "3"},
                                       {"review-2", "a worker with a long name", "1"},
                                       {"an item with quite a long name", "bob", "2"},
                                       {"review-2", "ann", "1"}};

struct Labels {
  puna_answers* answers = nullptr;
  puna_inference* inference = nullptr;
  ~Labels() {
    puna_answers_free(answers);
    puna_inference_free(inference);
  }
  puna_answers_info info() const {
    auto info = sized<puna_answers_info>();
    puna_answers_get_info(answers, &info);
    return info;
  }
};

Told label() {
  Told told;
  Labels l;
  told.call(
      "creating answers", [&] { return puna_answers_create(&l.answers); }, [&] { return l.answers == nullptr; });
  if (told.status != PUNA_OK) return told;
  auto known = sized<puna_answers_info>();
  const auto as_before = [&] {
    const puna_answers_info now = l.info();
    return memcmp(&now, &known, sizeof now) == 0;
  };
  const auto change = [&](const char* what, const auto& make) {
    const char* name = nullptr;  // what was given lives on when a change fails
    if (known.items > 0)
      told.call(
          "a name", [&] { return puna_answers_get_name(l.answers, PUNA_NAME_ITEM, 0, &name); },
          [&] { return name == nullptr; });
    const int64_t blocks = live_blocks();
    told.call(what, make, [&] { return live_blocks() >= blocks && as_before(); });
    told.call(
        "the sizes", [&] { return puna_answers_get_info(l.answers, &known); }, [] { return true; });
  };
  for (const auto& [item, worker, answer] : kAnswers)
    change("an answer", [&, i = item, w = worker, a = answer] { return puna_answers_add(l.answers, i, w, a); });
  change("gold", [&] { return puna_answers_set_gold(l.answers, "review-1", "1"); });
  change("truth", [&] { return puna_answers_set_truth(l.answers, "review-2", "4"); });
  change("gold of a new item", [&] { return puna_answers_set_gold(l.answers, "review-3", "5"); });
  told.add(&known, sizeof known);
  for (const int32_t measure :
       {PUNA_MEASURE_NOMINAL, PUNA_MEASURE_ORDINAL, PUNA_MEASURE_INTERVAL, PUNA_MEASURE_RATIO}) {
    auto alpha = sized<puna_alpha>();
    told.call(
        "alpha", [&] { return puna_answers_get_alpha(l.answers, measure, &alpha); }, as_before);
    told.add(alpha.alpha);
  }
  for (int32_t method = PUNA_INFER_DAWID_SKENE; method <= PUNA_INFER_GLAD; ++method) {
    auto options = sized<puna_infer_options>();
    options.method = method;
    options.iterations = 20;
    puna_inference_free(l.inference);
    l.inference = nullptr;
    told.call(
        "an inference", [&] { return puna_answers_infer(l.answers, &options, &l.inference); },
        [&] { return l.inference == nullptr && as_before(); });
    auto info = sized<puna_inference_info>();
    told.call(
        "its sizes", [&] { return puna_inference_get_info(l.inference, &info); }, [] { return true; });
    double posterior[8] = {}, sure = 0;
    const char* name = nullptr;
    for (int64_t i = 0; i < info.items; ++i) {
      puna_inference_get_label(l.inference, i, &name, &sure);
      puna_inference_get_posterior(l.inference, i, posterior, 8);
      told.add(std::string_view(name ? name : ""));
      told.add(posterior, sizeof posterior);
    }
    for (int64_t w = 0; w < info.workers; ++w) {
      puna_inference_get_worker(l.inference, w, &sure);
      told.add(sure);
    }
  }
  return told;
}

Told find() {
  const char* said[] = {"The plate was cold, and we waited long.", "Fine bread.",
                        "the plate was cold and we waited long", "We walked to the sea and back again in the rain."};
  const char* documents[] = {"nothing", "so THE plate was cold, and we waited long again, by the sea",
                             "She said: we walked to the sea and back again in the rain."};
  int64_t group[] = {-7, -7, -7, -7}, document[] = {-7, -7, -7, -7};
  const auto untouched = [](const int64_t* found) { return std::count(found, found + 4, -7) == 4; };
  Told told;
  told.call(
      "duplicates", [&] { return puna_find_duplicates(said, nullptr, 4, nullptr, group); },
      [&] { return untouched(group); });
  told.call(
      "contamination",
      [&] { return puna_find_contaminated(said, nullptr, 4, documents, nullptr, 3, nullptr, document); },
      [&] { return untouched(document); });
  told.add(group, sizeof group);
  told.add(document, sizeof document);
  return told;
}

bool has_labels() {
  Labels l;
  return puna_answers_create(&l.answers) == PUNA_OK;
}

}  // namespace

TEST_CASE("memory may run out anywhere in an evaluation of choices: no answer is lost or told twice", "[faults]") {
  sweep_evaluation(choices(), 50);
}
TEST_CASE("memory may run out anywhere in an evaluation by chat", "[faults]") { sweep_evaluation(chat_choices(), 50); }
TEST_CASE("memory may run out anywhere in an evaluation of likelihoods", "[faults]") {
  sweep_evaluation(likelihoods(), 50);
}
TEST_CASE("memory may run out anywhere in an evaluation of rolling windows", "[faults]") {
  sweep_evaluation(windows(), 50);
}
TEST_CASE("memory may run out anywhere in an evaluation of texts", "[faults]") { sweep_evaluation(texts(), 50); }

TEST_CASE("every allocation of evaluations fails once", "[faults][slow]") {
  for (const Asked& asked : {choices(), chat_choices(), likelihoods(), windows(), texts()})
    sweep_evaluation(asked, 1000, /*each=*/true);
}

TEST_CASE("every allocation of scored continuations fails once: what was not computed is not touched", "[faults]") {
  const ModelHandle model = open_chat_model();
  CHECK(sweep_heap([&] { return score(model.get()); }, /*each=*/true) > 30);
}

TEST_CASE("memory may run out anywhere in a comparison of samples: the buffer is as before", "[faults]") {
  const ModelHandle model = open_chat_model();
  Asked asked = choices();
  if (!prepare(model, asked)) return;
  const std::string a = samples_of(model, asked);
  std::string b = a;
  for (size_t at = 0; (at = b.find("\"acc\":1.0", at)) != b.npos; ++at) b.replace(at, 9, "\"acc\":0.0");
  auto options = sized<puna_compare_options>();
  options.draws = 100;
  CHECK(sweep_heap([&] { return compare(a, b, options); }) > 50);
  options.metric = "acc_norm";
  options.cluster = "group";
  CHECK(sweep_heap([&] { return compare(a, b, options); }) > 50);
}

TEST_CASE("memory may run out anywhere in a life of labels: the answers are as before", "[faults]") {
  if (has_labels()) CHECK(sweep_heap(label) > 50);
}
TEST_CASE("every allocation of a life of labels fails once", "[faults][slow]") {
  if (has_labels()) CHECK(sweep_heap(label, /*each=*/true) > 500);
}

TEST_CASE("memory may run out anywhere while texts are searched for others", "[faults]") {
  if (has_labels()) CHECK(sweep_heap(find) > 30);
}

TEST_CASE("an evaluation that is ended at any answer goes on behind it", "[faults]") {
  const ModelHandle model = open_chat_model();
  for (Asked asked : {likelihoods(), texts()}) {
    if (!prepare(model, asked)) return;
    Evaluation whole;
    Listener all;
    ok(whole.create(model.get(), asked));
    ok(whole.run(all));
    for (int64_t n = 1; n <= all.count; ++n)
      for (const bool throws : {false, true}) {
        CAPTURE(n, throws);
        Evaluation e;
        Listener heard;
        ok(e.create(model.get(), asked));
        (throws ? heard.throws_at : heard.stops_at) = n;
        CHECK(e.run(heard) == (throws ? PUNA_INTERNAL : PUNA_CANCELLED));
        if (throws) CHECK_THAT(puna_last_error(), Catch::Matchers::Contains("from on_answer"));
        CHECK(heard.count == n);
        CHECK(e.info().answered == n);
        ok(e.run(heard));
        CHECK(heard.count == all.count);
        CHECK(heard.sum == all.sum);
      }
  }
}

TEST_CASE("a host that cancels an evaluation when it hears an answer has heard that answer", "[faults]") {
  const ModelHandle model = open_chat_model();
  Asked asked = likelihoods();
  if (!prepare(model, asked)) return;
  struct Host {
    Evaluation e;
    int64_t count = 0;
  } host;
  ok(host.e.create(model.get(), asked));
  const auto hear = [](void* user, const char*, size_t) -> int32_t {
    auto* h = static_cast<Host*>(user);
    ++h->count;
    puna_evaluation_cancel(h->e.handle);
    return 0;
  };
  const int64_t requests = host.e.info().requests;
  for (int64_t n = 1; n <= requests; ++n) {
    CHECK(puna_evaluation_run(host.e.handle, hear, &host) == PUNA_CANCELLED);
    CHECK(host.count == n);
    CHECK(host.e.info().answered == n);
  }
  ok(puna_evaluation_run(host.e.handle, hear, &host));
  CHECK(host.count == requests);
}

TEST_CASE("an exception out of a callback of scores and labels is a status", "[faults]") {
  const ModelHandle model = open_chat_model();
  const int32_t tokens[] = {5, 6, 7};
  const uint64_t length = 3, scored = 1;
  double sum = 0;
  auto scoring = sized<puna_score_options>();
  scoring.progress = [](void*, uint64_t, uint64_t) -> int32_t { throw std::runtime_error("from progress"); };
  refused(puna_model_score(model.get(), tokens, &length, &scored, 1, &scoring, &sum, nullptr), PUNA_INTERNAL,
          "from progress");
  if (!has_labels()) return;
  Labels l;  // enough of them that it takes some milliseconds: a watch is asked about once in one
  ok(puna_answers_create(&l.answers));
  for (int i = 0; i < 20000; ++i)
    ok(puna_answers_add(l.answers, std::to_string(i / 4).c_str(), std::to_string(i % 40).c_str(), i % 3 ? "x" : "y"));
  auto options = sized<puna_infer_options>();
  options.method = PUNA_INFER_MACE;
  options.watch = [](void*) -> int32_t { throw std::runtime_error("from watch"); };
  refused(puna_answers_infer(l.answers, &options, &l.inference), PUNA_INTERNAL, "from watch");
  CHECK(l.inference == nullptr);
  CHECK(l.info().answers == 20000);
}

}  // namespace test_eval_faults
