// test_generate.cpp -- the loop over real small models. Where a test needs a certain answer, a processor forbids all
// others: the model still runs, only the choice is scripted.
#include <algorithm>
#include <cmath>
#include <limits>

#include "puna/base/error.h"
#include "puna/runtime/generate.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace {

using Ids = std::vector<int32_t>;

// A golden model that comes with a tokenizer.
const ModelPtr& model() {
  static const ModelPtr m = [] {
    const std::vector<Golden> all =
        goldens([](const Golden& g) { return g.has_file("config.json") && g.has_file("tokenizer.json"); });
    return Model::open(make_context({}), all.front().folder());
  }();
  return m;
}
Ids encode(const std::string& text) { return model()->require_tokenizer().encode(text, false); }
// Character by character: the same number of tokens for the same text's parts, whatever the tokenizer merges.
Ids spell(const std::string& text) {
  Ids all;
  for (size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    do ++end;
    while (end < text.size() && (uint8_t(text[end]) & 0xC0) == 0x80);
    const Ids ids = encode(text.substr(begin, end - begin));
    all.insert(all.end(), ids.begin(), ids.end());
  }
  return all;
}
Ids first_tokens(size_t n) {
  Ids ids = spell("0123456789 some text that is long enough for every test here");
  REQUIRE(ids.size() >= n);
  ids.resize(n);
  return ids;
}
int32_t stop_id() { return model()->require_tokenizer().specials().stop.at(0); }

// Forces answers token by token; after the script the model is free.
struct Script {
  Ids ids;
  size_t prompt;
  void operator()(std::span<float> logits, std::span<const int32_t> history) const {
    const size_t at = history.size() - prompt;
    if (at >= ids.size()) return;
    const float kept = logits[size_t(ids[at])];
    std::fill(logits.begin(), logits.end(), -std::numeric_limits<float>::infinity());
    logits[size_t(ids[at])] = kept;
  }
};

struct Answer {
  GenerateResult result;
  std::vector<std::string> pieces;
  Ids held;  // what the session holds afterwards
};

Answer scripted(const std::string& answer, GenerateOptions options, bool and_stop_token = false,
                const std::string& prompt = "Say:") {
  Session session(model(), {});
  Script script{spell(answer), encode(prompt).size()};
  if (and_stop_token) script.ids.push_back(stop_id());
  options.processor = script;
  Answer a;
  a.result = generate(session, encode(prompt), options, [&](const GeneratedToken& t) {
    a.pieces.emplace_back(t.text);
    return true;
  });
  a.held.assign(session.tokens().begin(), session.tokens().end());
  return a;
}

std::string join(const std::vector<std::string>& pieces) {
  std::string s;
  for (const std::string& p : pieces) s += p;
  return s;
}

GenerateOptions limited(int64_t max_tokens) {
  GenerateOptions o;
  o.max_tokens = max_tokens;
  o.ignore_eos = true;
  return o;
}

GenerateOptions warm(int64_t max_tokens, uint64_t seed) {
  GenerateOptions o = limited(max_tokens);
  o.sampler.temperature = 1;
  o.sampler.seed = seed;
  return o;
}

}  // namespace

TEST_CASE("greedy generation repeats transformers' tokens", "[runtime][golden]") {
  const auto text_only = [](const Golden& g) {
    return g.has("greedy_tokens") && g.has("input_ids") && !g.has("image_features");
  };
  for (const Golden& g : goldens(text_only)) {
    CAPTURE(g.folder());
    const ModelPtr m = Model::open(make_context({}), g.folder());
    SessionOptions exact;
    exact.exact = true;
    Session session(m, exact);
    const std::vector<int64_t> prompt = g.array("input_ids").i64(), want = g.array("greedy_tokens").i64();
    const GenerateResult r = generate(session, Ids(prompt.begin(), prompt.end()), limited(int64_t(want.size())));
    CHECK(std::vector<int64_t>(r.tokens.begin(), r.tokens.end()) == want);
    CHECK(r.reason == StopReason::max_tokens);
    CHECK(r.prompt_tokens == int64_t(prompt.size()));
    CHECK(session.length() == int64_t(prompt.size() + want.size()));
  }
}

