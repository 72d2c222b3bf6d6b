// Answers by a grammar: a sampler among the tokens of a mask, and generation with drafts and any number of threads.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "puna/base/error.h"
#include "puna/grammar/matcher.h"
#include "puna/runtime/generate.h"
#include "support/catch.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace test_constrained {
namespace {

using Ids = std::vector<int32_t>;

constexpr float kNever = -std::numeric_limits<float>::infinity();
const std::string kBundled = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";

// Every filter, alone and together.
std::vector<SamplerOptions> every_filter() {
  std::vector<SamplerOptions> all;
  const auto add = [&](auto set) {
    SamplerOptions o;
    o.temperature = 0.9f;
    o.seed = 11;
    set(o);
    all.push_back(o);
  };
  add([](SamplerOptions& o) { o.temperature = 0; });
  add([](SamplerOptions&) {});
  add([](SamplerOptions& o) { o.top_k = 5; });
  add([](SamplerOptions& o) { o.top_p = 0.7f; });
  add([](SamplerOptions& o) { o.min_p = 0.1f; });
  add([](SamplerOptions& o) { o.typical_p = 0.6f; });
  add([](SamplerOptions& o) { o.epsilon = 0.02f; });
  add([](SamplerOptions& o) { o.eta = 0.02f; });
  add([](SamplerOptions& o) { o.repetition_penalty = 1.4f; });
  add([](SamplerOptions& o) { o.logit_bias = {{3, 2.5f}, {4, kNever}}; });
  add([](SamplerOptions& o) {
    o.no_repeat_ngram = 2;
    o.presence_penalty = 0.5f;
    o.frequency_penalty = 0.25f;
    o.top_k = 40;
    o.top_p = 0.9f;
    o.min_p = 0.01f;
  });
  return all;
}

std::vector<float> some_logits(size_t count, uint64_t seed) {
  std::vector<float> logits;
  for (size_t i = 0; i < count; ++i) logits.push_back(float(philox(seed, i).word[0] >> 8) * 0x1p-21f - 4);
  return logits;
}

// A mask and the tokens in it.
struct Allowed {
  TokenMask::Kind kind;
  Ids ids;
  std::vector<uint64_t> bits;
  TokenMask mask() const {
    return {kind, kind == TokenMask::Kind::few ? std::span(ids) : std::span<const int32_t>(), bits};
  }
};
Allowed allowed(TokenMask::Kind kind, size_t vocabulary, uint64_t seed, uint32_t one_of) {
  Allowed a{kind, {}, {}};
  for (size_t i = 0; i < vocabulary; ++i)
    if (philox(seed, i).word[1] % one_of == 0) a.ids.push_back(int32_t(i));
  if (kind == TokenMask::Kind::bitmap) {
    a.bits.resize((vocabulary + 63) / 64);
    for (const int32_t id : a.ids) a.bits[size_t(id) / 64] |= uint64_t(1) << id % 64;
  }
  return a;
}

ModelPtr bundled(int threads = 2) {
  ContextOptions options;
  options.threads = threads;
  return Model::open(make_context(options), kBundled);
}

const char* const kEstate = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "estate_that_is_described_in_the_chapter": {"enum": ["Pemberley", "Longbourn", "Netherfield"]},
    "number_of_the_rooms_of_that_estate": {"type": "integer", "minimum": 1, "maximum": 99},
    "remarks_of_the_visitors_of_that_estate": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 2}
  },
  "required": ["estate_that_is_described_in_the_chapter", "number_of_the_rooms_of_that_estate",
               "remarks_of_the_visitors_of_that_estate"]
})";

GenerateOptions constrained(float temperature, uint64_t seed = 1) {
  GenerateOptions o;
  o.grammar = grammar_from_json_schema(kEstate);
  o.sampler.temperature = temperature;
  o.sampler.seed = seed;
  o.max_tokens = 300;
  return o;
}
GenerateResult answer(const ModelPtr& model, const GenerateOptions& options) {
  Session session(model, {});
  return generate(session, model->require_tokenizer().encode("The house was", false), options);
}

}  // namespace

TEST_CASE("a sampler among allowed tokens draws as if the logits of all others were -infinity", "[runtime]") {
  constexpr size_t kVocabulary = 301;  // no multiple of 64
  const Ids history = {3, 7, 3, 9, 7, 3};
  for (const SamplerOptions& options : every_filter()) {
    const Sampler sampler(options);
    for (const auto kind : {TokenMask::Kind::few, TokenMask::Kind::bitmap}) {
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        const std::vector<float> logits = some_logits(kVocabulary, seed);
        const Allowed a = allowed(kind, kVocabulary, seed, seed % 2 ? 3 : 60);
        REQUIRE(!a.ids.empty());
        // A penalty, a bias and a processor come before the mask: they change allowed tokens as they do without one.
        std::vector<float> elsewhere(kVocabulary, kNever);
        for (const int32_t id : a.ids) elsewhere[size_t(id)] = logits[size_t(id)];
        if (std::ranges::all_of(a.ids, [](int32_t id) { return id == 4; })) continue;
        CAPTURE(options.top_k, options.top_p, options.temperature, int(kind), seed);
        const TokenProbability got = sampler.sample(logits, history, seed, {}, a.mask());
        const TokenProbability wanted = sampler.sample(elsewhere, history, seed);
        CHECK(got.token == wanted.token);
        CHECK(got.log_probability == wanted.log_probability);
        CHECK(a.mask().allows(got.token));
      }
    }
  }
}

