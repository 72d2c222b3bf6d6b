// evaluation.cpp -- a task becomes requests, and requests get answers. evaluation_results.cpp makes numbers of them.
#include "puna/eval/evaluation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

#include "base/hash.h"
#include "base/json.h"
#include "base/shown.h"
#include "chat/jinja/unicode.h"
#include "eval/evaluation_impl.h"
#include "io/json_parts.h"
#include "puna/base/error.h"
#include "puna/runtime/engine.h"

namespace puna::eval {
namespace {

constexpr uint64_t kStepUs = 50'000;  // between two looks at `stop`

std::string number_text(double x) {
  char text[40];
  snprintf(text, sizeof text, "%.17g", x);
  return text;
}

// The ids of a rendered text, with the token that texts begin with.
std::vector<int32_t> encode(const Model& model, const RenderedChat& text, const Watch& watch) {
  const Tokenizer& tokenizer = model.require_tokenizer();
  std::vector<int32_t> ids = tokenizer.encode_chat(text, watch);
  put_bos_first(tokenizer, ids);
  return ids;
}

// What a text without a beginning follows: the first token of texts, or the one that ends them.
int32_t prefix_token(const Model& model) {
  const auto& specials = model.require_tokenizer().specials();
  if (specials.bos >= 0) return specials.bos;
  if (specials.eos < 0)
    fail(Status::unsupported, "the tokenizer names no token that a text could follow (bos, eos): an empty context");
  return specials.eos;
}

}  // namespace

// ---- from items to requests

// The continuation's tokens are those that the whole has more than the context: never its own encoding. White space at
// the end of the context belongs to the continuation's first word.
Continuation Evaluation::Impl::pair(const Ask& ask, const std::string& what, const Watch& watch) const {
  if (ask.continuation.empty())
    fail(Status::invalid_argument, "%s: the continuation is empty: there is nothing to score", what.c_str());
  RenderedChat whole = ask.context, context = ask.context;
  whole.content.push_back({whole.text.size(), whole.text.size() + ask.continuation.size()});
  whole.text += ask.continuation;
  context.text.resize(jinja::strip_space(context.text, false, true).size());
  std::erase_if(context.content, [&](const TextSpan& s) { return s.begin >= context.text.size(); });
  if (!context.content.empty()) context.content.back().end = std::min(context.content.back().end, context.text.size());
  Continuation c{encode(*model, whole, watch), 0};
  size_t before = context.text.empty() ? 0 : encode(*model, context, watch).size();
  if (before == 0) {
    const int32_t prefix = prefix_token(*model);
    if (c.tokens.empty() || c.tokens.front() != prefix) c.tokens.insert(c.tokens.begin(), prefix);
    before = 1;
  }
  c.scored = int64_t(c.tokens.size()) - int64_t(before);
  if (c.scored <= 0)
    fail(Status::invalid_argument, "%s: the continuation '%s' adds no token to its context", what.c_str(),
         shown(ask.continuation).c_str());
  return c;
}

// Disjoint windows of at most L tokens, each given as many before as fit: every token is scored once.
void Evaluation::Impl::add_windows(const ItemPrompt& p, const Watch& watch) {
  const int64_t L = options.session.max_positions;
  std::vector<int32_t> tokens = encode(*model, {p.asks[0].continuation, {{0, p.asks[0].continuation.size()}}}, watch);
  const auto n = int64_t(tokens.size());
  if (p.asks[0].continuation.empty() || n == 0)
    fail(Status::invalid_argument, "%s: the text is empty: there is nothing to score", p.document.what.c_str());
  tokens.insert(tokens.begin(), prefix_token(*model));  // position t of the text is tokens[t + 1] from here on
  for (int64_t done = 0; done < n;) {
    const int64_t count = std::min(L, n - done), end = done + count;
    const int64_t from = std::max<int64_t>(0, end - L);
    Request r{.item = items.size() - 1, .index = 0, .first = done};
    r.tokens.tokens.assign(tokens.begin() + ptrdiff_t(from), tokens.begin() + ptrdiff_t(end) + 1);
    r.tokens.scored = count;
    add_request(std::move(r));
    done = end;
  }
}

void Evaluation::Impl::add_request(Request r) {
  const Item& item = items[r.item];
  Hash hash;
  for (const int64_t n : {item.number, int64_t(r.index), r.first, r.tokens.scored}) hash.add_value(n);
  hash.add(r.tokens.tokens.data(), r.tokens.tokens.size() * sizeof(int32_t));
  r.id = hash.value();
  if (!by_id.emplace(r.id, requests.size()).second)
    fail(Status::internal, "two requests have one hash: %s", hex_of(r.id).c_str());
  requests.push_back(std::move(r));
}

void Evaluation::Impl::add_item(ItemPrompt p, const Watch& watch) {
  const int64_t most = options.session.max_positions;
  Item& item = items.emplace_back();
  item.number = p.number;
  item.first_request = requests.size();
  if (!options.cluster.empty()) {
    const std::string_view field = io::member(p.document.json, options.cluster, watch);
    if (field.empty() || io::is_array(field) || io::is_object(field))
      fail(Status::bad_file, "%s: there is no field '%s', by which items are clustered", p.document.what.c_str(),
           shown(options.cluster).c_str());
    item.cluster = io::is_string(field) ? io::text_of(field, watch) : std::string(field);
  }
  for (size_t i = 0; i < p.choices.size(); ++i)
    if (p.choices[i].empty() && task.output == OutputType::multiple_choice)
      fail(Status::bad_file, "%s: choice %zu of \"doc_to_choice\" is empty", p.document.what.c_str(), i);
  if (task.output == OutputType::loglikelihood_rolling) add_windows(p, watch);
  for (size_t a = 0; a < p.asks.size() && task.output != OutputType::loglikelihood_rolling; ++a) {
    Request r{.item = items.size() - 1, .index = a};
    const std::string what = p.document.what + (p.asks.size() > 1 ? ", choice " + std::to_string(a) : std::string());
    int64_t positions = 0;
    if (task.output == OutputType::generate_until) {
      r.tokens.tokens = encode(*model, p.asks[a].context, watch);
      if (r.tokens.tokens.empty())
        fail(Status::invalid_argument, "%s: \"doc_to_text\" gives an empty prompt", what.c_str());
      positions = int64_t(r.tokens.tokens.size()) + task.max_gen_toks;
    } else {
      r.tokens = pair(p.asks[a], what, watch);
      positions = int64_t(r.tokens.tokens.size()) - 1;
    }
    if (positions > most)
      fail(Status::context_full, "%s: %zu tokens%s do not fit: the context holds %jd", what.c_str(),
           r.tokens.tokens.size(), task.output == OutputType::generate_until ? " and max_gen_toks to come" : "", most);
    add_request(std::move(r));
  }
  const bool one_context =
      std::all_of(p.asks.begin(), p.asks.end(), [&](const Ask& a) { return a.context.text == p.asks[0].context.text; });
  for (Ask& a : p.asks) {
    if (item.contexts.empty() || !one_context) item.contexts.push_back(std::move(a.context.text));
    item.continuations.push_back(std::move(a.continuation));
  }
  item.requests = requests.size() - item.first_request;
  item.document = std::move(p.document.json);
  item.target = std::move(p.target);
  item.choices = std::move(p.choices);
  item.gold = std::move(p.gold);
}

Evaluation::Evaluation(ModelPtr model, Task task, std::vector<std::string> all, std::vector<std::string> shots,
                       const EvaluationOptions& options, const Watch& watch)
    : impl_(std::make_unique<Impl>()) {
  PUNA_REQUIRE(model != nullptr, "model is NULL");
  Impl& s = *impl_;
  s.model = std::move(model);
  s.task = std::move(task);
  s.options = options;
  Task& t = s.task;
  const auto count = int64_t(all.size());
  if (options.num_fewshot) {
    PUNA_REQUIRE(*options.num_fewshot >= 0, "num_fewshot is %jd, expected 0 or more", *options.num_fewshot);
    PUNA_REQUIRE(*options.num_fewshot == 0 || t.output != OutputType::loglikelihood_rolling,
                 "num_fewshot of '%s', a task that takes no examples", shown(t.name).c_str());
    t.num_fewshot = *options.num_fewshot;
  }
  PUNA_REQUIRE(options.limit >= 0, "limit is %jd, expected 0 or more", options.limit);
  PUNA_REQUIRE(options.limit == 0 || options.items.empty(), "limit and items: expected one of the two");
  PUNA_REQUIRE(options.parallel >= 1, "parallel is %d, expected 1 or more", options.parallel);
  int64_t& most = s.options.session.max_positions;
  const int64_t limit = s.model->config().max_positions;
  PUNA_REQUIRE(most >= 0 && most <= limit, "max_positions is %jd, expected 0 to the model's %jd", most, limit);
  if (most == 0) most = limit;
  std::vector<int64_t> numbers = options.items;
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  for (const int64_t n : numbers)
    PUNA_REQUIRE(n >= 0 && n < count, "item %jd is asked for, '%s' has %jd", n, shown(t.name).c_str(), count);
  for (int64_t n = 0; options.items.empty() && n < (options.limit ? std::min(options.limit, count) : count); ++n)
    numbers.push_back(n);
  if (numbers.empty()) fail(Status::invalid_argument, "'%s' has no items", shown(t.name).c_str());
  if (options.limit > count)
    s.notes.push_back("limit is " + std::to_string(options.limit) + ", there are " + std::to_string(count) + " items");
  PromptOptions prompts{.chat = options.chat,
                        .multiturn = options.multiturn,
                        .system = options.system,
                        .date = options.date,
                        .fewshot_seed = options.seed};
  TaskPrompts texts(t, *s.model, std::move(all), std::move(shots), prompts, watch);
  for (const int64_t n : numbers) s.add_item(texts.prompt(n), watch);
  Hash hash;
  for (const Impl::Request& r : s.requests) hash.add_value(r.id);
  for (const std::string& u : t.until) hash.add(u);
  for (const int64_t n : {t.max_gen_toks, t.repeats, t.top_k, int64_t(t.do_sample), int64_t(options.seed), most,
                          int64_t(options.session.exact), int64_t(options.session.kv_type)})
    hash.add_value(n);
  for (const double x : {t.temperature, t.top_p}) hash.add_value(x);
  s.fingerprint = hash.value();
}

Evaluation::~Evaluation() = default;
const Task& Evaluation::task() const noexcept { return impl_->task; }
int64_t Evaluation::requests() const noexcept { return int64_t(impl_->requests.size()); }
int64_t Evaluation::answered() const noexcept { return impl_->answered; }
uint64_t Evaluation::fingerprint() const noexcept { return impl_->fingerprint; }

// ---- from requests to answers

void Evaluation::Impl::keep(Request& r) noexcept {
  r.answered = true;
  ++answered;
}

std::string Evaluation::Impl::line_of(const Request& r) const {
  std::string line = "{\"id\":\"" + hex_of(r.id) + "\",";
  if (task.output != OutputType::generate_until)
    return line + "\"ll\":" + number_text(r.score.log_likelihood) +
           ",\"greedy\":" + (r.score.greedy ? "true" : "false") + "}";
  line += "\"texts\":[";
  for (size_t i = 0; i < r.texts.size(); ++i) line += (i ? "," : "") + puna::quoted(r.texts[i]);
  return line + "]}";
}

bool Evaluation::restore(std::string_view answer, const Watch& watch) {
  Impl& s = *impl_;
  const auto malformed = [] {
    fail(Status::bad_file, "an answer without \"id\", and \"ll\" and \"greedy\" or \"texts\"");
  };
  const std::string_view id_json = io::member(answer, "id", watch);
  if (!io::is_string(id_json)) malformed();
  const std::string id = io::text_of(id_json, watch);
  uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number, 16);
  const auto found = s.by_id.find(number);
  if (found == s.by_id.end() || s.requests[found->second].answered) return false;
  Impl::Request& r = s.requests[found->second];
  if (s.task.output == OutputType::generate_until) {
    const std::string_view texts = io::member(answer, "texts", watch);
    if (!io::is_array(texts)) malformed();
    std::vector<std::string> all;
    io::each_element(texts, watch, [&](std::string_view one) {
      if (!io::is_string(one)) malformed();
      all.push_back(io::text_of(one, watch));
    });
    if (int64_t(all.size()) != s.task.repeats) malformed();
    r.texts = std::move(all);
  } else {
    const std::string_view ll = io::member(answer, "ll", watch), greedy = io::member(answer, "greedy", watch);
    double value = NAN;
    const auto [end, error] = std::from_chars(ll.data(), ll.data() + ll.size(), value);
    if (error != std::errc() || end != ll.data() + ll.size() || !std::isfinite(value)) malformed();
    if (greedy != "true" && greedy != "false") malformed();
    r.score = {value, greedy == "true"};
  }
  s.keep(r);
  return true;
}

