// The gradient of every kind of ranker, of its weights and of its table's rows, is the complex-step derivative of the
// loss written out plainly.
#include "ops/tape_run.h"
#include "recsys/model_tensors.h"
#include "recsys/ranking/pass.h"
#include "recsys/ranking/table.h"
#include "recsys/some_ranker.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace {

using Tensors = std::map<std::string, Vector>;

Complex relu(Complex x) { return x.real() > 0 ? x : Complex(0); }
Complex sigmoid(Complex x) { return 1.0 / (1.0 + std::exp(-x)); }

// The whole model for one example, from the papers' formulas.
struct PlainRanker {
  const RankerConfig& c;
  const Tensors& w;

  Vector affine(const Vector& x, const std::string& name) const {
    Vector y = w.at(name + ".bias");
    const Vector& m = w.at(name + ".weight");
    for (size_t o = 0; o < y.size(); ++o)
      for (size_t i = 0; i < x.size(); ++i) y[o] += m[o * x.size() + i] * x[i];
    return y;
  }
  Vector layers(Vector x, const std::string& name, size_t count) const {
    for (size_t l = 0; l < count; ++l) {
      x = affine(x, name + "." + std::to_string(l));
      for (Complex& v : x) v = relu(v);
    }
    return x;
  }
  Vector interaction(const Vector& x0) const {
    const auto d = size_t(c.dim), n = x0.size() / d;
    Vector z = x0;
    if (c.interaction == Interaction::cross)
      for (int64_t l = 0; l < c.cross_layers; ++l) {
        const Vector y = affine(z, "cross." + std::to_string(l));
        for (size_t i = 0; i < z.size(); ++i) z[i] += x0[i] * y[i];
      }
    if (c.interaction == Interaction::fm) {
      z.assign(d, 0);
      for (size_t a = 0; a < n; ++a)
        for (size_t b = 0; b < a; ++b)
          for (size_t i = 0; i < d; ++i) z[i] += x0[a * d + i] * x0[b * d + i];
    }
    if (c.interaction == Interaction::dot)
      for (size_t a = 0; a < n; ++a)
        for (size_t b = 0; b < a; ++b) {
          Complex dot = 0;
          for (size_t i = 0; i < d; ++i) dot += x0[a * d + i] * x0[b * d + i];
          z.push_back(dot);
        }
    return z;
  }
  Vector logits(const RankerRows& rows, const float* numbers, int64_t i) const {
    const auto d = size_t(c.dim), tasks = c.tasks.size();
    const Vector& table = w.at("table");
    Vector x0, out = w.at("task_bias");
    for (int64_t f = 0; f < rows.features(); ++f) {
      Vector mean(d, 0.0);
      for (const int32_t row : rows.of(i, f)) {
        const double share = 1.0 / double(rows.of(i, f).size());
        for (size_t j = 0; j < d; ++j) mean[j] += share * table[size_t(row) * (d + tasks) + j];
        for (size_t t = 0; t < tasks; ++t) out[t] += share * table[size_t(row) * (d + tasks) + d + t];
      }
      x0.insert(x0.end(), mean.begin(), mean.end());
    }
    if (c.interaction == Interaction::linear) return out;
    if (!c.numbers.empty()) {
      Vector token = affine(
          Vector(numbers + i * int64_t(c.numbers.size()), numbers + (i + 1) * int64_t(c.numbers.size())), "numbers");
      for (const Complex v : token) x0.push_back(relu(v));
    }
    const Vector z = interaction(x0);
    std::vector<Vector> experts;
    for (int64_t e = 0; e < c.experts; ++e)
      experts.push_back(layers(z, "expert." + std::to_string(e), c.hidden.size()));
    const Vector gates = c.experts > 1 ? affine(z, "gates") : Vector();
    for (size_t t = 0; t < tasks; ++t) {
      Vector x = experts[0];
      if (c.experts > 1) {
        Complex total = 0;
        for (auto& v : x) v = 0;
        for (size_t e = 0; e < experts.size(); ++e) total += std::exp(gates[t * experts.size() + e]);
        for (size_t e = 0; e < experts.size(); ++e)
          for (size_t j = 0; j < x.size(); ++j) x[j] += std::exp(gates[t * experts.size() + e]) / total * experts[e][j];
      }
      x = layers(x, "tower." + c.tasks[t].name, c.tower.size());
      const bool joint = w.count("heads") > 0;
      const Vector& head = joint ? w.at("heads") : w.at("head." + c.tasks[t].name);
      for (size_t j = 0; j < x.size(); ++j) out[t] += head[(joint ? t * x.size() : 0) + j] * x[j];
    }
    return out;
  }
  Complex loss(const RankerRows& rows, const Examples& e, const Outcomes& o, double limit) const {
    Complex sum = 0;
    double weights = 0;
    for (int64_t i = 0; i < e.count; ++i) {
      weights += double(o.weights[i]);
      const Vector x = logits(rows, e.numbers, i);
      for (size_t t = 0; t < c.tasks.size(); ++t) {
        if ((o.known[i] >> t & 1u) == 0) continue;
        const double y = double(o.values[size_t(i) * c.tasks.size() + t]);
        Complex value;
        if (c.tasks[t].kind == TaskKind::binary) {
          value = std::log(1.0 + std::exp(x[t])) - y * x[t];
        } else {
          const Complex r = sigmoid(x[t]) - y;
          value = std::abs(r.real()) <= limit ? 0.5 * r * r : limit * ((r.real() > 0 ? r : -r) - 0.5 * limit);
        }
        sum += double(o.weights[i]) * c.tasks[t].weight * value;
      }
    }
    return sum / weights;
  }
};

