// Agreement and inference: against krippendorff and numpy (golden/agreement.py), against the table of public crowd data
// where that is there, and what must hold of any answers.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "base/json.h"
#include "base/os.h"
#include "puna/base/philox.h"
#include "puna/label/agreement.h"
#include "puna/label/infer.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::label;
using namespace puna::test;

namespace {

const Json& golden() {
  static const Json all =
      parse_json(os::read_file(PUNA_SOURCE_DIR "/tests/data/label/agreement.json", 1 << 24), "agreement.json");
  return all;
}

std::string number(int64_t n) { return std::to_string(n); }

// A golden case, with the gold items of one of its inferences.
Answers answers_of(const Json& c, const Json& gold = Json::array()) {
  AnswersBuilder b;
  for (int64_t i = 0; i < c["items"].get<int64_t>(); ++i) b.item(number(i));
  for (const Json& a : c["answers"])
    b.add(number(a[0].get<int64_t>()), "w" + number(a[1].get<int64_t>()), number(a[2].get<int64_t>()));
  for (const Json& g : gold) b.gold(number(g[0].get<int64_t>()), number(g[1].get<int64_t>()));
  for (size_t i = 0; i < c["truth"].size(); ++i) b.truth(number(int64_t(i)), number(c["truth"][i].get<int64_t>()));
  return b.finish();
}

InferOptions by(Method method) {
  InferOptions o;
  o.method = method;
  return o;
}

// The public sets: answer.csv and truth.csv of three and two columns without quotes.
Answers crowd_of(const std::string& folder) {
  AnswersBuilder b;
  std::string line;
  const auto rows = [&](const char* file, auto&& row) {
    std::ifstream in(folder + "/" + file);
    REQUIRE(in.good());
    std::getline(in, line);
    while (std::getline(in, line)) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      row(line.find(','), line.rfind(','));
    }
  };
  rows("answer.csv", [&](size_t first, size_t last) {
    b.add(line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1));
  });
  rows("truth.csv", [&](size_t first, size_t) { b.truth(line.substr(0, first), line.substr(first + 1)); });
  return b.finish();
}

}  // namespace

TEST_CASE("alpha agrees with krippendorff's package for all four measures", "[label][golden]") {
  for (const Json& c : golden()) {
    const Answers a = answers_of(c);
    for (const auto& [name, value] : c["alpha"].items()) {
      CAPTURE(name);
      CHECK(std::fabs(krippendorff_alpha(a, measure_of(name)).alpha - value.get<double>()) < 1e-9);
    }
  }
}

TEST_CASE("Dawid-Skene is numpy's, iteration by iteration, with gold and without", "[label][golden]") {
  for (const Json& c : golden())
    for (const Json& wanted : c["dawid_skene"]) {
      const Answers a = answers_of(c, wanted["gold"]);
      const Inference r = infer(a);
      CHECK(r.iterations == wanted["iterations"].get<int64_t>());
      CHECK(std::fabs(r.log_likelihood - wanted["log_likelihood"].get<double>()) < 1e-7);
      for (size_t i = 0; i < a.items.size(); ++i) {
        CHECK(r.label[i] == wanted["labels"][i].get<int32_t>());
        for (size_t t = 0; t < a.labels.size(); ++t)
          CHECK(std::fabs(r.posterior[i * a.labels.size() + t] - wanted["posterior"][i][t].get<double>()) < 1e-9);
      }
    }
}

// Accuracies and likelihoods of ../shared/EVAL.md; the sets are for research and are not part of the repository.
TEST_CASE("the table of public crowd data comes out to the last digit", "[label]") {
  struct Row {
    const char* folder;
    size_t answers, items, workers, classes;
    double alpha, majority, dawid_skene;
    int64_t iterations;
    double likelihood, one_coin;
  };
  const Row rows[] = {
      {"crowd_d_Duck_Identification", 4212, 108, 39, 2, 0.125500572, .7593, .8981, 18, -1888.1473, .5833},
      {"crowd_d_jn-product", 24945, 8315, 176, 2, 0.157473317, .8966, .9400, 100, -7570.3630, .9084},
      {"crowd_s4_Dog_data", 8070, 807, 109, 4, 0.519417841, .8222, .8426, 27, -4753.5729, .8302},
      {"crowd_s4_Face_Sentiment_Identification", 5242, 584, 27, 4, 0.494919978, .6367, .6404, 87, -4090.2637, .6113},
  };
  const std::string data = std::string(PUNA_SOURCE_DIR) + "/../shared/data/";
  if (!os::is_directory(data)) {
    WARN("skipped: " << data << " is not there");
    return;
  }
  for (const Row& row : rows) {
    CAPTURE(row.folder);
    const Answers a = crowd_of(data + row.folder);
    CHECK((a.answers.size() == row.answers && a.items.size() == row.items));
    CHECK((a.workers.size() == row.workers && a.labels.size() == row.classes));
    CHECK(std::fabs(krippendorff_alpha(a, Measure::nominal).alpha - row.alpha) < 1e-9);
    CHECK(std::fabs(accuracy_of(a, infer(a, by(Method::majority))) - row.majority) < 5.1e-5);
    const Inference ds = infer(a);
    CHECK(std::fabs(accuracy_of(a, ds) - row.dawid_skene) < 5.1e-5);
    CHECK(accuracy_of(a, ds) == accuracy_of_labels(a, ds.label));  // no posteriors are equal
    CHECK(ds.iterations == row.iterations);
    CHECK(std::fabs(ds.log_likelihood - row.likelihood) < 5.1e-5);
    CHECK(std::fabs(accuracy_of(a, infer(a, by(Method::one_coin))) - row.one_coin) < 5.1e-5);
  }
}

