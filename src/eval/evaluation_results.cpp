// evaluation_results.cpp -- answers to scores: an item's, then a task's with errors.
#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/det_math.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/sha256.h"
#include "eval/evaluation_impl.h"
#include "puna/base/error.h"
#include "puna/eval/compare.h"

namespace puna::eval {
namespace {

constexpr double kLn2 = 0.69314718055994530942;

// sum a / sum b with its error: the residuals a - ratio b, summed by cluster (Taylor's linearisation).
MeanEstimate ratio_estimate(const std::vector<double>& a, const std::vector<double>& b,
                            const std::vector<int64_t>& clusters, double level) {
  double sum_a = 0, sum_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum_a += a[i];
    sum_b += b[i];
  }
  std::vector<double> off;
  for (size_t i = 0; i < a.size(); ++i) off.push_back((a[i] - sum_a / sum_b * b[i]) * double(a.size()) / sum_b);
  MeanEstimate e = clustered_mean(off, clusters, level);
  e.interval = {sum_a / sum_b + e.interval.low - e.mean, sum_a / sum_b + e.interval.high - e.mean};
  e.mean = sum_a / sum_b;
  return e;
}

bool has_two_clusters(const std::vector<int64_t>& clusters, size_t items) {
  if (clusters.empty()) return items >= 2;
  return std::any_of(clusters.begin(), clusters.end(), [&](int64_t c) { return c != clusters.front(); });
}

MetricResult mean_result(const std::vector<double>& scores, const std::vector<int64_t>& clusters, double level) {
  MetricResult r;
  for (const double s : scores) r.value += s / double(scores.size());
  if (!has_two_clusters(clusters, scores.size())) return r;
  const MeanEstimate e = clustered_mean(scores, clusters, level);
  r.value = e.mean;
  r.error = e.error;
  r.interval = e.interval;
  const bool shares = std::all_of(scores.begin(), scores.end(), [](double s) { return s == 0 || s == 1; });
  if (shares && clusters.empty())
    r.interval = wilson_interval(std::count(scores.begin(), scores.end(), 1.0), int64_t(scores.size()), level);
  return r;
}

// exp of a mean loss: the interval's ends likewise, the error by the delta method.
MetricResult exponential(const MeanEstimate& e) {
  MetricResult r;
  r.value = det::exp(e.mean);
  r.error = r.value * e.error;
  r.interval = Interval{det::exp(e.interval.low), det::exp(e.interval.high)};
  return r;
}

std::string list_of(const std::string& json) { return JsonList().add(json).str(); }

std::string json_of(const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return json_string(*text);
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) return json_strings(*texts);
  JsonList numbers;
  for (const int64_t n : std::get<std::vector<int64_t>>(value)) numbers.add(std::to_string(n));
  return numbers.str();
}

}  // namespace

void Evaluation::Impl::require_complete() const {
  if (answered < int64_t(requests.size()))
    fail(Status::wrong_state, "%jd of %zu requests are answered: run the evaluation to its end first", answered,
         requests.size());
}

std::vector<int64_t> Evaluation::Impl::clusters() const {
  std::vector<int64_t> all;
  if (options.cluster.empty()) return all;
  std::unordered_map<std::string_view, int64_t> numbers;
  for (const Item& item : items) all.push_back(numbers.emplace(item.cluster, int64_t(numbers.size())).first->second);
  return all;
}

double Evaluation::Impl::log_likelihood(const Item& item) const {
  double sum = 0;
  for (size_t r = 0; r < item.requests; ++r) sum += requests[item.first_request + r].score.log_likelihood;
  return sum;
}

std::vector<std::string> Evaluation::Impl::targets(const Item& item) const {
  const auto choice = [&](int64_t c) {
    if (item.choices.empty()) return std::to_string(c);
    if (c < 0 || c >= int64_t(item.choices.size()))
      fail(Status::bad_file, "item %jd of '%s': \"doc_to_target\" gives choice %jd, there are %zu", item.number,
           task.name.c_str(), c, item.choices.size());
    return item.choices[size_t(c)];
  };
  if (const auto* number = std::get_if<int64_t>(&item.target)) return {choice(*number)};
  if (const auto* texts = std::get_if<std::vector<std::string>>(&item.target)) return *texts;
  if (const auto* text = std::get_if<std::string>(&item.target)) return {*text};
  std::vector<std::string> all;
  for (const int64_t c : std::get<std::vector<int64_t>>(item.target)) all.push_back(choice(c));
  return all;
}