TEST_CASE("an answer streams, stops at the model's stop token, and the session holds all of it", "[runtime]") {
  const Answer a = scripted("naïve €", {}, /*and_stop_token=*/true);
  CHECK(a.result.text == "naïve €");
  CHECK(join(a.pieces) == a.result.text);
  CHECK(a.result.reason == StopReason::stop_token);
  CHECK(a.result.tokens.back() == stop_id());
  CHECK(a.pieces.size() == a.result.tokens.size());
  Ids expected = encode("Say:"), said = spell("naïve €");
  expected.insert(expected.end(), said.begin(), said.end());
  expected.push_back(stop_id());
  CHECK(a.held == expected);

  GenerateOptions special;
  special.keep_special = true;
  CHECK(scripted("ok", special, true).result.text == "ok" + std::string(model()->require_tokenizer().bytes(stop_id())));

  GenerateOptions ignoring = limited(4);
  CHECK(scripted("abc", ignoring, true).result.reason == StopReason::max_tokens);
  GenerateOptions own;
  own.stop_tokens = {encode("c").front()};
  const Answer stopped = scripted("abcde", own);
  CHECK(stopped.result.reason == StopReason::stop_token);
  CHECK(stopped.result.text == "abc");
}

TEST_CASE("a stop string ends the answer before it, and what only looked like one is shown in the end", "[runtime]") {
  GenerateOptions o;
  o.stop_strings = {"\nUser:", "<<<"};
  const Answer a = scripted("Hi <<there\nUser: x", o);
  CHECK(a.result.text == "Hi <<there");
  CHECK(join(a.pieces) == a.result.text);
  CHECK(a.result.reason == StopReason::stop_string);
  o.max_tokens = int64_t(spell("Hi <<").size());
  const Answer cut = scripted("Hi <<<", o);
  CHECK(cut.result.reason == StopReason::max_tokens);
  CHECK(cut.result.text == "Hi <<");
  CHECK(join(cut.pieces) == cut.result.text);
  const Answer token = scripted("Hi <<", o, /*and_stop_token=*/true);
  CHECK(token.result.text == "Hi <<");
  o.stop_strings = {"fine", ""};
  CHECK(status_of([&] { scripted("x", o); }) == Status::invalid_argument);
}

TEST_CASE("an answer cut inside a character ends in U+FFFD", "[runtime]") {
  const Ids euro = encode("€");
  if (euro.size() < 2) return;  // this tokenizer has the sign in one piece
  CHECK(scripted("€", limited(int64_t(euro.size()) - 1)).result.text == "\xef\xbf\xbd");
}

TEST_CASE("the token callback can stop, and the session goes on from there", "[runtime]") {
  Session session(model(), {});
  const Ids prompt = encode("Once");
  int calls = 0;
  const GenerateResult r = generate(session, prompt, limited(50), [&](const GeneratedToken&) { return ++calls < 5; });
  CHECK(r.reason == StopReason::callback);
  CHECK(r.tokens.size() == 5);
  CHECK(session.length() == int64_t(prompt.size()) + 5);
  CHECK(session.pending());

  const GenerateResult rest = generate(session, Ids(), limited(45));  // the last token is computed first
  Session whole(model(), {});
  Ids both = r.tokens;
  both.insert(both.end(), rest.tokens.begin(), rest.tokens.end());
  CHECK(generate(whole, prompt, limited(50)).tokens == both);
}

TEST_CASE("draws depend on seed and position: a resumed or forked session repeats them", "[runtime]") {
  const Ids prompt = encode("Some words");
  Session a(model(), {});
  const Ids first = generate(a, prompt, warm(40, 7)).tokens;
  Session b(model(), {});
  CHECK(generate(b, prompt, warm(40, 7)).tokens == first);
  Session c(model(), {});
  CHECK(generate(c, prompt, warm(40, 8)).tokens != first);

  Session d(model(), {});
  const Ids half = generate(d, prompt, warm(20, 7)).tokens;
  CHECK(Ids(first.begin(), first.begin() + 20) == half);
  const std::unique_ptr<Session> fork = d.fork();
  const Ids rest(first.begin() + 20, first.end());
  CHECK(generate(d, Ids(), warm(20, 7)).tokens == rest);
  CHECK(generate(*fork, Ids(), warm(20, 7)).tokens == rest);
  d.truncate(int64_t(prompt.size()) + 10);
  CHECK(generate(d, std::span(first).subspan(10, 1), warm(29, 7)).tokens == Ids(first.begin() + 11, first.end()));
}