TEST_CASE("every method beats or equals chance, is certain of gold, and its posteriors add up", "[label]") {
  for (const Json& c : golden())
    for (size_t m = 0; m < std::size(kMethodNames); ++m) {
      CAPTURE(kMethodNames[m]);
      const Answers a = answers_of(c, c["dawid_skene"][1]["gold"]);
      const Inference r = infer(a, by(Method(m)));
      for (size_t i = 0; i < a.items.size(); ++i) {
        double sum = 0;
        for (size_t t = 0; t < a.labels.size(); ++t) sum += r.posterior[i * a.labels.size() + t];
        CHECK(sum == Approx(1));
        if (a.gold[i] != kUnknown) CHECK((r.label[i] == a.gold[i] && r.confidence(int64_t(i)) == 1));
        CHECK(r.confidence(int64_t(i)) == Approx(r.posterior[i * a.labels.size() + size_t(r.label[i])]));
      }
      CHECK(accuracy_of(a, r) > 1.0 / double(a.labels.size()));
      for (const double w : r.accuracy) CHECK((w >= 0 && w <= 1 + 1e-12));
    }
}

TEST_CASE("a worker who is always wrong in one way is as good as one who is right, but for the majority", "[label]") {
  AnswersBuilder b;
  for (int i = 0; i < 60; ++i) {
    const char* const right = i % 2 ? "yes" : "no";
    const char* const wrong = i % 2 ? "no" : "yes";
    b.truth(number(i), right);
    b.add(number(i), "good", right);
    b.add(number(i), "fair", i % 5 ? right : wrong);
    b.add(number(i), "fair too", i % 7 ? right : wrong);
    b.add(number(i), "liar", wrong);
    if (i % 3 == 0) b.add(number(i), "liar too", wrong);
  }
  const Answers a = b.finish();
  const Inference ds = infer(a);
  CHECK(accuracy_of(a, ds) == 1);
  CHECK(accuracy_of(a, infer(a, by(Method::majority))) < 1);
  const size_t liar = size_t(std::find(a.workers.begin(), a.workers.end(), "liar") - a.workers.begin());
  CHECK(ds.accuracy[liar] < 0.01);
  CHECK(ds.confusion[(liar * 2 + 0) * 2 + 1] > 0.99);  // says yes where it is no
}

TEST_CASE("a tie goes to the smallest label by name, and counts half", "[label]") {
  AnswersBuilder b;
  b.add("x", "1", "b");
  b.add("x", "2", "a");
  b.add("y", "1", "c");
  b.truth("x", "b");
  b.truth("y", "c");
  const Answers a = b.finish();
  const Inference r = infer(a, by(Method::majority));
  CHECK(a.labels[size_t(r.label[0])] == "a");
  CHECK(accuracy_of(a, r) == Approx(0.75));
  CHECK(accuracy_of_labels(a, r.label) == Approx(0.5));
}

TEST_CASE("items without answers stay undecided; answers given twice are counted", "[label]") {
  AnswersBuilder b;
  b.item("nobody's");
  b.gold("gold", "no");
  b.add("x", "w", "yes");
  b.add("x", "w", "yes");
  b.add("y", "w", "no");
  const Answers a = b.finish();
  CHECK(a.repeated == 1);
  for (size_t m = 0; m < std::size(kMethodNames); ++m) {
    const Inference r = infer(a, by(Method(m)));
    CHECK(r.label[0] == kUnknown);
    CHECK(a.labels[size_t(r.label[1])] == "no");
  }
}