TEST_CASE("a mask of everything changes nothing, and one of nothing is refused", "[runtime]") {
  const std::vector<float> logits = some_logits(100, 4);
  SamplerOptions options;
  options.temperature = 1;
  const Sampler sampler(options);
  for (uint64_t draw = 0; draw < 50; ++draw) {
    const TokenProbability plain = sampler.sample(logits, {}, draw);
    const TokenProbability among = sampler.sample(logits, {}, draw, {}, TokenMask::everything());
    CHECK(plain.token == among.token);
    CHECK(plain.log_probability == among.log_probability);
  }
  CHECK(status_of([&] { (void)sampler.sample(logits, {}, 0, {}, TokenMask{}); }) == Status::invalid_argument);
  // All that is allowed is forbidden by a bias.
  options.logit_bias = {{5, kNever}};
  const Ids only = {5};
  const TokenMask mask{TokenMask::Kind::few, only, {}};
  CHECK(status_of([&] { (void)Sampler(options).sample(logits, {}, 0, {}, mask); }) == Status::invalid_argument);
}

TEST_CASE("the processor of a constrained answer comes before the mask", "[runtime]") {
  const ModelPtr model = bundled();
  GenerateOptions options;
  options.grammar = grammar_from_choices(std::vector<std::string>{"Elizabeth", "Lydia", "Kitty"});
  const GenerateResult plain = answer(model, options);
  const int32_t first = plain.tokens.front();
  const auto forbid = [&](std::span<float> logits, std::span<const int32_t>) { logits[size_t(first)] = kNever; };
  options.processor = forbid;
  const GenerateResult other = answer(model, options);
  CHECK(other.tokens.front() != first);
  CHECK(other.whole);
  CHECK((other.text == "Elizabeth" || other.text == "Lydia" || other.text == "Kitty"));
}

TEST_CASE("an answer by a schema is the same with drafts, and forced text is drafted", "[runtime]") {
  const ModelPtr model = bundled();
  int64_t accepted = 0;
  for (const float temperature : {0.0f, 0.8f, 1.5f}) {
    for (const uint64_t seed : {1u, 2u, 3u}) {
      if (temperature == 0 && seed > 1) continue;
      CAPTURE(temperature, seed);
      // Step by step by hand: matcher, sampler, no drafts of any kind.
      const GenerateOptions options = constrained(temperature, seed);
      Matcher matcher(options.grammar, model->grammar_vocabulary());
      const Sampler sampler(options.sampler);
      Session session(model, {});
      session.append(model->require_tokenizer().encode("The house was", false));
      Ids wanted;
      while (!matcher.ended() && wanted.size() < 300) {
        const auto draw = uint64_t(session.length());
        wanted.push_back(sampler.sample(session.logits(), session.tokens(), draw, {}, matcher.mask()).token);
        matcher.accept(wanted.back());
        session.append(std::span(&wanted.back(), 1));
      }
      const GenerateResult got = answer(model, options);
      CHECK(got.tokens == wanted);
      CHECK(got.whole);
      CHECK((got.reason == StopReason::grammar || got.reason == StopReason::stop_token));
      CHECK(nlohmann::json::parse(got.text).size() == 3);
      accepted += got.accepted_drafts;

      GenerateOptions looks_up = options;
      looks_up.lookup_tokens = 8;
      CHECK(answer(model, looks_up).tokens == wanted);
      Session drafting(model, {});
      GenerateOptions drafted = options;
      drafted.draft = &drafting;
      drafted.draft_tokens = 4;
      CHECK(answer(model, drafted).tokens == wanted);
    }
  }
  CHECK(accepted > 20);
}

TEST_CASE("an answer by a schema does not depend on the number of threads", "[runtime]") {
  const GenerateOptions options = constrained(0.9f, 4);
  const GenerateResult one = answer(bundled(1), options);
  CHECK(one.whole);
  for (const int threads : {2, 3}) {
    const GenerateResult more = answer(bundled(threads), options);
    CHECK(more.tokens == one.tokens);
    CHECK(more.accepted_drafts == one.accepted_drafts);
  }
}