Evaluation::Impl::ItemResult Evaluation::Impl::score(const Item& item, const FilterChain& chain) const {
  ItemResult result;
  const Request* const first = &requests[item.first_request];
  switch (task.output) {
    case OutputType::multiple_choice: {
      std::vector<double> lls;
      std::vector<bool> greedy;
      for (size_t r = 0; r < item.requests; ++r) {
        lls.push_back(first[r].score.log_likelihood);
        greedy.push_back(first[r].score.greedy);
      }
      const ChoiceScores s = score_choices(lls, greedy, item.choices, item.gold);
      result.metrics = {
          {"acc", s.acc}, {"acc_norm", s.acc_norm}, {"acc_bytes", s.acc_bytes}, {"exact_match", s.exact_match}};
      if (s.brier) result.metrics["brier_score"] = *s.brier;
      result.confidence = s.confidence;
      result.margin = s.margin;
      result.answer = item.choices[size_t(s.chosen)];
      break;
    }
    case OutputType::loglikelihood:
      result.metrics = {{"perplexity", det::exp(-first->score.log_likelihood)}, {"acc", double(first->score.greedy)}};
      result.margin = first->score.log_likelihood;
      break;
    case OutputType::loglikelihood_rolling: {
      const double ll = log_likelihood(item);
      const std::string& text = item.continuations[0];
      const double words = double(count_words(text)), bytes = double(text.size());
      result.metrics = {{"word_perplexity", det::exp(-ll / words)},
                        {"byte_perplexity", det::exp(-ll / bytes)},
                        {"bits_per_byte", -ll / (bytes * kLn2)}};
      result.margin = ll / bytes;
      break;
    }
    case OutputType::generate_until:
      result.answer = filtered(chain, first->texts, options.patterns);
      for (const MetricRule& m : task.metrics)
        result.metrics[m.name] = m.name == "f1" ? token_f1(result.answer, targets(item))
                                                : exact_match(m, result.answer, targets(item), options.patterns);
      result.margin = result.metrics.begin()->second;
  }
  return result;
}

EvaluationResult Evaluation::result(double level) const {
  const Impl& s = *impl_;
  s.require_complete();
  EvaluationResult all;
  all.task = s.task.name;
  all.output = s.task.output;
  all.items = int64_t(s.items.size());
  all.requests = int64_t(s.requests.size());
  all.num_fewshot = s.task.num_fewshot;
  all.notes = s.notes;
  const std::vector<int64_t> clusters = s.clusters();
  const bool errors = has_two_clusters(clusters, s.items.size());
  for (const FilterChain& chain : s.task.filters) {
    std::vector<Impl::ItemResult> items;
    for (const Impl::Item& item : s.items) items.push_back(s.score(item, chain));
    for (const MetricRule& m : s.task.metrics) {
      std::vector<double> scores, weights;
      for (const Impl::ItemResult& i : items)
        if (const auto found = i.metrics.find(m.name); found != i.metrics.end()) scores.push_back(found->second);
      MetricResult r;
      if (m.name == "ece") {
        std::vector<double> confidence, right;
        for (const Impl::ItemResult& i : items) {
          confidence.push_back(i.confidence);
          right.push_back(i.metrics.at("acc_norm"));
        }
        r.value = calibration_error(confidence, right);
      } else if (scores.size() < items.size()) {
        all.notes.push_back(m.name + " is left out: " + std::to_string(items.size() - scores.size()) +
                            " items have several right choices");
        continue;
      } else if (s.task.output == OutputType::loglikelihood_rolling || m.name == "perplexity") {
        std::vector<double> losses;
        for (const Impl::Item& item : s.items) {
          losses.push_back(-s.log_likelihood(item) / (m.name == "bits_per_byte" ? kLn2 : 1));
          const std::string& text = item.continuations[0];
          weights.push_back(m.name == "perplexity"
                                ? 1
                                : double(m.name == "word_perplexity" ? count_words(text) : int64_t(text.size())));
        }
        if (errors) {
          const MeanEstimate e = ratio_estimate(losses, weights, clusters, level);
          r = exponential(e);
          if (m.name == "bits_per_byte") r = {{}, {}, e.mean, e.error, e.interval};
        } else {
          double loss = 0, weight = 0;
          for (size_t i = 0; i < losses.size(); ++i) {
            loss += losses[i];
            weight += weights[i];
          }
          r.value = m.name == "bits_per_byte" ? loss / weight : det::exp(loss / weight);
        }
      } else {
        r = mean_result(scores, clusters, level);
      }
      if (const std::optional<Interval> range = range_of_metric(m.name); range && r.interval)
        r.interval = within(*r.interval, *range);
      r.metric = m.name;
      r.filter = chain.name;
      all.metrics.push_back(std::move(r));
    }
  }
  return all;
}

