// HSTU and SASRec against Meta's code: every row, scores, loss, the gradient of every parameter, five AdamW steps,
// appended events, time buckets.
#include <algorithm>
#include <cmath>

#include "ops/history.h"
#include "puna/base/error.h"
#include "puna/train/optimizer.h"
#include "recsys/golden_sequence.h"
#include "recsys/model_tensors.h"
#include "recsys/run.h"
#include "recsys/sequence/forward.h"
#include "recsys/sequence/pass.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

std::vector<float> encode_rows(const SequenceModel& model, const std::vector<History>& users) {
  HistoryBatch batch(model.config());
  for (const History& h : users) batch.add(h);
  const HistoryRows rows = batch.rows();
  std::vector<float> all(size_t(rows.rows() * model.config().dim));
  Buffer scratch;
  run_inference(*model.context(), scratch, {}, [&](Inference& rec) {
    const View e = SequenceForward{model.config(), model.weights(), rows, {}}.encode(rec);
    rec.stage(1, [&](int64_t) { memcpy(all.data(), e.data, all.size() * 4); });
  });
  return all;
}

std::vector<float> scores_of(const SequenceModel& model, const std::vector<float>& vectors,
                             const std::vector<int64_t>& items) {
  const size_t D = size_t(model.config().dim);
  const std::vector<float> unit = model.unit_items();
  std::vector<float> scores;
  for (size_t u = 0; u < vectors.size() / D; ++u)
    for (const int64_t i : items)
      scores.push_back(model.context()->kernels().dot(vectors.data() + u * D, unit.data() + size_t(i) * D, int64_t(D)));
  return scores;
}

// One training batch of the golden set: users, and the candidates of each row.
struct GoldenStep {
  GoldenUsers users;
  std::vector<int32_t> candidates;
  int64_t per_row, rows;
  GoldenStep(const Arrays& a, int step) {
    const std::string prefix = "step" + std::to_string(step) + ".";
    users = golden_users(a, prefix);
    const Array &next = a.at(prefix + "supervision_ids"), &drawn = a.at(prefix + "negatives");
    rows = drawn.rows();
    per_row = 1 + drawn.cols();
    for (size_t t = 0; t < size_t(rows); ++t) {
      candidates.push_back(int32_t(next.integers[t]));
      for (size_t m = 0; m < size_t(drawn.cols()); ++m)
        candidates.push_back(int32_t(drawn.integers[t * size_t(drawn.cols()) + m]));
    }
  }
  double loss(SequencePass& pass, const SequenceModel& model, float temperature) const {
    HistoryBatch batch(model.config());
    for (const History& h : users.histories()) batch.add(h);
    pass.begin_step();
    const double sum = pass.losses(batch, {candidates.data(), per_row, temperature, 1.0f / float(rows)}, {}, {});
    pass.end_step();
    return sum / double(rows);
  }
};

void check_tensors(const SequenceGolden& g, const char* file, const SequenceModel& model,
                   FunctionRef<std::vector<float>(const ModelTensor&)> read) {
  const Arrays want = g.arrays(file);
  for (const ModelTensor& t : model.tensors()) {
    std::vector<float> got = read(t), expected = want.at(t.name).values;
    const auto& compare = g.manifest["files"][std::string(file) + ".safetensors"]["tensors"][t.name]["compare"];
    if (compare.contains(
            "skip_rows")) {  // a gradient that is truly zero: Adam makes steps of the rounding errors' sign
      const size_t row = expected.size() / size_t(t.shape[0]), first = compare["skip_rows"][0],
                   last = compare["skip_rows"][1];
      std::copy_n(expected.begin() + int64_t(first * row), (last - first) * row, got.begin() + int64_t(first * row));
    }
    check_close(file + ("/" + t.name), got, expected, g.tolerance(file, t.name));
    double mean = 0;
    for (size_t i = 0; i < got.size(); ++i) mean += std::abs(double(got[i]) - double(expected[i])) / double(got.size());
    if (std::string(file) == "train_final_params") CHECK(mean < 1e-6);
  }
}

}  // namespace

TEST_CASE("the vectors of every row and the scores are the original code's", "[recsys][golden]") {
  for (const SequenceGolden& g : sequence_goldens()) {
    INFO(g.manifest["fixture"]);
    const auto model = g.model(recsys_context());
    const Arrays inputs = g.arrays("inputs"), forward = g.arrays("forward"), scores = g.arrays("scores");
    const GoldenUsers users = golden_users(inputs);
    check_close("encoded", encode_rows(*model, users.histories()), forward.at("encoded").values,
                g.tolerance("forward", "encoded"));
    const std::vector<float> current = model->encode(users.histories());
    check_close("current", current, forward.at("current").values, g.tolerance("forward", "current"));
    const std::vector<int64_t>& catalogue = inputs.at("catalogue_ids").integers;
    const std::vector<float> got = scores_of(*model, current, catalogue);
    check_close("scores", got, scores.at("scores").values, g.tolerance("scores", "scores"));
    const size_t n = catalogue.size(), top = size_t(scores.at("top20_ids").cols());
    for (size_t u = 0; u < users.events.size(); ++u)
      for (const bool seen_removed : {false, true}) {
        std::vector<size_t> order;
        for (size_t i = 0; i < n; ++i) {
          const bool seen = std::any_of(users.events[u].begin(), users.events[u].end(),
                                        [&](const Event& e) { return e.item == catalogue[i]; });
          if (!(seen && seen_removed)) order.push_back(i);
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](size_t a, size_t b) { return got[u * n + a] > got[u * n + b]; });
        const std::vector<int64_t>& want = scores.at(seen_removed ? "top20_ids_seen_removed" : "top20_ids").integers;
        for (size_t k = 0; k < top; ++k) CHECK(catalogue[order[k]] == want[u * top + k]);
      }
  }
}