ContinuationWork Evaluation::Impl::run_continuations(OnAnswer on_answer, FunctionRef<bool()> stop) {
  std::vector<Continuation> asked;
  std::vector<size_t> request_of;
  for (size_t r = 0; r < requests.size(); ++r)
    if (!requests[r].answered) {
      asked.push_back(requests[r].tokens);
      request_of.push_back(r);
    }
  ContinuationOptions o{.session = options.session, .share = options.share};
  return score_continuations(
      model, asked, o,
      [&](size_t index, const ContinuationScore& score) {
        Request& r = requests[request_of[index]];
        if (!std::isfinite(score.log_likelihood))
          fail(Status::bad_file,
               "item %jd of '%s', request %zu: its log-probability is no finite number: the model's "
               "weights are damaged, or it cannot say a token of it",
               items[r.item].number, shown(task.name).c_str(), r.index);
        r.score = score;
        const std::string line = line_of(r);
        keep(r);
        return on_answer(line);
      },
      stop);
}

void Evaluation::Impl::run_texts(OnAnswer on_answer, FunctionRef<bool()> stop) {
  EngineOptions o;
  o.session = options.session;
  o.session.adapter = {};
  o.max_running = std::max(options.parallel, int32_t(task.repeats));
  Engine engine(model, o);
  struct Live {
    size_t request;
    EngineRequestPtr handle;
  };
  std::deque<Live> live;
  const auto submit = [&](size_t index) {
    const Request& r = requests[index];
    EngineRequestOptions e;
    e.prompt.tokens = r.tokens.tokens;
    e.generate.max_tokens = task.max_gen_toks;
    e.generate.stop_strings = task.until;
    if (task.do_sample) {
      e.generate.sampler.temperature = float(task.temperature);
      e.generate.sampler.top_p = float(task.top_p);
      e.generate.sampler.top_k = int32_t(task.top_k);
      // Answer i of an item is drawn by seed + i.
      e.generate.sampler.seed = options.seed + uint64_t(items[r.item].number) * 1'000'003;
    }
    e.n = int32_t(task.repeats);
    if (options.session.adapter) e.adapters = {{options.session.adapter, 1}};
    e.on_event = [](const EngineEvent&) { return true; };
    live.push_back({index, engine.submit(std::move(e))});
  };
  size_t next = 0;
  const size_t most = size_t(2 * options.parallel);  // twice what runs: beginnings that are alike are seen in time
  while (next < requests.size() || !live.empty()) {
    for (; next < requests.size() && live.size() < most; ++next)
      if (!requests[next].answered) submit(next);
    engine.step(kStepUs);
    for (size_t i = 0; i < live.size();) {
      if (!live[i].handle->ended()) {
        ++i;
        continue;
      }
      const Live l = live[i];
      live.erase(live.begin() + ptrdiff_t(i));
      const EngineRequestInfo info = l.handle->info();
      Request& r = requests[l.request];
      if (info.status != Status::ok)
        fail(info.status, "item %jd of '%s': %s", items[r.item].number, shown(task.name).c_str(), info.message.c_str());
      std::vector<std::string> texts;
      for (EngineAnswer& a : l.handle->answers()) texts.push_back(std::move(a.result.text));
      r.texts = std::move(texts);  // replaced: a run that failed may have left some
      const std::string line = line_of(r);
      keep(r);
      if (!on_answer(line)) fail(Status::cancelled, "stopped after %jd of %zu answers", answered, requests.size());
    }
    if (stop && stop()) fail(Status::cancelled, "stopped after %jd of %zu answers", answered, requests.size());
  }
}

ContinuationWork Evaluation::run(OnAnswer on_answer, FunctionRef<bool()> stop) {
  if (impl_->task.output != OutputType::generate_until) return impl_->run_continuations(on_answer, stop);
  impl_->run_texts(on_answer, stop);
  return {};
}

}  // namespace puna::eval
