// Labels over the C ABI: the numbers of docs/evaluation.md, what is refused, cancelling.
#include <puna_label.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "capi/fixture.h"

using namespace puna::test;
namespace test_labels {
namespace {

using AnswersHandle = std::unique_ptr<puna_answers, Free<puna_answers_free>>;
using InferenceHandle = std::unique_ptr<puna_inference, Free<puna_inference_free>>;

AnswersHandle answers() {
  puna_answers* made = nullptr;
  ok(puna_answers_create(&made));
  return AnswersHandle(made);
}

// item,annotator,label,truth
AnswersHandle crowd() {
  AnswersHandle a = answers();
  std::ifstream file(PUNA_SOURCE_DIR "/tests/data/eval/example/crowd.csv");
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string item, worker, label, truth;
    std::getline(cells, item, ',');
    std::getline(cells, worker, ',');
    std::getline(cells, label, ',');
    std::getline(cells, truth, ',');
    ok(puna_answers_add(a.get(), item.c_str(), worker.c_str(), label.c_str()));
    if (!truth.empty()) ok(puna_answers_set_truth(a.get(), item.c_str(), truth.c_str()));
  }
  return a;
}

puna_inference_info infer(const AnswersHandle& a, int32_t method, InferenceHandle* keep = nullptr) {
  auto options = sized<puna_infer_options>();
  options.method = method;
  puna_inference* made = nullptr;
  ok(puna_answers_infer(a.get(), &options, &made));
  InferenceHandle handle(made);
  auto info = sized<puna_inference_info>();
  ok(puna_inference_get_info(made, &info));
  if (keep) *keep = std::move(handle);
  return info;
}

}  // namespace

TEST_CASE("a crowd's answers come to what the command says", "[capi]") {
  AnswersHandle a = crowd();
  auto info = sized<puna_answers_info>();
  ok(puna_answers_get_info(a.get(), &info));
  CHECK(info.items == 30);
  CHECK(info.answers == 119);
  CHECK(info.truth == 30);
  auto alpha = sized<puna_alpha>();
  ok(puna_answers_get_alpha(a.get(), PUNA_MEASURE_NOMINAL, &alpha));
  CHECK(alpha.alpha == Approx(0.1342).margin(5e-5));
  InferenceHandle truth;
  const puna_inference_info ds = infer(a, PUNA_INFER_DAWID_SKENE, &truth);
  CHECK(ds.iterations == 78);
  CHECK(ds.log_likelihood == Approx(-52.1435).margin(5e-5));
  CHECK(ds.accuracy == Approx(0.9333).margin(5e-5));
  CHECK(infer(a, PUNA_INFER_MAJORITY).accuracy == Approx(0.85).margin(5e-5));
  // The answers may go.
  a.reset();
  double sum = 0, posterior[2] = {};
  const char* label = nullptr;
  double sure = 0;
  for (int64_t i = 0; i < ds.items; ++i) {
    ok(puna_inference_get_posterior(truth.get(), i, posterior, 2));
    ok(puna_inference_get_label(truth.get(), i, &label, &sure));
    CHECK(posterior[0] + posterior[1] == Approx(1));
    CHECK(sure == std::max(posterior[0], posterior[1]));
    CHECK(std::string(label) == (posterior[0] >= posterior[1] ? "bad" : "good"));
    sum += sure;
  }
  CHECK(sum > 15);
  double best = 0;
  ok(puna_inference_get_worker(truth.get(), 0, &best));
  CHECK((best > 0 && best <= 1));
}

TEST_CASE("gold that contradicts itself changes nothing", "[capi]") {
  const AnswersHandle a = answers();
  ok(puna_answers_add(a.get(), "i", "ann", "x"));
  ok(puna_answers_set_gold(a.get(), "i", "x"));
  CHECK(puna_answers_set_gold(a.get(), "i", "y") == PUNA_INVALID_ARGUMENT);
  CHECK(std::string(puna_last_error()).find("two labels as its gold") != std::string::npos);
  CHECK(puna_answers_add(a.get(), "i", "", "x") == PUNA_INVALID_ARGUMENT);
  auto info = sized<puna_answers_info>();
  ok(puna_answers_get_info(a.get(), &info));
  CHECK(info.labels == 1);
  CHECK(info.gold == 1);
  const char* name = nullptr;
  ok(puna_answers_get_name(a.get(), PUNA_NAME_WORKER, 0, &name));
  CHECK(std::string(name) == "ann");
  CHECK(puna_answers_get_name(a.get(), PUNA_NAME_LABEL, 1, &name) == PUNA_INVALID_ARGUMENT);
  CHECK(puna_answers_get_name(a.get(), 3, 0, &name) == PUNA_INVALID_ARGUMENT);
  puna_inference* none = nullptr;
  CHECK(puna_answers_infer(a.get(), nullptr, &none) == PUNA_INVALID_ARGUMENT);
  CHECK(std::string(puna_last_error()).find("all answers are 'x'") != std::string::npos);
  CHECK(none == nullptr);
}

TEST_CASE("a watch that says so ends an inference", "[capi]") {
  const AnswersHandle a = answers();  // enough that it takes some milliseconds: a watch is asked about once in one
  for (int i = 0; i < 20000; ++i)
    ok(puna_answers_add(a.get(), std::to_string(i / 4).c_str(), std::to_string(i % 40).c_str(), i % 3 ? "x" : "y"));
  int asked = 0;
  const auto stop = [](void* user) -> int32_t { return ++*static_cast<int*>(user) > 0; };
  auto options = sized<puna_infer_options>();
  options.method = PUNA_INFER_MACE;
  options.watch = stop;
  options.watch_user = &asked;
  puna_inference* none = nullptr;
  CHECK(puna_answers_infer(a.get(), &options, &none) == PUNA_CANCELLED);
  CHECK(none == nullptr);
  CHECK(asked > 0);
  options.watch = nullptr;
  options.method = 5;
  CHECK(puna_answers_infer(a.get(), &options, &none) == PUNA_INVALID_ARGUMENT);
}

TEST_CASE("texts that say the same, and items that stand in documents", "[capi]") {
  const char* texts[] = {"The plate was cold, and we waited long.", "Fine bread.",
                         "the plate was cold and we waited long"};
  int64_t group[3] = {-1, -1, -1};
  ok(puna_find_duplicates(texts, nullptr, 3, nullptr, group));
  CHECK(group[0] == 0);
  CHECK(group[1] == 1);
  CHECK(group[2] == 0);
  const size_t bytes[] = {5, 4, 9};  // "The p", "Fine", "the plate"
  ok(puna_find_duplicates(texts, bytes, 3, nullptr, group));
  CHECK(group[2] == 2);
  const char* documents[] = {"nothing", "so THE plate was cold, and we waited long again"};
  int64_t document[3] = {};
  ok(puna_find_contaminated(texts, nullptr, 3, documents, nullptr, 2, nullptr, document));
  CHECK(document[0] == 1);
  CHECK(document[1] == -1);
  CHECK(document[2] == 1);
  texts[1] = nullptr;
  CHECK(puna_find_duplicates(texts, nullptr, 3, nullptr, group) == PUNA_INVALID_ARGUMENT);
  ok(puna_find_duplicates(nullptr, nullptr, 0, nullptr, nullptr));
}

}  // namespace test_labels