// ---- a line an item, as lm-evaluation-harness logs its samples

std::string Evaluation::Impl::sample(const Item& item, const FilterChain& chain) const {
  const ItemResult scores = score(item, chain);
  OrderedJson document = parse_ordered_json(item.document, "item", Watch(), true);
  const JsonGuard guard(document);
  JsonList arguments, responses, left;  // left: what the filter left of the responses
  for (size_t a = 0; a < item.continuations.size(); ++a) {
    const Request& r = requests[item.first_request + a];
    switch (task.output) {
      case OutputType::generate_until: {
        const JsonObject until =
            JsonObject().json("until", json_strings(task.until)).integer("max_gen_toks", task.max_gen_toks);
        arguments.add(JsonList().add(json_string(item.context(a))).add(until.str()).str());
        responses.add(json_strings(r.texts));
        left.add(json_string(scores.answer));
        break;
      }
      case OutputType::loglikelihood_rolling: {
        const std::string answer = json_real(log_likelihood(item));
        arguments.add(list_of(json_string(item.continuations[a])));
        responses.add(list_of(answer));
        left.add(answer);
        break;
      }
      default: {
        const std::string answer =
            JsonList().add(json_real(r.score.log_likelihood)).add(r.score.greedy ? "true" : "false").str();
        arguments.add(JsonList().add(json_string(item.context(a))).add(json_string(item.continuations[a])).str());
        responses.add(list_of(answer));
        left.add(answer);
      }
    }
  }
  JsonList metrics;
  for (const MetricRule& m : task.metrics)
    if (scores.metrics.count(m.name)) metrics.add(json_string(m.name));
  JsonObject line;
  line.integer("doc_id", item.number)
      .text("task", task.name)
      .json("doc", json_text(document))
      .json("target", json_of(item.target))
      .json("arguments", arguments.str())
      .json("resps", responses.str())
      .json("filtered_resps", left.str())
      .text("filter", chain.name)
      .json("metrics", metrics.str())
      .text("doc_hash", sha256_hex(document.dump(2, ' ', false, OrderedJson::error_handler_t::replace)))
      .text("prompt_hash", sha256_hex(item.context(0).empty() ? item.continuations[0] : item.context(0)))
      .text("target_hash", sha256_hex(python_text(item.target)));
  if (!item.cluster.empty()) line.text("cluster", item.cluster);
  for (const MetricRule& m : task.metrics)
    if (const auto found = scores.metrics.find(m.name); found != scores.metrics.end()) line.real(m.name, found->second);
  return line.str();
}

std::string Evaluation::samples() const {
  const Impl& s = *impl_;
  s.require_complete();
  std::string lines;
  for (const FilterChain& chain : s.task.filters)
    for (const Impl::Item& item : s.items) lines += s.sample(item, chain) + "\n";
  return lines;
}

}  // namespace puna::eval
