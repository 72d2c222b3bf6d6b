// Every numeric option of every struct in capi/*.h: out of its range it is PUNA_INVALID_ARGUMENT that names the option
// and what it was, before anything is done.
#include <puna_recsys.h>
#include <puna_train.h>

#include <cmath>
#include <functional>
#include <limits>

#include "capi/fixture.h"

using namespace puna::test;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

// `call` with one field of its options set.
template <class Options>
void out_of_range(const char* name, const std::function<void(Options&)>& set,
                  const std::function<puna_status(const Options&)>& call) {
  CAPTURE(name);
  auto options = sized<Options>();
  set(options);
  refused(call(options), PUNA_INVALID_ARGUMENT, name);
  CHECK_THAT(puna_last_error(), Catch::Matchers::Contains("expected"));
}

const std::string kLine = "{\"text\": \"one two three four\"}\n";

}  // namespace

TEST_CASE("options of contexts, sessions and plans out of range are named", "[capi]") {
  using C = puna_context_options;
  puna_context* context = nullptr;
  const auto create = [&](const C& o) { return puna_context_create(&o, &context); };
  for (const int32_t n : {-1, 4097, 100000, INT32_MAX}) {
    out_of_range<C>(
        "threads is", [&](C& o) { o.threads = n; }, create);
    out_of_range<C>(
        "executor_threads is", [&](C& o) { o.executor_threads = n; }, create);
  }
  for (const int32_t n : {-1, 3})
    out_of_range<C>(
        "allow_providers is", [&](C& o) { o.allow_providers = n; }, create);
  CHECK(context == nullptr);

  const ModelHandle model = open_model(chat_model());
  using S = puna_session_options;
  puna_session* session = nullptr;
  const auto open = [&](const S& o) { return puna_session_create(model.get(), &o, &session); };
  for (const int64_t n : {int64_t(-1), kHuge}) {
    out_of_range<S>(
        "max_positions is", [&](S& o) { o.max_positions = n; }, open);
    out_of_range<S>(
        "prefill_chunk is", [&](S& o) { o.prefill_chunk = n; }, open);
  }
  out_of_range<S>(
      "exact is", [](S& o) { o.exact = 2; }, open);
  out_of_range<S>(
      "kv_type is", [](S& o) { o.kv_type = 3; }, open);
  CHECK(session == nullptr);

  using P = puna_plan_options;
  auto plan = sized<puna_plan>();
  for (const auto& call :
       {std::function<puna_status(const P&)>([&](const P& o) { return puna_session_plan(model.get(), &o, &plan); }),
        std::function<puna_status(const P&)>(
            [&](const P& o) { return puna_model_plan(chat_model().c_str(), &o, &plan); })}) {
    out_of_range<P>(
        "sessions is", [](P& o) { o.sessions = -1; }, call);
    out_of_range<P>(
        "sessions is", [](P& o) { o.sessions = INT32_MAX; }, call);
    out_of_range<P>(
        "positions is", [](P& o) { o.positions = -1; }, call);
    out_of_range<P>(
        "positions is", [](P& o) { o.positions = kHuge; }, call);
    out_of_range<P>(
        "prefill_chunk is", [](P& o) { o.prefill_chunk = -1; }, call);
    out_of_range<P>(
        "prefill_chunk is", [](P& o) { o.prefill_chunk = kHuge; }, call);
    out_of_range<P>(
        "kv_type is", [](P& o) { o.kv_type = -1; }, call);
  }
}

