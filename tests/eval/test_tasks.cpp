// Tasks: what is read and refused, what is drawn, what is asked, and how answers are scored.
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>
#include "base/sha256.h"
#include "eval/item_scores.h"
#include "eval/python_literal.h"
#include "eval/python_random.h"
#include "eval/task_prompts.h"
#include "puna/eval/compare.h"
#include "puna/eval/evaluation.h"
#include "puna/runtime/generate.h"

#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::eval;
using namespace puna::test;

namespace test_tasks {
namespace {

constexpr const char* kAusten = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";

const ModelPtr& austen() {
  static const ModelPtr model = Model::open(make_context({}), kAusten);
  return model;
}

const char* const kChoice = R"({"task": "t", "output_type": "multiple_choice",
  "doc_to_text": "Question: {{question}}\nAnswer:", "doc_to_choice": "{{options}}", "doc_to_target": "{{right}}"})";

Task task_of(const std::string& json) {
  Task t;
  read_task(t, json, "t.json");
  finish_task(t);
  return t;
}
std::string refusal(const std::string& json) {
  return message_of([&] { task_of(json); });
}

std::vector<std::string> questions() {
  return {R"({"question": "Who danced?", "options": ["Emma", "Mr. Knightley", "it's \"she\""], "right": 1})",
          R"({"question": "Where?", "options": ["In Bath", "At Lyme"], "right": 0})",
          R"({"question": "When was it?", "options": ["In spring", "in the evening", "never"], "right": 2})"};
}

struct Answers {
  std::vector<std::string> lines;
  EvaluationResult result;
  std::string samples;
};
Answers run(Evaluation& e) {
  Answers a;
  e.run([&](const std::string& line) {
    a.lines.push_back(line);
    return true;
  });
  a.result = e.result();
  a.samples = e.samples();
  std::istringstream lines(a.samples);
  for (std::string line; std::getline(lines, line);) CHECK(nlohmann::ordered_json::parse(line).dump() == line);
  const std::string json = e.json(a.result, {});
  CHECK(nlohmann::ordered_json::parse(json).dump() + "\n" == json);
  return a;
}

double value(const EvaluationResult& r, const std::string& metric, const std::string& filter = "none") {
  for (const MetricResult& m : r.metrics)
    if (m.metric == metric && m.filter == filter) return m.value;
  FAIL("no metric " + metric);
  return 0;
}

}  // namespace

TEST_CASE("examples are drawn as CPython draws them", "[eval]") {
  using Draw = std::vector<int64_t>;
  const std::map<std::pair<int64_t, int64_t>, std::pair<Draw, Draw>> known = {
      {{2376, 5}, {{1805, 478, 30, 371, 143}, {343, 403, 1452, 969, 71}}},
      {{100, 3}, {{99, 56, 14}, {0, 11, 74}}},
      {{20, 5}, {{14, 3, 0, 2, 1}, {2, 3, 11, 7, 0}}},
      {{50, 8}, {{49, 28, 7, 0, 5, 37, 2, 42}, {44, 5, 6, 22, 15, 1, 49, 43}}}};
  for (const auto& [of, draws] : known) {
    PythonRandom random(1234);
    CHECK(random.sample(of.first, of.second) == draws.first);
    CHECK(random.sample(of.first, of.second) == draws.second);
  }
}

TEST_CASE("templates of tasks keep their white space, and what is undefined is an error", "[eval]") {
  const auto plain = [](const char* source, const char* variables) {
    return ChatTemplate::parse(source, ChatTemplate::Limits(), Watch(), TemplateStyle::plain)->render(variables).text;
  };
  // As jinja2.Environment(undefined=StrictUndefined, keep_trailing_newline=True) renders them.
  CHECK(plain("a\n  {% if x %}\nb\n  {% endif %}\nc\n", R"({"x": 1})") == "a\n  \nb\n  \nc\n");
  CHECK(plain("{%- for i in x -%} {{ i }}, {% endfor %}\n", R"({"x": [1, 2]})") == "1, 2, \n");
  CHECK(plain("{{ x is defined }}{{ y | default('d') }}", "{}") == "Falsed");
  for (const char* source : {"{{ x }}", "{% if x %}{% endif %}", "{{ not x }}", "{{ x and 1 }}", "{{ 1 if x else 2 }}",
                             "{% for i in x %}{% endfor %}", "{{ x.y }}"}) {
    CAPTURE(source);
    CHECK(status_of([&] { plain(source, "{}"); }) == Status::invalid_argument);
  }
  CHECK(ChatTemplate::parse("a\n{% if x %}\nb{% endif %}\n")->render("{}").text == "a\n");
}