TEST_CASE("results do not depend on the order in which workers and items are met", "[label]") {
  const Json& c = golden()[1];
  AnswersBuilder there, back;
  for (const Json& x : c["answers"])
    there.add(number(x[0].get<int64_t>()), number(x[1].get<int64_t>()), number(x[2].get<int64_t>()));
  for (size_t n = c["answers"].size(); n-- > 0;) {
    const Json& x = c["answers"][n];
    back.add(number(x[0].get<int64_t>()), number(x[1].get<int64_t>()), number(x[2].get<int64_t>()));
  }
  const Answers a = there.finish(), b = back.finish();
  const Inference of_a = infer(a), of_b = infer(b);
  CHECK(of_a.iterations == of_b.iterations);
  CHECK(of_a.log_likelihood == Approx(of_b.log_likelihood).epsilon(1e-12));
  for (size_t i = 0; i < a.items.size(); ++i) {
    const size_t j = size_t(std::find(b.items.begin(), b.items.end(), a.items[i]) - b.items.begin());
    CHECK(of_a.label[i] == of_b.label[j]);
  }
}

TEST_CASE("mace's seed decides its run; the best of more restarts is no worse", "[label]") {
  const Answers a = answers_of(golden()[1]);
  InferOptions o = by(Method::mace);
  const Inference r = infer(a, o);
  CHECK(infer(a, o).posterior == r.posterior);
  o.restarts = 1;
  CHECK(infer(a, o).log_likelihood <= r.log_likelihood);
}

TEST_CASE("alpha that is not defined is an error with a reason", "[label]") {
  AnswersBuilder single, same, words;
  single.add("x", "a", "1");
  single.add("y", "b", "2");
  same.add("x", "a", "1");
  same.add("x", "b", "1");
  for (const char* item : {"x", "y"}) {  // neighbours in the order given, far apart by name
    words.add(item, "a", "bad");
    words.add(item, "b", "middling");
  }
  words.add("z", "a", "good");
  words.add("z", "b", "good");
  const auto why = [](const Answers& a, Measure m) { return message_of([&] { krippendorff_alpha(a, m); }); };
  CHECK(why(single.finish(), Measure::nominal) == "alpha is not defined: no item has two answers");
  CHECK(why(same.finish(), Measure::nominal).find("nothing to disagree on") != std::string::npos);
  const Answers a = words.finish();
  CHECK(why(a, Measure::interval).find("'bad' is no number") != std::string::npos);
  const std::vector<std::string> order = {"bad", "middling", "good"}, lacking = {"bad", "good"};
  CHECK(krippendorff_alpha(a, Measure::ordinal, order).alpha > krippendorff_alpha(a, Measure::ordinal).alpha);
  CHECK(status_of([&] { krippendorff_alpha(a, Measure::ordinal, lacking); }) == Status::invalid_argument);
  CHECK(status_of([&] { method_of("dss"); }) == Status::invalid_argument);
}

TEST_CASE("annotators are measured by gold and by each other", "[label]") {
  AnswersBuilder b;
  b.add("x", "a", "1");
  b.add("x", "b", "1");
  b.add("x", "c", "2");
  b.add("y", "a", "2");
  b.gold("x", "1");
  const Answers a = b.finish();
  const auto r = annotator_reports(a);
  CHECK((r[0].answers == 2 && r[0].gold_answers == 1 && r[0].gold_right == 1));
  CHECK((r[0].pairs == 2 && r[0].equal_pairs == 1));
  CHECK((r[2].gold_right == 0 && r[2].equal_pairs == 0));
  CHECK(confusion_of(a, 2, a.gold) == std::vector<int64_t>{0, 1, 0, 0});
}

// 1 M answers in at most 3 s, D_Product in .05: measured by hand (docs/evaluation.md); here that work is linear.
TEST_CASE("a million answers are a matter of seconds", "[label][slow]") {
  AnswersBuilder b;
  for (uint64_t n = 0; n < 1'000'000; ++n) {
    const Philox r = philox(7, n);
    const uint32_t item = uint32_t(n / 5), truth = item % 4;
    b.add(number(item), number(r.word[0] % 2000), number(r.word[1] % 10 < 7 ? truth : r.word[2] % 4));
  }
  const Answers a = b.finish();
  const auto start = std::chrono::steady_clock::now();
  const Inference r = infer(a);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  WARN("1,000,000 answers: " << seconds << " s, " << r.iterations << " iterations");
  CHECK(seconds < 30);
}