TEST_CASE("an empty prompt goes on from the session's logits, and needs some", "[runtime]") {
  Session a(model(), {});
  CHECK(status_of([&] { generate(a, Ids(), limited(3)); }) == Status::wrong_state);
  a.append(encode("abc"));
  Session b(model(), {});
  CHECK(generate(a, Ids(), limited(3)).tokens == generate(b, encode("abc"), limited(3)).tokens);
}

TEST_CASE("log-probabilities are the model's own: the chosen token first, then the most likely", "[runtime]") {
  Session session(model(), {});
  GenerateOptions o = warm(10, 3);
  o.sampler.top_k = 5;
  o.sampler.repetition_penalty = 2;
  o.log_probabilities = 4;
  Generation generation(session, encode("abc"), o);
  while (generation.step({}) != Generation::Event::ended) {
    const GeneratedToken& t = generation.token();
    const std::unique_ptr<Session> before = session.fork();  // it was drawn
    before->truncate(before->length() - 1);
    const std::span<const float> logits = before->logits();
    double sum = 0;
    for (const float x : logits) sum += std::exp(double(x));
    REQUIRE(t.probabilities.size() == 4);
    CHECK(t.probabilities[0].token == t.id);
    for (const TokenProbability& p : t.probabilities)
      CHECK(double(p.log_probability) == Approx(double(logits[size_t(p.token)]) - std::log(sum)).margin(1e-5));
    Ids best(logits.size());
    for (size_t i = 0; i < best.size(); ++i) best[i] = int32_t(i);
    std::stable_sort(best.begin(), best.end(),
                     [&](int32_t x, int32_t y) { return logits[size_t(x)] > logits[size_t(y)]; });
    best.erase(std::find(best.begin(), best.end(), t.id));
    for (size_t i = 1; i < 4; ++i) CHECK(t.probabilities[i].token == best[i - 1]);
  }
  Session other(model(), {});
  o.log_probabilities = int32_t(other.model().config().vocab) + 1;
  CHECK(status_of([&] { generate(other, encode("abc"), o); }) == Status::invalid_argument);
  o.log_probabilities = int32_t(other.model().config().vocab);
  generate(other, encode("abc"), o,
           [&](const GeneratedToken& t) { return t.probabilities.size() != size_t(o.log_probabilities); });
  CHECK(other.length() == int64_t(encode("abc").size()) + 1);
}

TEST_CASE("a full context ends the answer, and a prompt that does not fit is an error", "[runtime]") {
  SessionOptions small;
  small.max_positions = 16;
  Session session(model(), small);
  const Ids prompt = first_tokens(10);
  const GenerateResult r = generate(session, prompt, limited(0));
  CHECK(r.reason == StopReason::context_full);
  CHECK(session.length() == 16);
  CHECK(r.tokens.size() == 7);  // the last one was drawn, but does not fit
  CHECK(status_of([&] { generate(session, prompt, limited(1)); }) == Status::context_full);
  CHECK(session.length() == 16);
}