TEST_CASE("hashes and literals are Python's", "[eval]") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex(std::string(119, 'a')) == "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
  const std::vector<std::string> texts = {"plain", "it's", "\"both\" isn't", "a\\b\n\tc", "\xc3\xa9\xe2\x80\x8b", ""};
  std::string list = "[";
  for (const std::string& t : texts) list += python_repr(t) + ", ";
  CHECK(list == R"(['plain', "it's", '"both" isn\'t', 'a\\b\n\tc', ')"
                "\xc3\xa9"
                R"(\u200b', '', )");
  const auto read = read_python_list(list + "]");
  REQUIRE(read);
  CHECK(read->items == texts);
  CHECK(read_python_list("[1, -2]")->numbers);
  for (const char* bad : {"[", "['a'", "['a' 'b']", "[a]", "['a\\q']", "['\\ud800']", "[1.5]", "[]x", "['a\n']"})
    CHECK_FALSE(read_python_list(bad));
}

TEST_CASE("a task that is wrong is refused with its line", "[eval]") {
  CHECK(refusal(kChoice).empty());
  CHECK(refusal("{\"task\": \"t\",\n\"doc_to_txt\": \"x\"}") ==
        "t.json, line 2: \"doc_to_txt\" is no key of a task, did you mean 'doc_to_text'?");
  CHECK(refusal("{\"task\": \"t\",\n\n\"process_docs\": \"f\"}") ==
        "t.json, line 3: \"process_docs\" is not supported");
  CHECK(refusal(R"({"output_type": "multiple_choise"})") ==
        "t.json, line 1: \"output_type\" is 'multiple_choise', expected multiple_choice, loglikelihood, "
        "loglikelihood_rolling or generate_until, did you mean 'multiple_choice'?");
  CHECK(refusal(R"({"task": "t", "num_fewshot": -1})") ==
        "t.json, line 1: \"num_fewshot\" is -1, expected a whole number from 0 to 1000");
  CHECK(refusal(R"({"filter_list": [{"name": "a", "filter": [{"function": "regexp"}]}]})") ==
        "t.json, line 1: \"function\" is 'regexp', which is no filter that is known here, did you mean 'regex'?");
  CHECK(refusal(R"({"task": "t", "output_type": "multiple_choice", "doc_to_text": "x", "doc_to_target": "y"})") ==
        "t.json: \"doc_to_choice\" is missing");
  CHECK(refusal(R"({"task": "t", "doc_to_text": "{{a}}", "doc_to_target": "b", "repeats": 3})") ==
        "t.json: \"repeats\" without do_sample: all answers would be the same");
  CHECK(refusal(R"({"task": "t", "doc_to_text": "{{a}}", "doc_to_target": "b", "metric_list": [{"metric": "acc"}]})")
            .starts_with("t.json: \"metric\" is 'acc', which generate_until is not scored by here"));
  CHECK(status_of([] { task_of("[1]"); }) == Status::bad_file);
  Task including;
  read_task(including, R"({"task": "a", "training_split": "train", "test_split": "test"})", "a.json");
  read_task(including, R"({"task": "b", "training_split": null})", "b.json");
  CHECK(including.name == "b");
  CHECK(including.shots_split() == "test");
  CHECK(status_of([] { task_of(""); }) == Status::bad_file);
}

