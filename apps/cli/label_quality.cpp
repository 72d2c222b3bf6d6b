// puna label agree, infer, adjudicate: how good the labels are, and what is true.
#include <algorithm>
#include <cstdio>
#include <numeric>

#include "base/json.h"
#include "common.h"
#include "interrupt.h"
#include "label.h"
#include "label/values.h"
#include "puna/base/error.h"
#include "puna/label/agreement.h"
#include "puna/label/exchange.h"
#include "puna/label/infer.h"

namespace puna::cli {
namespace {

using namespace label;

struct Asked {
  std::unique_ptr<LabelStore> store;
  Project project;
  label::Answers answers;
};

Asked ask(const LabelFlags& at, bool with_models) {
  Asked a;
  a.store = at.open();
  a.project = a.store->project(at.project);
  a.answers = stoppable([&](const Watch& watch) { return answers_of(*a.store, a.project, with_models, watch); });
  if (a.answers.repeated > 0)
    fprintf(stderr, "puna: note: %jd answers are of annotators to items that they had answered before: all count\n",
            intmax_t(a.answers.repeated));
  if (a.answers.replaced_gold > 0)
    fprintf(stderr, "puna: note: %jd gold labels are other than a later one of their item: the last counts\n",
            intmax_t(a.answers.replaced_gold));
  return a;
}

// ---- agree ----

struct AgreeFlags {
  LabelFlags at;
  std::string measure = "nominal";
  bool with_models = false, json = false;
};

void run_agree(const AgreeFlags& f) {
  const Asked a = ask(f.at, f.with_models);
  const Alpha alpha = stoppable([&](const Watch& watch) {
    return krippendorff_alpha(a.answers, measure_of(f.measure), a.project.labels, watch);
  });
  const std::vector<AnnotatorReport> reports = annotator_reports(a.answers);
  std::vector<size_t> order(reports.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t x, size_t y) { return reports[x].answers > reports[y].answers; });
  if (f.json) {
    OrderedJson annotators = OrderedJson::array();
    for (const size_t w : order) {
      const AnnotatorReport& r = reports[w];
      OrderedJson j = {{"name", a.answers.workers[w]}, {"answers", r.answers}};
      if (r.pairs > 0) j["agreement"] = double(r.equal_pairs) / double(r.pairs);
      if (r.gold_answers > 0) {
        j["gold_answers"] = r.gold_answers;
        j["gold_accuracy"] = double(r.gold_right) / double(r.gold_answers);
        const std::vector<int64_t> cells = confusion_of(a.answers, int32_t(w), a.answers.gold);
        const size_t K = a.answers.labels.size();
        OrderedJson rows = OrderedJson::array();
        for (size_t t = 0; t < K; ++t)
          rows.push_back(std::vector<int64_t>(cells.begin() + int64_t(t * K), cells.begin() + int64_t((t + 1) * K)));
        j["confusion"] = rows;
      }
      annotators.push_back(std::move(j));
    }
    const OrderedJson all = {{"alpha", alpha.alpha},   {"measure", f.measure},       {"items", alpha.units},
                             {"values", alpha.values}, {"labels", a.answers.labels}, {"annotators", annotators}};
    return print(json_text(all) + "\n");
  }
  print_format("alpha (%s) %.4f over %jd items with two answers or more, %jd answers\n", f.measure.c_str(), alpha.alpha,
               alpha.units, alpha.values);
  constexpr size_t kMostShown = 20;
  for (size_t i = 0; i < order.size() && i < kMostShown; ++i) {
    const AnnotatorReport& r = reports[order[i]];
    print_format("  %-20s %6jd answers", printable(a.answers.workers[order[i]]).c_str(), r.answers);
    if (r.pairs > 0) print_format(", %.3f like the others", double(r.equal_pairs) / double(r.pairs));
    if (r.gold_answers > 0) print_format(", gold %jd of %jd", r.gold_right, r.gold_answers);
    print("\n");
  }
  if (order.size() > kMostShown) print_format("  and %zu more (--json)\n", order.size() - kMostShown);
}

void add_label_agree(const Verb& label_group) {
  const auto f = std::make_shared<AgreeFlags>();
  const Verb verb(label_group, "agree", "Krippendorff's alpha, and each annotator against the others and against gold");
  f->at.add(verb);
  verb.option("--measure", f->measure, "nominal (default), ordinal, interval or ratio");
  verb.flag("--with-models", f->with_models, "models' labels count as answers");
  verb.flag("--json", f->json, "one line of JSON, with confusion matrices [gold, answered]");
  verb.run([f] { run_agree(*f); });
}

// ---- infer ----

struct InferFlags {
  LabelFlags at;
  InferOptions options;
  std::string method = "ds", out;
  bool with_models = false, json = false, save = false;
};

OrderedJson item_line(const label::Answers& answers, const label::Inference& r, size_t i) {
  OrderedJson posterior = OrderedJson::object();
  for (size_t t = 0; t < answers.labels.size(); ++t)
    posterior[answers.labels[t]] = r.posterior[i * answers.labels.size() + t];
  OrderedJson line = {{"item", answers.items[i]}};
  line["label"] = r.label[i] == kUnknown ? OrderedJson(nullptr) : OrderedJson(answers.labels[size_t(r.label[i])]);
  line["posterior"] = posterior;
  if (!r.difficulty.empty()) line["difficulty"] = r.difficulty[i];
  return line;
}

// The least reliable first, as the text has them.
std::vector<size_t> by_reliability(const label::Inference& r) {
  std::vector<size_t> order(r.accuracy.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(), [&](size_t x, size_t y) { return r.accuracy[x] < r.accuracy[y]; });
  return order;
}

OrderedJson reliabilities_of(const label::Answers& answers, const label::Inference& r) {
  std::vector<int64_t> given(answers.workers.size());
  for (const label::Answer& x : answers.answers) ++given[size_t(x.worker)];
  OrderedJson all = OrderedJson::array();
  for (const size_t w : by_reliability(r))
    all.push_back({{"name", answers.workers[w]}, {"answers", given[w]}, {"reliability", r.accuracy[w]}});
  return all;
}

void run_infer(InferFlags& f) {
  f.options.method = method_of(f.method);
  const Asked a = ask(f.at, f.with_models);
  label::Inference r, majority;
  stoppable([&](const Watch& watch) {
    r = infer(a.answers, f.options, watch);
    InferOptions plain;
    plain.method = Method::majority;
    majority = infer(a.answers, plain, watch);
  });
  if (!f.out.empty()) {
    std::string lines;
    for (size_t i = 0; i < a.answers.items.size(); ++i) lines += json_text(item_line(a.answers, r, i)) + "\n";
    write_text(f.out, lines);
  }
  if (f.save) {
    std::vector<Uncertainty> all;
    a.store->each_item(a.project.id, [&](const Item& item) {  // answers_of numbered the items in this order
      const auto i = int64_t(all.size());
      all.push_back({item.id, r.entropy(i), r.margin(i)});
    });
    a.store->set_uncertainty(a.project.id, all);
  }
  const int64_t truths = a.answers.count_truth();
  int64_t changed = 0, undecided = 0;
  for (size_t i = 0; i < r.label.size(); ++i) {
    changed += r.label[i] != majority.label[i];
    undecided += r.label[i] == kUnknown;
  }
  if (f.json) {
    OrderedJson all = {{"project", a.project.name},
                       {"method", f.method},
                       {"answers", a.answers.answers.size()},
                       {"items", a.answers.items.size()},
                       {"annotators", a.answers.workers.size()},
                       {"labels", a.answers.labels},
                       {"gold", a.answers.count_gold()},
                       {"undecided", undecided},
                       {"other_than_majority", changed},
                       {"reliabilities", reliabilities_of(a.answers, r)}};
    if (f.options.method != Method::majority) {
      all["iterations"] = r.iterations;
      all["converged"] = r.converged;
      all["log_likelihood"] = r.log_likelihood;
    }
    if (truths > 0) {
      all["truths"] = truths;
      all["accuracy"] = accuracy_of(a.answers, r);
      all["accuracy_of_labels"] = accuracy_of_labels(a.answers, r.label);
      all["majority_accuracy"] = accuracy_of(a.answers, majority);
    }
    return print(json_text(all) + "\n");
  }
  print_format("%s: %zu answers by %zu annotators to %zu items, %zu labels, %jd gold items\n",
               printable(a.project.name).c_str(), a.answers.answers.size(), a.answers.workers.size(),
               a.answers.items.size(), a.answers.labels.size(), a.answers.count_gold());
  if (f.options.method != Method::majority)
    print_format("  %s: %jd iterations%s, log-likelihood %.4f; another label than the majority's on %jd items\n",
                 f.method.c_str(), r.iterations, r.converged ? "" : " (not converged)", r.log_likelihood, changed);
  if (undecided > 0) print_format("  %jd items have no answer\n", undecided);
  if (truths > 0)
    print_format("  accuracy %.4f against %jd truths (majority %.4f)\n", accuracy_of(a.answers, r), truths,
                 accuracy_of(a.answers, majority));
  const std::vector<size_t> worst = by_reliability(r);
  print("  least reliable annotators:");
  for (size_t i = 0; i < worst.size() && i < 5; ++i)
    print_format("%s %s %.3f", i ? "," : "", printable(a.answers.workers[worst[i]]).c_str(), r.accuracy[worst[i]]);
  print("\n");
}

void add_label_infer(const Verb& label_group) {
  const auto f = std::make_shared<InferFlags>();
  const Verb verb(label_group, "infer",
                  "The true labels from answers that disagree, and how reliable each annotator is");
  f->at.add(verb);
  verb.option("--method", f->method, "majority, ds (Dawid-Skene, default), onecoin, mace or glad");
  verb.option("--iterations", f->options.iterations, "at most (default 100)")
      .within(1, 1e6)
      .read_when([f] { return f->method != "majority"; }, "with another --method than majority");
  verb.option("--seed", f->options.seed, "of mace's restarts (default 1234)")
      .read_when([f] { return f->method == "mace"; }, "with --method mace");
  verb.output("--out", f->out, "a file for a line an item: label and posterior");
  verb.flag("--save", f->save, "keep how uncertain items are, for next --order entropy or margin");
  verb.flag("--with-models", f->with_models, "models' labels count as answers");
  verb.flag("--json", f->json,
            "one line of JSON, with every annotator's reliability, and the accuracy where there is a truth");
  verb.run([f] { run_infer(*f); });
}

// ---- adjudicate ----

struct AdjudicateFlags {
  LabelFlags at;
  std::string method = "ds", item, as, by = "adjudicator";
  int64_t count = 20;
};

void decide(const AdjudicateFlags& f) {
  const auto store = f.at.open();
  const Project project = store->project(f.at.project);
  const std::optional<Item> item = store->find(project.id, f.item);
  if (!item) fail(Status::invalid_argument, "there is no item '%s'", printable(f.item).c_str());
  NewLabel l;
  l.item = item->id;
  l.annotator = f.by;
  l.kind = Kind::gold;
  l.time = milliseconds_now();
  if (const std::string wrong = check_word(project, f.as, l.value); !wrong.empty())
    fail(Status::invalid_argument, "--as %s", wrong.c_str());
  store->append(project.id, {&l, 1});
}

void run_adjudicate(const AdjudicateFlags& f) {
  if (f.item.empty() != f.as.empty()) usage_error_missing("--item and --as, both or none");
  if (!f.item.empty()) return decide(f);
  const Asked a = ask(f.at, false);
  InferOptions options;
  options.method = method_of(f.method);
  const label::Inference r = stoppable([&](const Watch& watch) { return infer(a.answers, options, watch); });
  std::vector<int64_t> queue = least_certain(a.answers, r);
  if (int64_t(queue.size()) > f.count) queue.resize(size_t(f.count));
  for (const int64_t i : queue) {
    OrderedJson line = item_line(a.answers, r, size_t(i));
    const auto by_item = [](const label::Answer& x, const label::Answer& y) { return x.item < y.item; };
    const auto [from, to] =
        std::equal_range(a.answers.answers.begin(), a.answers.answers.end(), label::Answer{int32_t(i), 0, 0}, by_item);
    OrderedJson given = OrderedJson::array();
    for (auto x = from; x != to; ++x)
      given.push_back({{"annotator", a.answers.workers[size_t(x->worker)]},
                       {"label", a.answers.labels[size_t(x->label)]},
                       {"reliability", r.accuracy[size_t(x->worker)]}});
    line["answers"] = given;
    print(json_text(line) + "\n");
  }
}

void add_label_adjudicate(const Verb& label_group) {
  const auto f = std::make_shared<AdjudicateFlags>();
  const Verb verb(label_group, "adjudicate",
                  "The items that are least certain, with everybody's answers; --as decides one");
  f->at.add(verb);
  const auto lists = [f] { return f->item.empty(); };
  verb.option("--method", f->method, "by which items are uncertain: ds (default), majority, onecoin, mace, glad")
      .read_when(lists, "without --item");
  verb.option("-n,--count", f->count, "how many (default 20)").within(1, 1e9).read_when(lists, "without --item");
  verb.option("--item", f->item, "an item to decide");
  verb.option("--as", f->as, "its label, which becomes gold");
  verb.option("--by", f->by, "who decides (default adjudicator)")
      .read_when([f] { return !f->item.empty(); }, "with --item");
  verb.run([f] { run_adjudicate(*f); });
}

}  // namespace

void add_label_quality(const Verb& label_group) {
  add_label_agree(label_group);
  add_label_infer(label_group);
  add_label_adjudicate(label_group);
}

}  // namespace puna::cli