TEST_CASE("loss, gradients and AdamW steps are the original code's", "[recsys][golden]") {
  for (const SequenceGolden& g : sequence_goldens()) {
    INFO(g.manifest["fixture"]);
    const auto model = g.model(recsys_context());
    train::Parameters parameters = parameters_of(model->context(), model->tensors());
    const auto& o = g.config_json["optimizer"];
    train::Optimizer optimizer(parameters, {train::OptimizerKind::adamw, o["lr"], o["betas"][0], o["betas"][1],
                                            o["eps"], o["weight_decay"], 0.0});
    SequencePass pass(*model, parameters);
    const Arrays inputs = g.arrays("train_inputs"), want = g.arrays("train_losses");
    const float temperature = g.config_json["temperature"];
    std::vector<float> losses;
    for (int step = 0; step < int(want.at("losses").values.size()); ++step) {
      parameters.zero_gradients();
      losses.push_back(float(GoldenStep(inputs, step).loss(pass, *model, temperature)));
      if (step == 0)
        check_tensors(g, "train_grads", *model, [&](const ModelTensor& t) {
          ModelTensor gradients = t;
          for (TensorPiece& p : gradients.pieces) p.values = parameters.gradients().at(p.values);
          return gradients.read();
        });
      optimizer.step();
    }
    check_close("losses", losses, want.at("losses").values, g.tolerance("train_losses", "losses"));
    const std::vector<float> after{float(GoldenStep(inputs, 0).loss(pass, *model, temperature))};
    check_close("loss_batch0_after", after, want.at("loss_batch0_after").values,
                g.tolerance("train_losses", "loss_batch0_after"));
    check_tensors(g, "train_final_params", *model, [](const ModelTensor& t) { return t.read(); });
  }
}

TEST_CASE("appended events give the original code's vectors, and the bits of a full run", "[recsys][golden]") {
  for (const SequenceGolden& g : sequence_goldens()) {
    INFO(g.manifest["fixture"]);
    const auto model = g.model(recsys_context());
    const Arrays a = g.arrays("incremental");
    const bool timed = a.count("times") != 0;
    std::vector<Event> events;
    for (size_t i = 0; i < a.at("ids").integers.size(); ++i)
      events.push_back({int32_t(a.at("ids").integers[i]), timed ? a.at("times").integers[i] : 0});
    const size_t n = size_t(a.at("n").integers[0]), D = size_t(g.config().dim);
    const auto prefix = [&](size_t count, int64_t query) {
      return encode_rows(*model, {{std::span(events).first(count), query}});
    };
    UserState state(model);
    for (size_t i = 0; i < n; ++i) state.append(events[i]);
    const int64_t queries = timed ? 3 : 1;
    for (int64_t q = 0; q < queries; ++q) {  // the same question at several times
      const std::string name = timed ? std::string("encoded_n_query") + char('A' + q) : "encoded_n";
      const int64_t time = timed ? a.at("query_times_n").integers[size_t(q)] : 0;
      const std::vector<float> full = prefix(n, time), vector = state.encode(time);
      check_close(name, full, a.at(name).values, g.tolerance("incremental", name));
      CHECK(memcmp(vector.data(), full.data() + (n - 1) * D, D * 4) == 0);
      if (q > 0) CHECK(state.computed_rows() == 1);
    }
    const int64_t time = timed ? a.at("query_time_n1").integers[0] : 0;
    state.append(events[n]);
    const std::vector<float> full = prefix(n + 1, time), vector = state.encode(time);
    check_close("encoded_n1", full, a.at("encoded_n1").values, g.tolerance("incremental", "encoded_n1"));
    CHECK(memcmp(vector.data(), full.data() + n * D, D * 4) == 0);
    CHECK(state.computed_rows() == 2);
    if (timed) CHECK_THROWS_AS(prefix(n, 0), Error);  // a query time that is missing
  }
}

TEST_CASE("time buckets are the original code's", "[recsys][golden]") {
  const std::string path =
      goldens([](const Golden& g) { return g.has_file("time_buckets.safetensors"); }).front().folder() +
      "/time_buckets.safetensors";
  const Arrays a = read_arrays(path);
  const TimeBounds bounds = time_bucket_bounds();
  const std::vector<int64_t>&delta = a.at("dt").integers, &bucket = a.at("bucket").integers,
        &ambiguous = a.at("ambiguous").integers;
  size_t exact = 0;
  for (size_t i = 0; i < delta.size(); ++i) {
    const int64_t distance = std::abs(delta[i]);
    const int64_t got = std::upper_bound(bounds.begin() + 1, bounds.end() - 1, distance) - bounds.begin() - 1;
    CAPTURE(delta[i], got, bucket[i]);
    if (ambiguous[i])
      CHECK(std::abs(got - bucket[i]) <= 1);
    else
      CHECK(got == bucket[i]);
    exact += got == bucket[i];
  }
  INFO(exact << " of " << delta.size() << " equal");
  CHECK(exact * 10 >= delta.size() * 9);
}