TEST_CASE("items that lack something are named", "[eval]") {
  const auto refused = [](const std::string& json, const std::string& item, const EvaluationOptions& o = {}) {
    return message_of([&] { Evaluation(austen(), task_of(json), {questions()[0], item}, {}, o); });
  };
  CHECK(refused(kChoice, R"({"question": "x", "options": ["a"], "right": 1})") ==
        "item 1 of 't': \"doc_to_target\" gives choice 1, there are 1");
  CHECK(refused(kChoice, R"({"options": ["a"], "right": 0})") ==
        "item 1 of 't': \"doc_to_text\": template line 1: 'question' is undefined");
  CHECK(refused(kChoice, R"({"question": "x", "options": ["a", ""], "right": 0})") ==
        "item 1 of 't': choice 1 of \"doc_to_choice\" is empty");
  CHECK(refused(kChoice, R"({"question": "x", "options": "none", "right": 0})")
            .starts_with("item 1 of 't': \"doc_to_choice\" gives 'none', expected a list of texts"));
  CHECK(refused(R"({"task": "t", "output_type": "loglikelihood", "doc_to_text": "question", "doc_to_target": "rihgt"})",
                questions()[1]) ==
        "item 0 of 't': \"doc_to_target\" names the field 'rihgt', which is not there, did "
        "you mean 'right'?");
  EvaluationOptions small;
  small.session.max_positions = 24;
  const std::string long_one = R"({"question": ")" + std::string(400, 'x') + R"(", "options": ["a"], "right": 0})";
  CHECK(refused(kChoice, long_one, small).starts_with("item 1 of 't': "));
  CHECK(status_of([&] { Evaluation(austen(), task_of(kChoice), {long_one}, {}, small); }) == Status::context_full);
  EvaluationOptions chat;
  chat.chat = true;
  chat.system = "Be brief\xff";
  CHECK(refused(kChoice, questions()[1], chat) == "the system message is no UTF-8");
}

TEST_CASE("prompts are those of lm-evaluation-harness, plain and few-shot", "[eval]") {
  Task t = task_of(kChoice);
  t.num_fewshot = 2;
  t.description = "Answer {{'well'}}.\n\n";
  const Watch nobody;
  TaskPrompts prompts(t, *austen(), questions(), questions(), {}, nobody);
  PythonRandom random(1234);
  const std::vector<std::string> answers = {"Mr. Knightley", "In Bath", "never"},
                                 asked = {"Who danced?", "Where?", "When was it?"};
  for (int64_t item = 0; item < 3; ++item) {
    // No split says otherwise, so the item may be drawn: one more is drawn, and it is left out.
    std::string want = "Answer well.\n\n";
    int shots = 0;
    for (const int64_t s : random.sample(3, 3))
      if (s != item && shots++ < 2)
        want += "Question: " + asked[size_t(s)] + "\nAnswer: " + answers[size_t(s)] + "\n\n";
    want += "Question: " + asked[size_t(item)] + "\nAnswer:";
    const ItemPrompt p = prompts.prompt(item);
    CHECK(p.asks[0].context.text == want);
    CHECK(p.asks[1].continuation == " " + p.choices[1]);
    CHECK(p.gold == std::vector<int64_t>{item == 0 ? 1 : item == 1 ? 0 : 2});
  }
}

TEST_CASE("choices are scored by likelihood, by characters and by bytes", "[eval]") {
  const std::vector<std::string> choices = {"\xc3\xa9\xc3\xa9\xc3\xa9", "abcd", "ab"};
  const std::vector<double> lls = {-3.3, -4.0, -2.5};
  const std::vector<int64_t> gold = {0};
  const ChoiceScores s = score_choices(lls, {true, false, false}, choices, gold);
  CHECK(s.acc == 0);        // -2.5 is best
  CHECK(s.acc_norm == 0);   // -1.1, -1.0, -1.25: the second
  CHECK(s.acc_bytes == 1);  // -.55, -1.0, -1.25
  CHECK(s.exact_match == 1);
  double sum = 0, want = 0;
  for (const double l : lls) sum += std::exp(l);
  for (size_t i = 0; i < 3; ++i) want += std::pow(std::exp(lls[i]) / sum - (i == 0), 2);
  CHECK(*s.brier == Approx(want).epsilon(1e-12));
  CHECK(s.margin == Approx(-1.1 + 1.0));
  const std::vector<int64_t> several = {0, 2};
  CHECK(score_choices(lls, {false, false, false}, choices, several).acc == 1);
  CHECK_FALSE(score_choices(lls, {false, false, false}, choices, several).brier);
}