TEST_CASE("options of answers out of range are named before the prompt is read", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  const SessionHandle session = make_session(model);
  const int32_t vocabulary = info_of(session).vocabulary;
  using G = puna_generate_options;
  const std::string prompt = "hello";
  const std::vector<int32_t> tokens = {-1};  // would be refused as well, later
  puna_generation* made = nullptr;
  const std::function<puna_status(const G&)> calls[] = {
      [&](const G& o) {
        return puna_session_generate(session.get(), prompt.data(), prompt.size(), &o, nullptr, nullptr, nullptr);
      },
      [&](const G& o) {
        return puna_session_generate_tokens(session.get(), tokens.data(), 1, &o, nullptr, nullptr, nullptr);
      },
      [&](const G& o) { return puna_generation_create(session.get(), prompt.data(), prompt.size(), &o, &made); },
      [&](const G& o) { return puna_generation_create_tokens(session.get(), tokens.data(), 1, &o, &made); }};
  for (const auto& call : calls) {
    out_of_range<G>(
        "max_tokens is", [](G& o) { o.max_tokens = -1; }, call);
    for (const int32_t n : {-1, 2}) {
      out_of_range<G>(
          "close_answer is", [&](G& o) { o.close_answer = n; }, call);
    }
    out_of_range<G>(
        "close_answer without a grammar", [](G& o) { o.close_answer = 1; }, call);
    for (const int32_t n : {-1, vocabulary + 1, INT32_MAX})
      out_of_range<G>(
          "log_probabilities is", [&](G& o) { o.log_probabilities = n; }, call);
    for (const int32_t id : {-1, vocabulary, INT32_MIN}) {
      const int32_t stops[] = {1, id};
      out_of_range<G>(
          "stop_tokens[1] is",
          [&](G& o) {
            o.stop_tokens = stops;
            o.stop_token_count = 2;
          },
          call);
    }
    out_of_range<G>(
        "keep_prefix is", [](G& o) { o.keep_prefix = -1; }, call);
    out_of_range<G>(
        "keep_prefix is",
        [](G& o) {
          o.keep_prefix = kHuge;
          o.context_policy = PUNA_CONTEXT_DROP_OLDEST;
        },
        call);
    for (const int32_t n : {-1, 65, INT32_MAX}) {
      out_of_range<G>(
          "lookup_tokens is", [&](G& o) { o.lookup_tokens = n; }, call);
      out_of_range<G>(
          "draft_tokens is", [&](G& o) { o.draft_tokens = n; }, call);
    }
    out_of_range<G>(
        "the draft is the session itself", [&](G& o) { o.draft = session.get(); }, call);
    out_of_range<G>(
        "context_policy is", [](G& o) { o.context_policy = 2; }, call);
    out_of_range<G>(
        "parse_special is", [](G& o) { o.parse_special = 2; }, call);
    out_of_range<G>(
        "ignore_eos is", [](G& o) { o.ignore_eos = -1; }, call);
    out_of_range<G>(
        "keep_special is", [](G& o) { o.keep_special = 7; }, call);
  }
  using S = puna_sampler_options;
  puna_sampler* sampler = nullptr;
  for (const auto& call :
       {std::function<puna_status(const S&)>([&](const S& o) { return puna_sampler_create(&o, &sampler); }),
        std::function<puna_status(const S&)>([&](const S& o) {
          auto g = sized<G>();
          g.sampler = &o;
          return calls[3](g);
        })}) {
    for (const float x : {float(kNan), -0.5f, float(kInfinity)}) {
      out_of_range<S>(
          "temperature is", [&](S& o) { o.temperature = x; }, call);
      out_of_range<S>(
          "top_p is", [&](S& o) { o.top_p = x; }, call);
      out_of_range<S>(
          "min_p is", [&](S& o) { o.min_p = x; }, call);
      out_of_range<S>(
          "typical_p is", [&](S& o) { o.typical_p = x; }, call);
      out_of_range<S>(
          "epsilon is", [&](S& o) { o.epsilon = x; }, call);
      out_of_range<S>(
          "eta is", [&](S& o) { o.eta = x; }, call);
      out_of_range<S>(
          "repetition_penalty is", [&](S& o) { o.repetition_penalty = x; }, call);
    }
    out_of_range<S>(
        "presence_penalty is", [](S& o) { o.presence_penalty = float(kNan); }, call);
    out_of_range<S>(
        "frequency_penalty is", [](S& o) { o.frequency_penalty = float(kInfinity); }, call);
    out_of_range<S>(
        "top_k is", [](S& o) { o.top_k = -1; }, call);
    out_of_range<S>(
        "penalty_window is", [](S& o) { o.penalty_window = -1; }, call);
    out_of_range<S>(
        "no_repeat_ngram is", [](S& o) { o.no_repeat_ngram = -1; }, call);
  }
  const int32_t outside = vocabulary;
  const float value = 1;
  auto biased = sized<S>();
  biased.bias_tokens = &outside;
  biased.bias_values = &value;
  biased.bias_count = 1;
  out_of_range<G>(
      "logit_bias: token", [&](G& o) { o.sampler = &biased; }, calls[2]);
  CHECK(made == nullptr);
  CHECK(length(session) == 0);
}

TEST_CASE("options of fine-tuning out of range are named before anything is computed", "[capi]") {
  const ModelHandle model = open_model(chat_model());
  using F = puna_finetune_options;
  puna_adapter* adapter = nullptr;
  const auto call = [&](const F& o) {
    return puna_model_finetune(model.get(), kLine.data(), kLine.size(), &o, &adapter);
  };
  for (const double x : {kNan, -1.0, kInfinity, -kInfinity}) {
    out_of_range<F>(
        "alpha is", [&](F& o) { o.alpha = x; }, call);
    out_of_range<F>(
        "learning_rate is", [&](F& o) { o.learning_rate = x; }, call);
    out_of_range<F>(
        "weight_decay is", [&](F& o) { o.weight_decay = x; }, call);
    out_of_range<F>(
        "dpo_beta is", [&](F& o) { o.dpo_beta = x; }, call);
  }
  for (const int64_t n : {int64_t(-1), kHuge}) {
    out_of_range<F>(
        "steps is", [&](F& o) { o.steps = n; }, call);
    out_of_range<F>(
        "epochs is", [&](F& o) { o.epochs = n; }, call);
    out_of_range<F>(
        "warmup_steps is", [&](F& o) { o.warmup_steps = n; }, call);
    out_of_range<F>(
        "step_tokens is", [&](F& o) { o.step_tokens = n; }, call);
    out_of_range<F>(
        "max_tokens is", [&](F& o) { o.max_tokens = n; }, call);
  }
  out_of_range<F>(
      "rank is", [](F& o) { o.rank = -1; }, call);
  out_of_range<F>(
      "rank is", [](F& o) { o.rank = INT32_MAX; }, call);
  CHECK(adapter == nullptr);
}

