#include "eval/item_scores.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/det_math.h"
#include "base/json.h"
#include "chat/jinja/unicode.h"
#include "puna/base/error.h"
#include "puna/chat/chat_template.h"

namespace puna::eval {
namespace {

std::vector<double> softmax(std::span<const double> x) {
  const double most = *std::max_element(x.begin(), x.end());
  std::vector<double> p;
  double sum = 0;
  for (const double v : x) sum += p.emplace_back(det::exp(v - most));
  for (double& v : p) v /= sum;
  return p;
}

int64_t argmax(std::span<const double> x) { return std::max_element(x.begin(), x.end()) - x.begin(); }

bool is_ascii_punctuation(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// str.lower() and str.upper(), by the templates' own filters.
std::string cased(const char* filter, std::string_view text) {
  const std::string source = std::string("{{ x | ") + filter + " }}";
  return ChatTemplate::parse(source, ChatTemplate::Limits(), Watch(), TemplateStyle::plain)
      ->render("{\"x\":" + quoted(std::string(text)) + "}")
      .text;
}
std::string lowered(std::string_view text) { return cased("lower", text); }

const TextPatterns& require_patterns(const TextPatterns* patterns, const char* who) {
  if (!patterns) fail(Status::unsupported, "%s needs regular expressions, which the library leaves to its host", who);
  return *patterns;
}

std::string regex_answer(const FilterStep& f, const std::string& text, const TextPatterns& patterns) {
  const auto matches = patterns.find_all(f.pattern, text);
  if (matches.empty()) return f.fallback;
  const std::vector<std::string>& groups = f.group_select < 0 ? matches.back() : matches.front();
  const auto first = std::find_if(groups.begin(), groups.end(), [](const std::string& g) { return !g.empty(); });
  if (groups.size() > 1 && first == groups.end()) return f.fallback;
  return std::string(jinja::strip_space(first == groups.end() ? std::string_view() : *first, true, true));
}

std::string most_frequent(const std::vector<std::string>& answers) {  // the first of several
  std::map<std::string_view, size_t> counts;
  for (const std::string& a : answers) ++counts[a];
  std::string_view best = answers.front();
  for (const std::string& a : answers)
    if (counts[a] > counts[best]) best = a;
  return std::string(best);
}

std::vector<std::string> f1_words(std::string_view text) {
  std::string clean;
  for (const char c : lowered(text))
    if (!is_ascii_punctuation(c)) clean += c;
  std::vector<std::string> words;
  for (size_t i = 0; i < clean.size();) {
    const size_t from = i;
    const bool space = jinja::is_space(jinja::next_code_point(clean, i));
    if (space) continue;
    while (i < clean.size()) {
      size_t next = i;
      if (jinja::is_space(jinja::next_code_point(clean, next))) break;
      i = next;
    }
    std::string word = clean.substr(from, i - from);
    if (word != "a" && word != "an" && word != "the") words.push_back(std::move(word));
  }
  return words;
}

double f1_of(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty();
  std::map<std::string_view, int64_t> left;
  for (const std::string& w : b) ++left[w];
  int64_t common = 0;
  for (const std::string& w : a)
    if (int64_t& n = left[w]; n > 0) {
      --n;
      ++common;
    }
  return common == 0 ? 0 : 2.0 * double(common) / double(a.size() + b.size());
}

std::string prepared(const MetricRule& rule, std::string text, const TextPatterns* patterns) {
  for (const std::string& r : rule.regexes_to_ignore)
    text = require_patterns(patterns, "\"regexes_to_ignore\"").without(r, text);
  if (rule.ignore_case) text = lowered(text);
  if (rule.ignore_punctuation) std::erase_if(text, is_ascii_punctuation);
  if (rule.ignore_numbers) std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

ChoiceScores score_choices(std::span<const double> lls, const std::vector<bool>& greedy,
                           const std::vector<std::string>& choices, std::span<const int64_t> gold) {
  std::vector<double> by_length, by_bytes;
  for (size_t i = 0; i < lls.size(); ++i) {
    by_length.push_back(lls[i] / double(jinja::count_code_points(choices[i])));
    by_bytes.push_back(lls[i] / double(choices[i].size()));
  }
  const auto is_gold = [&](int64_t i) { return std::find(gold.begin(), gold.end(), i) != gold.end(); };
  ChoiceScores s;
  s.chosen = argmax(lls);
  s.acc = is_gold(s.chosen);
  s.acc_norm = is_gold(argmax(by_length));
  s.acc_bytes = is_gold(argmax(by_bytes));
  for (const int64_t g : gold) s.exact_match = std::max(s.exact_match, double(greedy[size_t(g)]));
  if (gold.size() == 1) {
    double sum = 0;
    const std::vector<double> p = softmax(lls);
    for (size_t i = 0; i < p.size(); ++i) {
      const double off = p[i] - (int64_t(i) == gold[0]);
      sum += off * off;
    }
    s.brier = sum;
  }
  const std::vector<double> p = softmax(by_length);
  s.confidence = *std::max_element(p.begin(), p.end());
  double right = -INFINITY, wrong = -INFINITY;
  for (size_t i = 0; i < by_length.size(); ++i) {
    double& best = is_gold(int64_t(i)) ? right : wrong;
    best = std::max(best, by_length[i]);
  }
  s.margin = std::isinf(wrong) ? 0 : right - wrong;
  return s;
}

std::string filtered(const FilterChain& chain, std::vector<std::string> answers, const TextPatterns* patterns) {
  for (const FilterStep& f : chain.steps) {
    if (f.function == "take_first") answers.resize(1);
    if (f.function == "take_first_k") {
      if (int64_t(answers.size()) < f.k)
        fail(Status::invalid_argument, "take_first_k with k = %jd of %zu answers: \"repeats\" says how many there are",
             f.k, answers.size());
      answers.resize(size_t(f.k));
    }
    if (f.function == "majority_vote") answers = {most_frequent(answers)};
    for (std::string& a : answers) {
      if (f.function == "regex") a = regex_answer(f, a, require_patterns(patterns, "the filter regex"));
      if (f.function == "remove_whitespace") a = std::string(jinja::strip_space(a, true, true));
      if (f.function == "lowercase") a = lowered(a);
      if (f.function == "uppercase") a = cased("upper", a);
      if (f.function == "map") {
        const auto found = f.mapping.find(a);
        a = found == f.mapping.end() ? f.otherwise : found->second;
      }
    }
  }
  return answers.front();
}

double exact_match(const MetricRule& rule, const std::string& answer, const std::vector<std::string>& targets,
                   const TextPatterns* patterns) {
  const std::string a = prepared(rule, answer, patterns);
  return std::any_of(targets.begin(), targets.end(),
                     [&](const std::string& t) { return prepared(rule, t, patterns) == a; });
}

double token_f1(const std::string& answer, const std::vector<std::string>& targets) {
  const std::vector<std::string> words = f1_words(answer);
  double best = 0;
  for (const std::string& t : targets) best = std::max(best, f1_of(words, f1_words(t)));
  return best;
}

int64_t count_words(std::string_view text) {
  int64_t words = 1;
  bool in_space = false;
  for (size_t i = 0; i < text.size();) {
    const bool space = jinja::is_space(jinja::next_code_point(text, i));
    words += space && !in_space;
    in_space = space;
  }
  return words;
}

}  // namespace puna::eval