TEST_CASE("answers pass filters, and match as they should", "[eval]") {
  const auto chain = [](std::vector<FilterStep> steps) { return FilterChain{"c", std::move(steps)}; };
  const auto step = [](const char* function) {
    FilterStep f;
    f.function = function;
    return f;
  };
  CHECK(filtered(chain({step("majority_vote"), step("take_first")}), {"a", "b", "b", "a", "b"}, nullptr) == "b");
  CHECK(filtered(chain({step("majority_vote")}), {"a", "b", "b", "a"}, nullptr) == "a");
  CHECK(filtered(chain({step("remove_whitespace"), step("uppercase")}),
                 {"  stra\xc3\x9f"
                  "e \n"},
                 nullptr) == "STRASSE");
  FilterStep map = step("map");
  map.mapping = {{"1", "one"}};
  map.otherwise = "?";
  CHECK(filtered(chain({map}), {"1"}, nullptr) == "one");
  CHECK(filtered(chain({map}), {"2"}, nullptr) == "?");
  CHECK(status_of([&] { filtered(chain({step("regex")}), {"x"}, nullptr); }) == Status::unsupported);
  MetricRule rule;
  rule.name = "exact_match";
  CHECK(exact_match(rule, "The End", {"the end"}, nullptr) == 0);
  rule.ignore_case = rule.ignore_punctuation = rule.ignore_numbers = true;
  CHECK(exact_match(rule, "The. End! 12", {"no", "the end "}, nullptr) == 1);
  CHECK(token_f1("The quick brown fox", {"a brown, quick dog"}) == Approx(2.0 / 3));
  CHECK(token_f1("", {""}) == 1);
  CHECK(count_words("two  words\n") == 3);  // as len(re.split)
}

TEST_CASE("an evaluation is what its requests say, and goes on where it was stopped", "[eval]") {
  Evaluation whole(austen(), task_of(kChoice), questions(), {}, {});
  REQUIRE(whole.requests() == 8);
  const Answers want = run(whole);
  // By hand: the continuation's tokens are those that the whole has more than its context.
  const Tokenizer& tokenizer = austen()->require_tokenizer();
  Session session(austen(), {});
  const auto context = encode_prompt(tokenizer, "Question: Where?\nAnswer:", false);
  double best = -INFINITY;
  int64_t chosen = -1;
  for (int64_t c = 0; c < 2; ++c) {
    const auto ids = encode_prompt(
        tokenizer, c == 0 ? "Question: Where?\nAnswer: In Bath" : "Question: Where?\nAnswer: At Lyme", false);
    session.truncate(0);
    const std::vector<float> nll = score(session, ids);
    double ll = 0;
    for (size_t i = context.size(); i < ids.size(); ++i) ll -= double(nll[i - 1]);
    char text[64];
    snprintf(text, sizeof text, "\"ll\":%.17g,", ll);
    CHECK(std::any_of(want.lines.begin(), want.lines.end(),
                      [&](const std::string& l) { return l.find(text) != l.npos; }));
    if (ll > best) chosen = c;
    best = std::max(best, ll);
  }
  EvaluationOptions second;
  second.items = {1};
  Evaluation one(austen(), task_of(kChoice), questions(), {}, second);
  const Answers alone = run(one);
  CHECK(value(alone.result, "acc") == (chosen == 0 ? 1 : 0));
  CHECK(want.samples.find(alone.samples) != std::string::npos);  // an item's line does not depend on the others

  Evaluation stopped(austen(), task_of(kChoice), questions(), {}, {});
  CHECK(status_of([&] { stopped.result(); }) == Status::wrong_state);
  std::vector<std::string> told;
  CHECK(status_of([&] {
          stopped.run([&](const std::string& line) {
            told.push_back(line);
            return told.size() < 3;
          });
        }) == Status::cancelled);
  Evaluation resumed(austen(), task_of(kChoice), questions(), {}, {});
  CHECK(resumed.fingerprint() == whole.fingerprint());
  for (const std::string& line : told) CHECK(resumed.restore(line));
  CHECK_FALSE(resumed.restore(told[0]));
  CHECK(status_of([&] { resumed.restore(R"({"id": "0"})"); }) == Status::ok);  // of no request of this task
  CHECK(resumed.answered() == 3);
  const Answers rest = run(resumed);
  CHECK(rest.lines.size() == 5);
  CHECK(rest.samples == want.samples);
  EvaluationOptions other;
  other.session.max_positions = 200;
  CHECK(Evaluation(austen(), task_of(kChoice), questions(), {}, other).fingerprint() != whole.fingerprint());
}