TEST_CASE("drop_oldest keeps the prefix and the newest half, as if the conversation had been that", "[runtime]") {
  SessionOptions small;
  small.max_positions = 16;
  GenerateOptions o = limited(100);
  o.context_policy = ContextPolicy::drop_oldest;
  o.keep_prefix = 4;
  Session session(model(), small);
  const Ids prompt = first_tokens(9);
  Ids all = prompt;
  size_t drops = 0;
  Generation generation(session, prompt, o);
  while (generation.step({}) != Generation::Event::ended) {
    const std::unique_ptr<Session> before = session.fork();  // the token was drawn
    if (before->pending()) before->truncate(before->length() - 1);
    const std::span<const int32_t> held = before->tokens();
    CHECK(Ids(held.begin(), held.begin() + 4) == Ids(prompt.begin(), prompt.begin() + 4));
    CHECK(std::equal(held.begin() + 4, held.end(), all.end() - (ptrdiff_t(held.size()) - 4)));  // the newest
    if (held.size() == 4 + 6 && all.size() > prompt.size() + 1) {  // just shortened: (16 - 4) / 2 stay
      ++drops;
      Session fresh(model(), small);
      fresh.append(held);
      const std::span<const float> a = before->logits(), b = fresh.logits();
      CHECK(std::equal(a.begin(), a.end(), b.begin()));
    }
    all.push_back(generation.token().id);
  }
  CHECK(generation.result().reason == StopReason::max_tokens);
  CHECK(all.size() == prompt.size() + 100);
  CHECK(drops >= 10);

  Session late(model(), small);  // a prompt that does not fit is shortened the same way
  const Ids longer = first_tokens(24);
  generate(late, longer, [&] {
    GenerateOptions one = o;
    one.max_tokens = 1;
    return one;
  }());
  Ids expected(longer.begin(), longer.begin() + 4);
  expected.insert(expected.end(), longer.end() - 6, longer.end());
  CHECK(Ids(late.tokens().begin(), late.tokens().end() - 1) == expected);
  o.keep_prefix = 15;
  CHECK(status_of([&] { generate(late, longer, o); }) == Status::invalid_argument);
  o.keep_prefix = -1;
  CHECK(status_of([&] { generate(late, longer, o); }) == Status::invalid_argument);
}

TEST_CASE("cancel ends the call with an error and leaves the session usable", "[runtime]") {
  Session session(model(), {});
  const Ids prompt = encode("Cancel me");
  Ids seen;
  const auto cancel_third = [&](const GeneratedToken& t) {
    seen.push_back(t.id);
    if (seen.size() == 3) session.cancel();
    return true;
  };
  CHECK(status_of([&] { generate(session, prompt, limited(20), cancel_third); }) == Status::cancelled);
  CHECK(seen.size() == 3);
  CHECK(session.length() == int64_t(prompt.size()) + 3);
  const Ids rest = generate(session, Ids(), limited(17)).tokens;
  Session whole(model(), {});
  seen.insert(seen.end(), rest.begin(), rest.end());
  CHECK(generate(whole, prompt, limited(20)).tokens == seen);

  Session late(model(), {});  // a cancel that comes after the last token does not hit the next call
  generate(late, prompt, limited(1), [&](const GeneratedToken&) {
    late.cancel();
    return true;
  });
  CHECK(generate(late, Ids(), limited(2)).tokens == Ids(seen.begin() + 1, seen.begin() + 3));
}

TEST_CASE("an exception thrown by a callback passes through and leaves the session usable", "[runtime]") {
  Session session(model(), {});
  const Ids prompt = encode("abc");
  CHECK_THROWS_AS(generate(session, prompt, limited(5), [](const GeneratedToken&) -> bool { throw 42; }), int);
  CHECK(session.length() == int64_t(prompt.size()) + 1);
  GenerateOptions o = limited(5);
  const auto poison = [](std::span<float> logits, std::span<const int32_t>) {
    logits[3] = std::numeric_limits<float>::quiet_NaN();
  };
  o.processor = poison;
  CHECK(status_of([&] { generate(session, Ids(), o); }) == Status::invalid_argument);
  CHECK(generate(session, Ids(), limited(5)).tokens.size() == 5);
}

TEST_CASE("options out of range are refused before anything is computed", "[runtime]") {
  Session session(model(), {});
  const auto refused = [&](auto&& change) {
    GenerateOptions o;
    change(o);
    CHECK(status_of([&] { generate(session, encode("abc"), o); }) == Status::invalid_argument);
    CHECK(session.length() == 0);
  };
  refused([](GenerateOptions& o) { o.max_tokens = -1; });
  refused([](GenerateOptions& o) { o.log_probabilities = -1; });
  refused([](GenerateOptions& o) { o.context_policy = ContextPolicy(7); });
  refused([](GenerateOptions& o) { o.sampler.top_p = 0; });
}