void check_kind(const RankerConfig& c) {
  const auto ranker = Ranker::create(recsys_context("", 2), c, 3);
  RankerTable& table = ranker->table();
  const int64_t row_values = table.dim() + table.tasks();
  const Floats new_table = ref::normal(table.rows() * row_values, 4);
  for (size_t i = 0; i < new_table.size(); ++i) table.values(0)[i] = 0.5f * new_table[i];
  Tensors w;
  std::map<std::string, Floats> values;
  for (ModelTensor& t : ranker->tensors()) {
    Floats some = ref::normal(t.shape.count(), 5 + values.size());
    for (float& v : some) v *= 0.4f;
    t.write(some);
    values[t.name] = t.read();
  }
  values["table"] = Floats(table.values(0), table.values(0) + table.rows() * row_values);
  for (const auto& [name, v] : values) w[name] = complex_of(v);
  const ExampleSet set = some_examples(c, 25, 8);
  const Examples e = set.examples();
  const RankerRows rows(c, e);
  const PlainRanker plain{c, w};
  double weights = 0;
  for (int64_t i = 0; i < e.count; ++i) weights += double(set.outcomes().weights[i]);
  train::Parameters parameters = parameters_of(ranker->context(), ranker->tensors());
  RankerPass pass(*ranker, parameters);
  std::vector<TaskLoss> losses(c.tasks.size());
  pass.begin_step(rows);
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>(0, 14), {14, 11}})
    pass.learn(rows, e.numbers, set.outcomes(), first, count, {0.2, weights}, {}, losses.data(), nullptr, {});
  double loss = 0;
  for (size_t t = 0; t < losses.size(); ++t) loss += losses[t].sum * c.tasks[t].weight / weights;
  CHECK(std::abs(loss - plain.loss(rows, e, set.outcomes(), 0.2).real()) < 2e-6);
  const auto with = [&](const std::string& name) {
    return [&, name](const Vector& z) {
      Tensors changed = w;
      changed[name] = z;
      return PlainRanker{c, changed}.loss(rows, e, set.outcomes(), 0.2);
    };
  };
  for (const ModelTensor& t : ranker->tensors()) {
    CAPTURE(t.name);
    ModelTensor gradients = t;
    for (TensorPiece& p : gradients.pieces) p.values = parameters.gradients().at(p.values);
    ref::check_gradient(gradients.read(), values[t.name], with(t.name));
  }
  Floats of_table;
  for (int64_t r = 0; r < table.rows(); ++r) {
    const Floats row = pass.table_gradient(r);
    of_table.insert(of_table.end(), row.begin(), row.end());
  }
  ref::check_gradient(of_table, values["table"], with("table"));
}

}  // namespace

TEST_CASE("rankers: the gradients of every interaction", "[recsys][grad]") {
  for (const Interaction i :
       {Interaction::linear, Interaction::fm, Interaction::concat, Interaction::cross, Interaction::dot}) {
    CAPTURE(int(i));
    check_kind(some_ranker(i));
  }
}

TEST_CASE("rankers: the gradients of experts, gates and towers", "[recsys][grad]") {
  check_kind(some_ranker(Interaction::concat, 3));
  check_kind(some_ranker(Interaction::cross, 2, {4}));
  RankerConfig one = some_ranker(Interaction::fm, 1, {4});
  one.hidden.clear();
  check_kind(one);
}