TEST_CASE("samples compare with themselves", "[eval]") {
  Evaluation e(austen(), task_of(kChoice), questions(), {}, {});
  const Answers a = run(e);
  const std::vector<Run> runs = {read_run_text(a.samples, "a", "x", {}), read_run_text(a.samples, "b", "x", {})};
  const Comparison c = compare_runs(runs);
  REQUIRE(c.differences.size() == 1);
  CHECK(c.differences[0].task == "t");
  CHECK(c.differences[0].metric == "acc");
  CHECK(c.differences[0].mean.mean == 0);
  CHECK(c.notes.empty());
  const std::string page = e.html(a.result, {});
  for (const char* from_elsewhere : {"http:", "https:", "<script", "src=", "url("})
    CHECK(page.find(from_elsewhere) == page.npos);
  CHECK(page.find("it's &quot;she&quot;") != page.npos);
}

TEST_CASE("rolling windows score every token once", "[eval]") {
  const std::string text =
      "It was a fine morning, and she had been walking in the garden with her sister for an hour, "
      "when the carriage came up the road, and everybody went to see who it was.";
  const Task t = task_of(R"({"task": "r", "output_type": "loglikelihood_rolling", "doc_to_target": "{{text}}"})");
  EvaluationOptions o;
  o.session.max_positions = 16;
  Evaluation e(austen(), t, {"{\"text\": \"" + text + "\"}", R"({"text": "She danced."})"}, {}, o);
  const Answers a = run(e);
  const Tokenizer& tokenizer = austen()->require_tokenizer();
  const int32_t prefix = tokenizer.specials().bos >= 0 ? tokenizer.specials().bos : tokenizer.specials().eos;
  double loss = 0;
  for (const std::string& one : {text, std::string("She danced.")}) {
    std::vector<int32_t> ids = encode_prompt(tokenizer, one, false);
    ids.insert(ids.begin(), prefix);
    const auto n = int64_t(ids.size()) - 1;
    Session session(austen(), {});
    for (int64_t done = 0; done < n;) {
      const int64_t end = std::min(done + 16, n), from = std::max<int64_t>(0, end - 16);
      session.truncate(0);
      const std::vector<int32_t> window(ids.begin() + from, ids.begin() + end + 1);
      const std::vector<float> nll = score(session, window);
      for (int64_t p = done; p < end; ++p) loss += double(nll[size_t(p - from)]);
      done = end;
    }
  }
  const double bytes = double(text.size() + 11);
  CHECK(value(a.result, "bits_per_byte") == Approx(loss / bytes / std::log(2.0)).epsilon(1e-12));
  CHECK(value(a.result, "byte_perplexity") == Approx(std::exp(loss / bytes)).epsilon(1e-12));
  CHECK(value(a.result, "word_perplexity") == Approx(std::exp(loss / double(count_words(text) + 2))).epsilon(1e-12));
}

TEST_CASE("texts are generated, cut, voted on and scored", "[eval]") {
  const std::string base = R"({"task": "g", "doc_to_text": "{{start}}", "doc_to_target": "{{end}}",)"
                           R"("metric_list": [{"metric": "exact_match"}, {"metric": "f1"}],)";
  const std::vector<std::string> items = {R"({"start": "It was a", "end": "x"})",
                                          R"({"start": "She had", "end": "y"})"};
  Evaluation greedy(austen(), task_of(base + R"("generation_kwargs": {"until": [" the"], "max_gen_toks": 12}})"), items,
                    {}, {});
  const Answers a = run(greedy);
  GenerateOptions g;
  g.max_tokens = 12;
  g.stop_strings = {" the"};
  Session session(austen(), {});
  const GenerateResult want = generate(session, encode_prompt(austen()->require_tokenizer(), "It was a", false), g);
  const std::string first = a.samples.substr(0, a.samples.find('\n'));
  CHECK(first.find("\"filtered_resps\":[" + nlohmann::json(want.text).dump() + "]") != first.npos);
  CHECK(value(a.result, "exact_match") == 0);

  const std::string sampled = base + R"("repeats": 5, "generation_kwargs": {"until": ["."], "max_gen_toks": 6,
    "temperature": 0.8}, "filter_list": [{"name": "first", "filter": [{"function": "take_first"}]},
    {"name": "vote", "filter": [{"function": "lowercase"}, {"function": "majority_vote"}]}]})";
  std::vector<std::string> samples;
  for (const int parallel : {1, 7}) {
    EvaluationOptions o;
    o.parallel = parallel;
    Evaluation e(austen(), task_of(sampled), items, {}, o);
    samples.push_back(run(e).samples);
  }
  CHECK(samples[0] == samples[1]);
  CHECK(std::count(samples[0].begin(), samples[0].end(), '\n') == 4);
}

}  // namespace test_tasks