TEST_CASE("options of recommenders, rankers and pipelines out of range are named", "[capi]") {
  static const int64_t users[] = {1, 1, 2, 2}, times[] = {1, 2, 1, 2};
  static const int32_t items[] = {1, 2, 2, 1};
  using R = puna_recommender_options;
  puna_recommender* recommender = nullptr;
  const auto train = [&](const R& o) {
    return puna_recommender_train(nullptr, users, items, times, 4, &o, &recommender);
  };
  for (const int64_t n : {int64_t(-1), kHuge}) {
    out_of_range<R>(
        "epochs is", [&](R& o) { o.epochs = n; }, train);
    out_of_range<R>(
        "users_per_step is", [&](R& o) { o.users_per_step = n; }, train);
    out_of_range<R>(
        "negatives is", [&](R& o) { o.negatives = n; }, train);
    out_of_range<R>(
        "max_sequence is", [&](R& o) { o.max_sequence = n; }, train);
    out_of_range<R>(
        "items is", [&](R& o) { o.items = n; }, train);
  }
  for (const double x : {kNan, kInfinity}) {
    out_of_range<R>(
        "learning_rate is", [&](R& o) { o.learning_rate = x; }, train);
    out_of_range<R>(
        "dropout is", [&](R& o) { o.dropout = x; }, train);
  }
  out_of_range<R>(
      "dropout is", [&](R& o) { o.dropout = 1; }, train);
  CHECK(recommender == nullptr);

  using K = puna_ranker_options;
  const char* const config =
      "{\"surfaces\":[\"feed\"],\"tasks\":[{\"name\":\"like\"}],\"features\":[{\"name\":\"item\",\"rows\":3}],"
      "\"dim\":2,\"cross_layers\":1,\"hidden\":[3]}";
  puna_ranker* ranker = nullptr;
  const auto make = [&](const K& o) { return puna_ranker_create(nullptr, config, &o, &ranker); };
  for (const double x : {kNan, -1.0, kInfinity}) {
    out_of_range<K>(
        "learning_rate is", [&](K& o) { o.learning_rate = x; }, make);
    out_of_range<K>(
        "weight_decay is", [&](K& o) { o.weight_decay = x; }, make);
    out_of_range<K>(
        "table_rate is", [&](K& o) { o.table_rate = x; }, make);
    out_of_range<K>(
        "table_decay is", [&](K& o) { o.table_decay = x; }, make);
    out_of_range<K>(
        "dropout is", [&](K& o) { o.dropout = x; }, make);
  }
  CHECK(ranker == nullptr);

  using P = puna_pipeline_options;
  ok(puna_ranker_create(nullptr, config, nullptr, &ranker));
  static const int64_t starts[] = {0, 1, 2}, ids[] = {0, 1};
  auto examples = sized<puna_examples>();
  examples.count = 2;
  examples.starts = starts;
  examples.ids = ids;
  examples.id_count = 2;
  auto catalogue = sized<puna_catalogue>();
  catalogue.items = &examples;
  puna_pipeline* pipeline = nullptr;
  const auto build = [&](const P& o) { return puna_pipeline_create(ranker, &catalogue, &o, &pipeline); };
  for (const int64_t n : {int64_t(-1), kHuge}) {
    out_of_range<P>(
        "candidates is", [&](P& o) { o.candidates = n; }, build);
    out_of_range<P>(
        "count is", [&](P& o) { o.count = n; }, build);
    out_of_range<P>(
        "explore_place is", [&](P& o) { o.explore_place = n; }, build);
    out_of_range<P>(
        "explore_pool is", [&](P& o) { o.explore_pool = n; }, build);
  }
  out_of_range<P>(
      "per_category is", [&](P& o) { o.per_category = -1; }, build);
  for (const double x : {kNan, -0.1, 1.1, kInfinity}) {
    out_of_range<P>(
        "diversity is", [&](P& o) { o.diversity = x; }, build);
    out_of_range<P>(
        "explore is", [&](P& o) { o.explore = x; }, build);
  }
  CHECK(pipeline == nullptr);
  puna_ranker_free(ranker);
}
