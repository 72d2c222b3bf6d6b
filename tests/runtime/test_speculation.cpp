// Drafts decide nothing: an answer with them is the plain answer, token for token and byte for byte of its session,
// whatever is drafted and however the answer is interrupted.
#include <algorithm>
#include <optional>

#include "puna/base/error.h"
#include "puna/runtime/adapter_file.h"
#include "puna/runtime/generate.h"
#include "puna/runtime/save.h"
#include "puna/runtime/snapshot.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/isa.h"
#include "support/status.h"

using namespace puna;
using namespace puna::test;

namespace test_speculation {
namespace {

using Ids = std::vector<int32_t>;

const std::string kBundled = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";  // chunks of 64
const std::string kAdapted = PUNA_SOURCE_DIR "/tests/data/golden/lora_moe";

ModelPtr open(const std::string& path, const std::string& isa = "", int threads = 2, uint64_t memory_limit = 0) {
  ContextOptions options;
  options.isa = isa;
  options.threads = threads;
  options.memory_limit = memory_limit;
  return Model::open(make_context(options), path);
}
// A model in three types: F32 answers, the others draft nearly the same, or about the same, for fewer bytes.
struct Family {
  TempFolder folder;
  ModelPtr answers, good, rough;
  Family(const std::string& path, DType nearly, DType about) {
    const ModelPtr original = open(path);
    const auto in = [&](DType type) {
      SaveOptions o;
      o.matrices = type;
      return open(save_gguf(*original, folder / (std::string(info(type).name) + ".gguf"), o).front());
    };
    answers = in(DType::f32);
    good = in(nearly);
    rough = in(about);
  }
};
const Family& austens() {
  static const Family f(kBundled, DType::q8_0, DType::q4_0);
  return f;
}
const Family& mixtures() {
  static const Family f(kAdapted + "/base", DType::f16, DType::bf16);
  return f;
}
const ModelPtr& bundled() { return austens().answers; }
const ModelPtr& adapted() { return mixtures().answers; }

Ids austen(const std::string& text) { return bundled()->require_tokenizer().encode(text, false); }
// A text that an answer can repeat, twice.
Ids austen_prompt() {
  const std::string said =
      "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a "
      "wife. ";
  return austen(said + said + "It is a truth");
}
Ids some_ids(const ModelPtr& model, size_t count) {
  Ids ids;
  for (size_t i = 0; i < count; ++i) ids.push_back(int32_t((i * 31 + 11) % size_t(model->config().vocab)));
  return ids;
}

GenerateOptions sampled(float temperature, float top_p = 1, uint64_t seed = 3) {
  GenerateOptions o;
  o.max_tokens = 48;
  o.ignore_eos = true;
  o.sampler.temperature = temperature;
  o.sampler.top_p = top_p;
  o.sampler.seed = seed;
  o.log_probabilities = 2;
  return o;
}
// Greedy, three temperatures, top-p, penalties.
std::vector<GenerateOptions> ways_to_draw() {
  std::vector<GenerateOptions> all = {sampled(0), sampled(0.3f), sampled(0.8f), sampled(1.2f), sampled(0.9f, 0.8f)};
  GenerateOptions penalised = sampled(0.7f, 0.95f, 8);
  penalised.sampler.repetition_penalty = 1.2f;
  penalised.sampler.frequency_penalty = 0.1f;
  penalised.sampler.no_repeat_ngram = 5;
  all.push_back(penalised);
  return all;
}

std::vector<std::byte> bytes_of_session(const Session& s) {
  std::vector<std::byte> bytes(snapshot_bytes(s));
  save_snapshot(s, bytes);
  return bytes;
}

// All that can be seen of an answer, and of its session after each token.
struct Seen {
  Ids tokens;
  std::string text;
  std::vector<std::pair<int32_t, float>> probabilities;
  std::vector<std::vector<std::byte>> sessions;
  StopReason reason{};
  int64_t decoded = 0, kv = 0;
  bool operator==(const Seen&) const = default;
};

void note(Seen& seen, const Generation& g) {
  const Session& s = g.session();
  for (const TokenProbability& p : g.token().probabilities) seen.probabilities.emplace_back(p.token, p.log_probability);
  if (!s.under_way()) try {
      seen.sessions.push_back(bytes_of_session(s));
    } catch (const Error& e) {
      if (e.status() != Status::unsupported) throw;  // with an adapter: its tokens say enough
    }
}

Seen watch(Session& session, const Ids& prompt, GenerateOptions options, FunctionRef<bool()> pause = {},
           GenerateResult* result = nullptr) {
  Generation g(session, prompt, std::move(options));
  Seen seen;
  for (Generation::Event e; (e = g.step(pause)) != Generation::Event::ended;)
    if (e == Generation::Event::token) note(seen, g);
  seen.tokens = g.result().tokens;
  seen.text = g.result().text;
  seen.reason = g.result().reason;
  seen.decoded = session.timings().decoded_tokens;
  seen.kv = int64_t(session.kv_bytes());
  if (result) *result = g.result();
  return seen;
}

// "lookup", "good", "rough", or several of them: sources of all kinds of merit.
struct Drafts {
  std::unique_ptr<Session> session;
  int32_t lookup = 0;
  void apply(GenerateOptions& o) const {
    o.lookup_tokens = lookup;
    o.draft = session.get();
  }
};
Drafts drafts(const std::string& kind, const Family& family = austens()) {
  const auto has = [&](const char* word) { return kind.find(word) != std::string::npos; };
  Drafts d;
  if (has("lookup")) d.lookup = 8;
  if (has("good") || has("rough"))
    d.session = std::make_unique<Session>(has("good") ? family.good : family.rough, SessionOptions());
  return d;
}

// Never the token that the model likes most: what a draft knows nothing of.
struct Contrary {
  int calls = 0;
  void operator()(std::span<float> logits, std::span<const int32_t> history) {
    ++calls;
    if (history.size() % 3 != 0) return;
    *std::max_element(logits.begin(), logits.end()) = -1e9f;
  }
};

}  // namespace

TEST_CASE("an answer with drafts is the plain answer, its session the plain session after every token", "[runtime]") {
  const size_t way = GENERATE(range(0, 6));
  const std::string kind = GENERATE("lookup", "good", "rough", "lookup, good");
  const int64_t prefill_chunk = GENERATE(256, 3);
  CAPTURE(way, kind, prefill_chunk);
  const SessionOptions options{.prefill_chunk = prefill_chunk};
  GenerateOptions plain = ways_to_draw()[way], drafted = plain;
  const Drafts d = drafts(kind);
  d.apply(drafted);
  Session a(bundled(), options), b(bundled(), options);
  GenerateResult result;
  const Seen want = watch(a, austen_prompt(), plain), got = watch(b, austen_prompt(), drafted, {}, &result);
  CHECK(got == want);
  CHECK(want.tokens.size() == 48);
  if (way == 0 && prefill_chunk == 256) CHECK(result.accepted_drafts > 10);
}

TEST_CASE("drafts change nothing over chunks, whatever a pass holds", "[runtime]") {
  const std::string kind = GENERATE("lookup", "good", "rough");
  const int64_t prefill_chunk = GENERATE(1, 2, 17, 256);
  const DType kv = GENERATE(DType::f16, DType::q8_0);
  CAPTURE(kind, prefill_chunk);
  GenerateOptions plain = sampled(0), drafted = plain;
  plain.max_tokens = drafted.max_tokens = 150;  // over two ends of chunks
  const Drafts d = drafts(kind);
  d.apply(drafted);
  const SessionOptions options{.prefill_chunk = prefill_chunk, .kv_type = kv};
  Session a(bundled(), options), b(bundled(), options);
  CHECK(watch(b, austen_prompt(), drafted) == watch(a, austen_prompt(), plain));
}

TEST_CASE("drafts change nothing with an adapter, a mixture of experts, exact numbers", "[runtime]") {
  const AdapterPtr adapter = GENERATE(true, false) ? load_adapter(*adapted(), kAdapted + "/adapter") : AdapterPtr();
  const std::string kind = GENERATE("lookup", "good", "rough");
  const bool exact = GENERATE(true, false);
  const size_t way = GENERATE(0, 3, 5);
  CAPTURE(kind, exact, way, adapter != nullptr);
  const SessionOptions options{.exact = exact, .adapter = adapter};
  GenerateOptions plain = ways_to_draw()[way], drafted = plain;
  const Drafts d = drafts(kind, mixtures());
  d.apply(drafted);
  Session a(adapted(), options), b(adapted(), options);
  const Ids prompt = some_ids(adapted(), 9);
  CHECK(watch(b, prompt, drafted) == watch(a, prompt, plain));
}

TEST_CASE("a processor is asked once a position, in order, drafts or not", "[runtime]") {
  const std::string kind = GENERATE("lookup", "good");
  GenerateOptions plain = sampled(0), drafted = plain;
  Contrary first, second;
  plain.processor = Sampler::Processor(first);
  drafted.processor = Sampler::Processor(second);
  const Drafts d = drafts(kind);
  d.apply(drafted);
  Session a(bundled(), {}), b(bundled(), {});
  GenerateResult result;
  CHECK(watch(b, austen_prompt(), drafted, {}, &result) == watch(a, austen_prompt(), plain));
  CHECK(first.calls == 48);
  CHECK(second.calls == 48);
  CHECK(result.rejected_drafts > 0);
}

TEST_CASE("pausing after every tile changes neither an answer with drafts nor their counts", "[runtime]") {
  const std::string kind = GENERATE("lookup", "rough", "lookup, good");
  GenerateOptions plain = sampled(0.4f), drafted = plain;
  const Drafts one = drafts(kind), other = drafts(kind);
  Session a(bundled(), {}), b(bundled(), {}), c(bundled(), {});
  GenerateResult whole, sliced;
  int pauses = 0;
  const auto pause = [&] { return ++pauses % 5 == 0; };
  one.apply(drafted);
  const Seen want = watch(a, austen_prompt(), plain);
  CHECK(watch(b, austen_prompt(), drafted, {}, &whole) == want);
  other.apply(drafted);
  CHECK(watch(c, austen_prompt(), drafted, pause, &sliced) == want);
  CHECK(pauses > 100);
  CHECK(sliced.accepted_drafts == whole.accepted_drafts);
  CHECK(sliced.rejected_drafts == whole.rejected_drafts);
  if (kind == "lookup, good") CHECK(whole.accepted_drafts > 0);
}

TEST_CASE("an answer with drafts goes on after cancels at any time", "[runtime]") {
  const std::string kind = GENERATE("lookup", "good");
  GenerateOptions plain = sampled(0), drafted = plain;
  const Drafts d = drafts(kind);
  d.apply(drafted);
  Session a(bundled(), {}), b(bundled(), {});
  const Seen want = watch(a, austen_prompt(), plain);
  Generation g(b, austen_prompt(), drafted);
  Seen seen;
  int asked = 0, cancels = 0, next = 5;
  const auto pause = [&] {
    if (++asked == next) {
      b.cancel();
      next += 60 + cancels * 131 % 6000;  // in the prompt, in drafted passes, between them
    }
    return asked % 3 == 0;
  };
  for (bool ended = false; !ended;) {
    try {
      const Generation::Event e = g.step(pause);
      if (e == Generation::Event::token) note(seen, g);
      ended = e == Generation::Event::ended;
    } catch (const Error& e) {
      REQUIRE(e.status() == Status::cancelled);
      ++cancels;
    }
  }
  CHECK(cancels > 3);
  CHECK(g.result().tokens == want.tokens);
  CHECK(seen.sessions == want.sessions);
}

TEST_CASE("what others do with the session between two tokens does not reach what was computed ahead", "[runtime]") {
  GenerateOptions plain = sampled(0), drafted = plain;
  const Drafts d = drafts("good");
  d.apply(drafted);
  Session a(bundled(), {}), b(bundled(), {});
  const Seen want = watch(a, austen_prompt(), plain);
  Generation g(b, austen_prompt(), drafted);
  const Ids other = austen("Emma Woodhouse, handsome, clever, and rich");
  std::unique_ptr<Session> copy;
  size_t step = 0;
  for (; g.step({}) != Generation::Event::ended; ++step) {
    REQUIRE(bytes_of_session(b) == want.sessions[step]);
    if (step % 4 == 0) {  // an append that fails after it has computed
      int tiles = 0;
      b.begin(other);
      while (!b.step([&] { return true; }) && ++tiles < 40) continue;
      b.truncate(b.length());
    }
    if (step % 4 == 1) copy = b.fork();
    if (step % 4 == 2) copy->append(other);  // which writes to pages that both had
  }
  CHECK(g.result().tokens == want.tokens);
  CHECK(bytes_of_session(b) == want.sessions.back());
}

TEST_CASE("an answer that was saved amid drafts goes on as the plain one", "[runtime]") {
  GenerateOptions plain = sampled(0.6f), drafted = plain;
  const Drafts d = drafts("good");
  d.apply(drafted);
  Session a(bundled(), {}), b(bundled(), {});
  const Seen want = watch(a, austen_prompt(), plain);
  Generation g(b, austen_prompt(), drafted);
  for (int i = 0; i < 20; ++i) REQUIRE(g.step({}) == Generation::Event::token);
  const auto restored = restore_snapshot(bundled(), bytes_of_session(b)), copy = b.fork();
  GenerateOptions rest = plain;
  rest.max_tokens = 28;
  const Ids tail(want.tokens.begin() + 20, want.tokens.end());
  CHECK(generate(*restored, Ids(), rest).tokens == tail);
  rest.lookup_tokens = 16;
  CHECK(generate(*copy, Ids(), rest).tokens == tail);
}

TEST_CASE("every end of an answer is the same with drafts", "[runtime]") {
  const std::string kind = GENERATE("lookup", "good");
  GenerateOptions plain = sampled(0);
  SessionOptions options;
  const int64_t length = int64_t(austen_prompt().size());
  SECTION("max_tokens") { plain.max_tokens = GENERATE(1, 2, 3, 7, 11); }
  SECTION("a stop string and stop tokens") {
    Session free(bundled(), {});
    const GenerateResult r = generate(free, austen_prompt(), plain);
    if (GENERATE(true, false))
      plain.stop_strings = {r.text.substr(r.text.size() / 2, 7)};
    else
      plain.stop_tokens = {r.tokens[r.tokens.size() / 2]};
  }
  SECTION("a full context") { options.max_positions = length + GENERATE(1, 2, 5, 20); }
  SECTION("a full context that drops the oldest") {
    options.max_positions = length + GENERATE(1, 7, 20);
    plain.context_policy = ContextPolicy::drop_oldest;
    plain.keep_prefix = 5;
  }
  GenerateOptions drafted = plain;
  const Drafts d = drafts(kind);
  d.apply(drafted);
  Session a(bundled(), options), b(bundled(), options);
  CHECK(watch(b, austen_prompt(), drafted) == watch(a, austen_prompt(), plain));
}

TEST_CASE("the next turn follows drafts of the last, with one draft session for both", "[runtime]") {
  GenerateOptions plain = sampled(0), drafted = plain;
  const Drafts d = drafts("lookup, good");
  d.apply(drafted);
  Session a(bundled(), {}), b(bundled(), {});
  CHECK(watch(b, austen_prompt(), drafted) == watch(a, austen_prompt(), plain));
  CHECK(watch(b, austen("She said"), drafted) == watch(a, austen("She said"), plain));
  plain.keep_shared = drafted.keep_shared = true;  // another conversation, which begins like the last
  Ids whole(a.tokens().begin(), a.tokens().begin() + 30);
  whole.push_back(77);
  CHECK(watch(b, whole, drafted) == watch(a, whole, plain));
}

TEST_CASE("answers with drafts, and what became of these, are the same at any ISA level and thread count",
          "[runtime]") {
  const std::string isa = GENERATE(from_range(supported_isas()));
  const int threads = GENERATE(2, 1, 3);
  if (threads != 2 && isa != supported_isas().back()) return;  // threads depend on no level
  CAPTURE(isa, threads);
  static std::optional<std::pair<Seen, GenerateResult>> first;
  const ModelPtr model = open(austens().folder / "F32.gguf", isa, threads);
  GenerateOptions o = sampled(0.5f);
  o.max_tokens = 20;
  const Ids prompt = austen("It was so, and it was so, and it was");
  Drafts d = drafts("lookup");
  d.session = std::make_unique<Session>(open(austens().folder / "Q4_0.gguf", isa, threads), SessionOptions());
  Session plain(model, {}), drafted(model, {});
  const Seen want = watch(plain, prompt, o);
  d.apply(o);
  GenerateResult result;
  const Seen got = watch(drafted, prompt, o, {}, &result);
  CHECK(got == want);
  if (!first) first.emplace(got, result);
  CHECK(got == first->first);
  CHECK(result.accepted_drafts == first->second.accepted_drafts);
  CHECK(result.rejected_drafts == first->second.rejected_drafts);
}

TEST_CASE("where memory does not suffice for drafts there is the plain answer", "[runtime]") {
  const std::string file = austens().folder / "F32.gguf";
  const SessionOptions options{.prefill_chunk = 8};
  GenerateOptions o = sampled(0);
  o.log_probabilities = 0;
  const ModelPtr free = open(file);
  Session plain(free, options);
  const GenerateResult want = generate(plain, austen_prompt(), o);
  const uint64_t enough = free->context().allocator()->peak();
  o.lookup_tokens = 64;
  for (const bool more : {false, true}) {
    const ModelPtr model =
        open(file, "", 2, std::max(enough, free->context().allocator()->used()) + (more ? 8 << 20 : 0));
    Session s(model, options);
    const GenerateResult got = generate(s, austen_prompt(), o);
    CHECK(got.tokens == want.tokens);
    CHECK((got.accepted_drafts > 0) == more);
    CHECK(model->context().allocator()->used() <= enough + (more ? 8 << 20 : 0));
  }
}

TEST_CASE("a draft that cannot be one is refused by name", "[runtime]") {
  Session s(bundled(), {}), other(adapted(), {}), draft(austens().good, {});
  const auto refused = [&](GenerateOptions o) { return message_of([&] { Generation(s, austen("Hello"), o); }); };
  GenerateOptions o;
  o.lookup_tokens = 65;
  CHECK(refused(o) == "lookup_tokens is 65, expected 0 to 64");
  o.lookup_tokens = 0;
  o.draft_tokens = 3;
  CHECK(refused(o) == "draft_tokens is 3, but there is no draft");
  o.draft_tokens = -1;
  CHECK(refused(o) == "draft_tokens is -1, expected 0 to 64");
  o.draft_tokens = 0;
  o.draft = &s;
  CHECK(refused(o) == "the draft is the session itself, expected another one, of a smaller model");
  o.draft = &other;
  CHECK(refused(o).find("has a vocabulary of") != std::string::npos);
  o.draft = &draft;
  Generation busy(draft, austen("Hello"), {});
  CHECK(refused(o).find("another generation") != std::string::npos);
  CHECK_FALSE(s.under_way());
  GenerateOptions limited;
  limited.max_tokens = 2;
  CHECK(generate(s, austen("Hello"), limited).tokens.size() == 2);  // the session was not claimed by those
}

TEST_CASE("a draft session that others change ends its generation's drafts with an error that says so", "[runtime]") {
  Session s(bundled(), {}), draft(austens().good, {});
  GenerateOptions o = sampled(0);
  o.draft = &draft;
  Generation g(s, austen_prompt(), o);
  for (int i = 0; i < 3; ++i) REQUIRE(g.step({}) == Generation::Event::token);
  draft.append(austen("Hello"));
  CHECK(status_of([&] {
          for (int i = 0; i < 20; ++i) g.step({});
        }) == Status::wrong_state);
}

}  // namespace test_speculation
