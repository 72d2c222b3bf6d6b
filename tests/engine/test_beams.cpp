// Beam search against two oracles that know nothing of engines: the textbook's loop on fresh sessions, and, where the
// beams are wide enough to lose nothing, the enumeration of every answer.
#include <algorithm>
#include <cmath>
#include <set>

#include "engine/engine_support.h"
#include "puna/base/error.h"

using namespace puna;
using namespace puna::test;

namespace test_beams {
namespace {

struct Answer {
  std::vector<int32_t> tokens;
  double sum = 0, score = 0;
};

struct Search {
  std::vector<int32_t> prompt;
  std::set<int32_t> stops;
  int64_t most = 0;
  size_t beams = 0, top_k = 0;  // 0 = all
  double penalty = 0;
};

EngineRequestOptions request_of(const Search& s) {
  EngineRequestOptions r;
  r.prompt.tokens = s.prompt;
  r.generate.max_tokens = s.most;
  r.generate.ignore_eos = true;
  r.generate.stop_tokens.assign(s.stops.begin(), s.stops.end());
  r.generate.sampler.top_k = int32_t(s.top_k);
  r.beams = int32_t(s.beams);
  r.n = r.beams;
  r.length_penalty = float(s.penalty);
  return r;
}

// log p of every token behind the prompt and `tokens`, the likeliest first: (log p, id).
std::vector<std::pair<double, int32_t>> followers(const ModelPtr& model, const Search& s,
                                                  const std::vector<int32_t>& tokens) {
  Session session(model, {});
  std::vector<int32_t> all = s.prompt;
  all.insert(all.end(), tokens.begin(), tokens.end());
  session.append(all);
  std::vector<std::pair<double, int32_t>> next;
  int32_t id = 0;
  for (const float logit : session.logits()) next.emplace_back(double(logit), id++);
  std::sort(next.begin(), next.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  if (s.top_k > 0) next.resize(s.top_k);
  double total = 0;
  for (const auto& n : next) total += std::exp(n.first - next[0].first);
  const double normaliser = next[0].first + std::log(total);
  for (auto& n : next) n.first -= normaliser;
  return next;
}

Answer behind(const Answer& parent, const std::pair<double, int32_t>& next, double penalty) {
  Answer a = parent;
  a.tokens.push_back(next.second);
  a.sum += next.first;
  a.score = a.sum / std::pow(double(a.tokens.size()), penalty);
  return a;
}

bool ends(const Search& s, const Answer& a) {
  return s.stops.count(a.tokens.back()) != 0 || int64_t(a.tokens.size()) == s.most;
}

void rank(std::vector<Answer>& answers, size_t count) {
  std::stable_sort(answers.begin(), answers.end(), [](const Answer& a, const Answer& b) { return a.score > b.score; });
  answers.resize(std::min(answers.size(), count));
}

// Goes on to the last token, however good the answers are that it has.
std::vector<Answer> textbook(const ModelPtr& model, const Search& s) {
  std::vector<Answer> live{{}}, done;
  while (!live.empty()) {
    std::vector<Answer> next;
    for (const Answer& a : live)
      for (const auto& n : followers(model, s, a.tokens)) next.push_back(behind(a, n, s.penalty));
    std::stable_sort(next.begin(), next.end(), [](const Answer& a, const Answer& b) { return a.sum > b.sum; });
    live.clear();
    for (const Answer& a : next) {
      if (live.size() == s.beams) break;
      (ends(s, a) ? done : live).push_back(a);
    }
  }
  rank(done, s.beams);
  return done;
}

std::vector<Answer> every_answer(const ModelPtr& model, const Search& s) {
  std::vector<Answer> open{{}}, done;
  while (!open.empty()) {
    const Answer a = open.back();
    open.pop_back();
    for (const auto& n : followers(model, s, a.tokens)) {
      Answer b = behind(a, n, s.penalty);
      (ends(s, b) ? done : open).push_back(std::move(b));
    }
  }
  rank(done, s.beams);
  return done;
}

void check_same(const EngineRequest& request, const std::vector<Answer>& want) {
  const std::vector<EngineAnswer> got = request.answers();
  REQUIRE(got.size() == want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(got[i].result.tokens == want[i].tokens);
    CHECK(std::abs(got[i].mean_log_probability - want[i].sum / double(want[i].tokens.size())) < 1e-5);
    CHECK(got[i].ended);
  }
}

}  // namespace

TEST_CASE("beam search finds what the textbook's loop finds, whatever the length's penalty", "[engine]") {
  const ModelPtr model = open_text_model(GENERATE("text_scout_like", "text_maverick_like"));
  const double penalty = GENERATE(0.0, 1.0, 2.5, -1.0);
  const size_t beams = GENERATE(1, 2, 5);
  CAPTURE(penalty, beams);
  Search s{
      .prompt = made_up_tokens(*model, 40, 3), .stops = {}, .most = 7, .beams = beams, .top_k = 0, .penalty = penalty};
  for (int32_t id = 0; id < int32_t(model->config().vocab); id += 6) s.stops.insert(id);
  Engine engine(model, {});
  const EngineRequestPtr request = engine.submit(request_of(s));
  const Told told = run(engine, *request);
  CHECK(told.last.message == "");
  CHECK(told.tokens.size() <= beams);  // none has token events
  for (const auto& tokens : told.tokens) CHECK(tokens.empty());
  CHECK(told.ends.size() == beams);
  check_same(*request, textbook(model, s));
}

TEST_CASE("beams that are wide enough hand out the best of every possible answer", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const double penalty = GENERATE(0.0, 0.7, 3.0, -2.0);
  CAPTURE(penalty);
  Search s{
      .prompt = made_up_tokens(*model, 21, 5), .stops = {}, .most = 4, .beams = 27, .top_k = 3, .penalty = penalty};
  // Stops among what is likely, so that answers of every length compete.
  s.stops = {followers(model, s, {})[1].second, followers(model, s, {followers(model, s, {})[0].second})[2].second};
  const std::vector<Answer> want = every_answer(model, s);
  std::set<size_t> lengths;
  for (const Answer& a : want) lengths.insert(a.tokens.size());
  if (penalty < 1) CHECK(lengths.size() > 1);
  Engine engine(model, {});
  const EngineRequestPtr request = engine.submit(request_of(s));
  run(engine, *request);
  check_same(*request, want);
}

TEST_CASE("beams are the same in company, on any threads, when memory pauses them, and share their prompt's pages",
          "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const Search s{
      .prompt = made_up_tokens(*model, 160, 9), .stops = {}, .most = 110, .beams = 6, .top_k = 0, .penalty = 1};
  std::vector<Answer> want;
  uint64_t with_one = 0, with_six = 0;
  const auto peak = [&](size_t beams, std::vector<Answer>* answers) {
    Search t = s;
    t.beams = beams;
    EngineOptions options;
    options.cache_bytes = 0;
    Engine engine(model, options);
    const EngineRequestPtr request = engine.submit(request_of(t));
    uint64_t most = 0;
    while (engine.step()) most = std::max(most, model->context().allocator()->used());
    if (answers)
      for (const EngineAnswer& a : request->answers())
        answers->push_back({a.result.tokens, a.mean_log_probability * double(a.result.tokens.size()), 0});
    return most;
  };
  const uint64_t before = model->context().allocator()->used();
  with_one = peak(1, nullptr) - before;
  with_six = peak(6, &want) - before;
  CHECK(model->context().allocator()->used() == before);
  Session one(model, {});
  one.append(s.prompt);
  CAPTURE(with_one, with_six, one.kv_bytes());
  CHECK(with_six < with_one + 5 * one.kv_bytes() / 2);
  int64_t pauses = 0, finished = 0;
  for (const int threads : {1, 3})
    for (const int room : {0, 300'000, 400'000, 500'000, 600'000, 700'000, 800'000, 900'000, 1'100'000}) {
      CAPTURE(threads, room);
      const ModelPtr limited = open_text_model("text_scout_like", threads, room == 0 ? 0 : before + uint64_t(room));
      EngineOptions options;
      options.session.prefill_chunk = 32;
      Engine engine(limited, options);
      std::vector<EngineRequestPtr> company;
      const EngineRequestPtr first = engine.submit(request_of(s));
      for (uint32_t i = 0; i < 4; ++i) {
        EngineRequestOptions r;
        r.prompt.tokens = made_up_tokens(*limited, 100 + 20 * i, i);
        r.generate.max_tokens = 110;
        r.generate.ignore_eos = true;
        r.priority = 1;
        company.push_back(engine.submit(r));
      }
      const EngineRequestPtr second = engine.submit(request_of(s));
      for (int i = 0; engine.step(i % 3 == 0 ? 200 : 0); ++i) REQUIRE(i < 100'000);
      for (const EngineRequestPtr& r : {first, second}) {
        INFO(r->info().message);
        pauses += r->info().pauses;
        if (room > 0 && r->info().status == Status::out_of_memory) continue;
        REQUIRE(r->info().outcome == EngineOutcome::finished);
        ++finished;
        check_same(*r, want);
      }
    }
  CAPTURE(pauses, finished);
  CHECK(pauses > 0);
  CHECK(finished >= 12);
}

TEST_CASE("beams end by a cancel, and what they cannot do is refused", "[engine]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const Search s{
      .prompt = made_up_tokens(*model, 30, 9), .stops = {}, .most = 40, .beams = 4, .top_k = 0, .penalty = 0};
  const uint64_t before = model->context().allocator()->used();
  for (int after = 0; after < 12; ++after) {
    EngineOptions options;
    options.cache_bytes = 0;
    Engine engine(model, options);
    const EngineRequestPtr r = engine.submit(request_of(s));
    for (int i = 0; i < after; ++i) engine.step(i % 2);
    r->cancel();
    engine.step(1);
    CHECK(r->info().outcome == EngineOutcome::cancelled);
  }
  CHECK(model->context().allocator()->used() == before);
  Engine engine(model, {});
  const auto refused = [&](auto change) {
    EngineRequestOptions r = request_of(s);
    change(r);
    return status_of([&] { engine.submit(r); }) == Status::invalid_argument;
  };
  CHECK(refused([](auto& r) { r.beams = -1; }));
  CHECK(refused([](auto& r) { r.beams = 3; }));  // n is 4
  CHECK(refused([](auto& r) { r.best_of = 5; }));
  CHECK(refused([](auto& r) { r.generate.lookup_tokens = 2; }));
  CHECK(refused([](auto& r) { r.generate.log_probabilities = 1; }));
  CHECK(refused([](auto& r) { r.length_penalty = NAN; }));
  CHECK(refused([](auto& r) {
    r.beams = 0;
    r.length_penalty = 1;
  }));
}

TEST_CASE("beams keep to a grammar and to stop strings", "[engine]") {
  const ModelPtr model = Model::open(make_context({}), PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf");
  Engine engine(model, {});
  EngineRequestOptions r;
  r.prompt.tokens = encode_prompt(model->require_tokenizer(), "It is a truth universally acknowledged, that", false);
  r.beams = r.n = 5;
  r.length_penalty = 1;
  r.generate.max_tokens = 30;
  const std::string choices[] = {"yes", "no", "perhaps it is so"};
  r.generate.grammar = grammar_from_choices(choices);
  const EngineRequestPtr chosen = engine.submit(r);
  CHECK(run(engine, *chosen).last.message == "");
  std::set<std::vector<int32_t>> different;
  for (const EngineAnswer& a : chosen->answers()) {
    CHECK(std::count(std::begin(choices), std::end(choices), a.result.text) == 1);
    CHECK(a.result.whole);
    different.insert(a.result.tokens);
  }
  CHECK(different.size() == chosen->answers().size());
  r.generate.grammar = nullptr;
  r.generate.stop_strings = {"e"};
  const EngineRequestPtr stopped = engine.submit(r);
  CHECK(run(engine, *stopped).last.message == "");
  bool by_string = false;
  for (const EngineAnswer& a : stopped->answers()) {
    CHECK(a.result.text.find('e') == std::string::npos);
    by_string = by_string || a.result.reason == StopReason::stop_string;
  }
  CHECK(by_string);
}

}  // namespace test_beams