TEST_CASE("where an answer stops is the grammar's, max_tokens' or a stop string's matter", "[runtime]") {
  const ModelPtr model = bundled();
  GenerateOptions options = constrained(0);
  const GenerateResult all = answer(model, options);
  REQUIRE(all.whole);
  for (const int64_t n : {1, 5, 9}) {
    options.max_tokens = n;
    const GenerateResult cut = answer(model, options);
    CHECK(cut.tokens == Ids(all.tokens.begin(), all.tokens.begin() + n));
    CHECK(!cut.whole);
    CHECK(cut.reason == StopReason::max_tokens);
  }
  options.max_tokens = 0;
  options.stop_strings = {"described"};
  const GenerateResult stopped = answer(model, options);
  CHECK(stopped.reason == StopReason::stop_string);
  CHECK(!stopped.whole);
  CHECK(stopped.text.find("described") == std::string::npos);
}

TEST_CASE("an answer that max_tokens or the context would cut is closed in time, where it can be", "[runtime]") {
  const ModelPtr model = bundled();
  const auto prompt = model->require_tokenizer().encode("The house was", false);
  size_t closed = 0, cut = 0;
  for (const bool by_context : {false, true})
    for (int64_t most = 1; most <= 60; most += most < 24 ? 1 : 6)
      for (const uint64_t seed : {1u, 2u}) {
        CAPTURE(by_context, most, seed);
        GenerateOptions options = constrained(seed == 1 ? 0.0f : 1.0f, seed);
        options.grammar = grammar_from_json_schema(R"({"type": "object", "required": ["who", "what"], "properties": {
            "who": {"type": "string"}, "what": {"type": "array", "items": {"type": "object", "required": ["a"],
            "properties": {"a": {"enum": ["wealth", "honour"]}}}, "minItems": 1}}, "additionalProperties": false})");
        options.max_tokens = by_context ? 0 : most;
        SessionOptions places;
        if (by_context) places.max_positions = int64_t(prompt.size()) + most - 1;
        const auto generated = [&] {
          Session session(model, places);
          return generate(session, prompt, options);
        };
        const GenerateResult without = generated();
        options.close_answer = true;
        const GenerateResult got = generated();
        CHECK(int64_t(got.tokens.size()) <= most);
        const size_t needed = Matcher(options.grammar, model->grammar_vocabulary()).closing_tokens(1000).value().size();
        CHECK(got.whole == (size_t(most) >= needed));
        if (got.whole) CHECK(nlohmann::json::accept(got.text));
        if (without.whole) {  // nothing was to be closed
          size_t same = 0;
          while (same < got.tokens.size() && got.tokens[same] == without.tokens[same]) ++same;
          CHECK(same > 0);
        }
        closed += got.whole && !without.whole;
        cut += !got.whole;
        options.lookup_tokens = 6;
        CHECK(generated().tokens == got.tokens);
      }
  CHECK(closed > 20);
  CHECK(cut > 10);

  GenerateOptions options;
  options.close_answer = true;
  Session session(model, {});
  CHECK(status_of([&] { (void)generate(session, prompt, options); }) == Status::invalid_argument);
}

TEST_CASE("an answer that ends long before max_tokens is not changed by closing", "[runtime]") {
  const ModelPtr model = bundled();
  for (const uint64_t seed : {1u, 2u, 3u}) {
    GenerateOptions options = constrained(1, seed);
    options.max_tokens = 2000;
    const GenerateResult plain = answer(model, options);
    options.close_answer = true;
    CHECK(answer(model, options).tokens == plain.tokens);
  }
}

TEST_CASE("an answer that is whole and would go on is closed by the options' stop token, or else the model's eos",
          "[runtime]") {
  const ModelPtr model = bundled();
  const Tokenizer& tokenizer = model->require_tokenizer();
  const int32_t eos = tokenizer.specials().eos, x = tokenizer.find("x"), own = tokenizer.find("q");
  REQUIRE(eos >= 0);
  GenerateOptions options;
  options.grammar = grammar_from_regex("x( and so on, and so on, and so on)?");
  options.close_answer = true;
  options.max_tokens = 2;
  options.sampler.temperature = 0;
  options.sampler.logit_bias = {{x, 1000.0f}, {own, -1000.0f}};
  for (const int32_t id : tokenizer.specials().stop) options.sampler.logit_bias.emplace_back(id, -1000.0f);
  CHECK(answer(model, options).tokens == Ids{x, eos});
  options.stop_tokens = {own};
  const GenerateResult got = answer(model, options);
  CHECK(got.tokens == Ids{x, own});
  CHECK(got.whole);
}

TEST_CASE("a grammar that lets nothing but the empty answer through is refused before anything is computed",
          "[runtime]") {
  const ModelPtr model = bundled();
  GenerateOptions options;
  options.grammar = grammar_from_regex("");
  Session session(model, {});
  const auto prompt = model->require_tokenizer().encode("The house was", false);
  CHECK(status_of([&] { (void)generate(session, prompt, options); }) == Status::invalid_argument);
  CHECK(session.length() == 0);
}

}  // namespace test_constrained
