// Scores of many continuations: the bits of each alone, whatever is shared, packed or cut.
#include <cstring>

#include "engine/engine_support.h"
#include "puna/runtime/continuations.h"
#include "puna/runtime/generate.h"

using namespace puna;
using namespace puna::test;

namespace test_continuations {
namespace {

// Requests as tasks make them: a description that all share, a question that its choices share, short and long ends;
// then the same request twice, one that ends inside another, and one of its own.
std::vector<Continuation> requests_of(const Model& model) {
  std::vector<Continuation> all;
  const std::vector<int32_t> description = made_up_tokens(model, 70, 1);
  for (uint32_t item = 0; item < 5; ++item) {
    std::vector<int32_t> question = description;
    const std::vector<int32_t> own = made_up_tokens(model, 11 + 9 * item, 100 + item);
    question.insert(question.end(), own.begin(), own.end());
    for (uint32_t choice = 0; choice < 4; ++choice) {
      const std::vector<int32_t> end = made_up_tokens(model, 1 + choice * 3, 1000 + 10 * item + choice);
      Continuation c{question, int64_t(end.size())};
      c.tokens.insert(c.tokens.end(), end.begin(), end.end());
      all.push_back(c);
    }
  }
  all.push_back(all.back());
  Continuation inside = all[3];
  inside.tokens.resize(inside.tokens.size() - 4);
  inside.scored = 5;
  all.push_back(inside);
  all.push_back({made_up_tokens(model, 2, 7), 1});
  return all;
}

struct Scored {
  std::vector<ContinuationScore> scores;
  ContinuationWork work;
};
Scored scored(const ModelPtr& model, const std::vector<Continuation>& requests, const ContinuationOptions& options) {
  Scored s;
  s.scores.resize(requests.size());
  std::vector<int> told(requests.size());
  s.work = score_continuations(model, requests, options, [&](size_t i, const ContinuationScore& score) {
    s.scores[i] = score;
    return ++told[i] == 1;
  });
  for (const int n : told) CHECK(n == 1);
  return s;
}

ContinuationScore alone(const ModelPtr& model, const SessionOptions& mode, const Continuation& c) {
  Session session(model, mode);
  const std::vector<float> nll = score(session, c.tokens);
  ContinuationScore s{.greedy = true};
  const size_t vocab = size_t(model->config().vocab), n = c.tokens.size();
  for (size_t t = n - size_t(c.scored); t < n; ++t) s.log_likelihood += -double(nll[t - 1]);
  session.truncate(0);
  std::vector<float> logits(n * vocab);
  session.append(c.tokens, {.logits = logits});
  for (size_t t = n - size_t(c.scored); t < n; ++t) {
    const auto row = logits.begin() + ptrdiff_t((t - 1) * vocab);
    s.greedy = s.greedy && std::max_element(row, row + ptrdiff_t(vocab)) - row == c.tokens[t];
  }
  return s;
}

}  // namespace

TEST_CASE("continuations have the bits of score(), shared or not, in any pass", "[eval]") {
  const char* const fixture = GENERATE("text_scout_like", "gemma3", "gpt_oss");
  CAPTURE(fixture);
  const ModelPtr model = open_text_model(fixture);
  std::vector<Continuation> requests = requests_of(*model);
  const bool exact = GENERATE(false, true);
  SessionOptions mode;
  mode.exact = exact;
  std::vector<ContinuationScore> want;
  for (const Continuation& c : requests) want.push_back(alone(model, mode, c));
  for (const bool share : {true, false})
    for (const int64_t rows : {7, 64, 500}) {
      CAPTURE(exact, share, rows);
      ContinuationOptions options;
      options.session = mode;
      options.session.prefill_chunk = rows;
      options.share = share;
      options.kv_bytes = rows == 64 ? 1 : uint64_t(64) << 20;  // 1: one sequence after the other
      const Scored got = scored(model, requests, options);
      for (size_t i = 0; i < requests.size(); ++i) {
        CAPTURE(i);
        CHECK(memcmp(&got.scores[i].log_likelihood, &want[i].log_likelihood, sizeof(double)) == 0);
        CHECK(got.scores[i].greedy == want[i].greedy);
      }
      int64_t all = 0;
      for (const Continuation& c : requests) all += int64_t(c.tokens.size());
      CHECK(got.work.tokens == all);
      if (share && rows == 500) CHECK(got.work.rows * 2 < all);
      if (!share) CHECK(got.work.rows == all - int64_t(requests.size()));
    }
}

TEST_CASE("a continuation that follows greedily is greedy", "[eval]") {
  const ModelPtr model = open_text_model("text_scout_like");
  Session session(model, {});
  const std::vector<int32_t> prompt = made_up_tokens(*model, 9, 3);
  GenerateOptions g;
  g.max_tokens = 5;
  g.ignore_eos = true;
  const GenerateResult result = generate(session, prompt, g);
  Continuation c{prompt, 5};
  c.tokens.insert(c.tokens.end(), result.tokens.begin(), result.tokens.end());
  Continuation other = c;
  other.tokens.back() = (other.tokens.back() + 1) % int32_t(model->config().vocab);
  const Scored got = scored(model, {c, other}, {});
  CHECK(got.scores[0].greedy);
  CHECK_FALSE(got.scores[1].greedy);
}

TEST_CASE("what cannot be scored is refused by its number, and a host's no ends it", "[eval]") {
  const ModelPtr model = open_text_model("text_scout_like");
  const auto says = [&](const std::vector<Continuation>& requests, const ContinuationOptions& options = {}) {
    return message_of([&] { score_continuations(model, requests, options, [](size_t, const auto&) { return true; }); });
  };
  const std::vector<int32_t> ids = made_up_tokens(*model, 4, 1);
  CHECK(says({{ids, 1}, {ids, 4}}) == "request 1 scores 4 of its 4 tokens, expected one at least, and one before it");
  CHECK(says({{ids, 0}}).starts_with("request 0 scores 0 of its 4 tokens"));
  CHECK(says({{{1, -2}, 1}}).starts_with("request 0: token 1 is -2, expected 0 to "));
  ContinuationOptions small;
  small.session.max_positions = 3;
  CHECK(says({{ids, 1}}, small).empty());  // the last token is predicted, it takes no position
  CHECK(says({{made_up_tokens(*model, 5, 1), 1}}, small).starts_with("request 0 has 5 tokens, the context holds 3"));
  size_t told = 0;
  const std::vector<Continuation> many = requests_of(*model);
  ContinuationOptions few;
  few.session.prefill_chunk = 16;
  CHECK(status_of([&] { score_continuations(model, many, few, [&](size_t, const auto&) { return ++told < 3; }); }) ==
        Status::cancelled);
  CHECK(told == 3);
  CHECK(status_of([&] {
          score_continuations(
              model, many, few, [&](size_t, const auto&) { return true; }, [] { return true; });
        }) == Status::cancelled);
}

}  // namespace test_continuations
