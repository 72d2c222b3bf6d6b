// Everything that can fail, failed in turn: every allocation, every read, every callback. Each time a status comes
// back, nothing is lost, and a bystander on the same kind of model goes on.
#include <puna_train.h>

#include <stdexcept>

#include "capi/session_rules.h"
#include "faults/failing_allocator.h"
#include "faults/failing_heap.h"
#include "faults/life.h"
#include "grammar/small_vocabulary.h"
#include "puna/base/error.h"
#include "puna/chat/llama4_chat.h"
#include "puna/chat/tool_constraint.h"
#include "puna/chat/tool_parser.h"
#include "puna/grammar/matcher.h"
#include "puna/runtime/tool_grammar.h"
#include "support/files.h"

using namespace puna::test;

namespace {

// Calls of tools and Meta's dialogs: each way that JSON is built and dropped there.
void speak_llama4() {
  const puna::Tools tools = puna::Tools::parse(R"([{"name": "f"}, {"name": "g"}, {"name": "code_interpreter"}])");
  for (const char* format : {"pythonic", "llama4_json"}) {
    const auto segments = puna::write_tool_calls(
        puna::tool_format(format), {{"f", R"({"a": [1, {"k": [2, 3], "l": null}]})"}, {"g", R"({"c": {"d": "x"}})"}});
    std::string answer = "<|python_tag|>1 + 1";
    for (const puna::ChatSegment& s : segments) answer += s.text;
    puna::ToolCallParser parser(tools, puna::tool_format(format));
    const auto sink = [](const puna::ToolEvent&) {};
    parser.push(answer, sink);
    parser.finish(sink);
  }
  puna::tool_constraint(tools, puna::tool_format("pythonic"), {});
  const char* const dialog = R"([{"role": "user", "content": [{"type": "text", "text": "hi"}]},
    {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {"a": [1, {"b": [2]}]}}]}])";
  for (const auto format : {puna::ToolPromptFormat::json, puna::ToolPromptFormat::python_list})
    puna::llama4_render_dialog(dialog, format);
}

// Grammars of every kind.
void compile_grammars() {
  (void)puna::grammar_from_json_schema(R"({"properties": {"a": {"type": "string", "pattern": "^a+$", "maxLength": 9},
      "b": {"not": {"enum": [1, "x"]}}, "c": {"$ref": "#"}}, "required": ["a"], "oneOf": [{"minProperties": 2}, {}],
      "patternProperties": {"^x": {"type": "integer", "minimum": 3, "multipleOf": 2}}})");
  (void)puna::grammar_from_gbnf("root ::= \"a\" item{2,3} [^b-d]*\nitem ::= \"é\" | item \"x\"\n");
  (void)puna::grammar_from_regex("(?:ab|[^\\d])+x{3,9}");
  (void)puna::grammar_from_choices(std::vector<std::string>{"yes", "no"});
  const puna::Tools tools = puna::Tools::parse(R"([{"name": "f", "parameters": {"type": "dict", "properties": {
      "s": {"type": "tuple", "items": {"type": "float"}}}}}, {"name": "g"}])");
  for (const char* format : {"hermes", "pythonic"}) {
    std::vector<std::string> notes;
    puna::ToolGrammarOptions options;
    options.json.notes = &notes;
    (void)puna::tool_grammar(tools, puna::tool_format(format), options);
  }
}

// All that a matcher is asked, along an answer.
std::vector<std::string> follow(puna::Matcher& matcher, std::string_view answer) {
  std::vector<std::string> told;
  matcher.reset();
  for (const char c : answer) {
    std::string now = matcher.forced() + "|" + matcher.shortest_completion();
    const puna::TokenMask mask = matcher.mask();
    for (int32_t id = 0; id < 8; ++id) now += mask.allows(id) ? '1' : '0';
    for (const int32_t id : matcher.closing_tokens(99).value_or(std::vector<int32_t>()))
      now += std::to_string(id) + ",";
    told.push_back(now + std::to_string(matcher.bytes_to_close(2)));
    matcher.accept_bytes({&c, 1});
  }
  return told;
}

// A session that lives through all of it.
class Bystander {
 public:
  Bystander()
      : model_(open()), want_(logits_after(make_session(model_), {1, 2, 3, 4, 5})), session_(make_session(model_)) {}
  void check() {
    ok(puna_session_truncate(session_.get(), 0));
    CHECK(logits_after(session_, {1, 2, 3, 4, 5}) == want_);
  }

 private:
  static ModelHandle open() {
    puna_model* m = nullptr;
    ok(puna_model_open_memory(nullptr, tiny_gguf().data(), tiny_gguf().size(), nullptr, &m));
    return ModelHandle(m);
  }
  ModelHandle model_;
  std::vector<float> want_;
  SessionHandle session_;
};

// Fails allocation 0, stride, 2 * stride, ... of operator new until a life is long enough to see none fail. Returns how
// many failed, or would have where it is one in eleven.
int sweep_heap(const Life& life, int64_t stride) {
  Bystander bystander;
  REQUIRE(live(life) == PUNA_OK);  // static tables are made now, and the life is a good one
  bystander.check();
  const int64_t before = live_blocks();
  int failures = 0;
  for (int64_t n = 0;; n += stride * kOneIn) {
    bool optional = false;
    arm_heap(n);
    const puna_status status = live(life);
    const bool failed = disarm_heap(&optional);
    const int64_t lost = live_blocks() - before;
    if (lost != 0) FAIL("allocation " << n << ": " << lost << " blocks were not given back");
    if (!failed) {
      CHECK(status == PUNA_OK);
      break;
    }
    ++failures;
    if (status != PUNA_OUT_OF_MEMORY &&
        !((optional || life.drafts || life.constrained || life.engine) && status == PUNA_OK))
      FAIL("allocation " << n << ": " << puna_status_name(status) << ": " << puna_last_error());
    if (failures % 64 == 0) bystander.check();
  }
  bystander.check();
  return failures * kOneIn;
}

int sweep_context(Life life, int64_t stride, bool throws = false) {
  Bystander bystander;
  int failures = 0;
  for (int64_t n = 0;; n += stride * kOneIn) {
    FailingAllocator allocator;
    allocator.countdown = n;
    allocator.throws = throws;
    life.context.alloc = FailingAllocator::alloc;
    life.context.dealloc = FailingAllocator::dealloc;
    life.context.alloc_user = &allocator;
    const puna_status status = live(life);
    if (allocator.live != 0) FAIL("allocation " << n << ": " << allocator.live << " blocks were not given back");
    if (!allocator.failed) {
      CHECK(status == PUNA_OK);
      break;
    }
    ++failures;
    if (status != PUNA_OUT_OF_MEMORY && !((life.drafts || life.constrained || life.engine) && status == PUNA_OK))
      FAIL("allocation " << n << ": " << puna_status_name(status) << ": " << puna_last_error());
  }
  bystander.check();
  return failures * kOneIn;
}

Life tiny_life(int32_t threads = 1) {
  Life life;
  life.bytes = &tiny_gguf();
  life.context.threads = threads;
  return life;
}
Life chat_life() {
  Life life;
  life.path = chat_model();
  life.text = true;
  life.context.threads = 1;
  return life;
}

Life learning_life(const TempFolder& folder) {
  Life life = chat_life();
  life.adapter_folder = folder.path() + "/adapter";
  return life;
}

struct Reads {
  int64_t countdown = -1;
  bool throws = false, failed = false;
  static int32_t read_at(void* user, uint64_t offset, uint64_t count, void* to) {
    auto* self = static_cast<Reads*>(user);
    if (self->countdown-- == 0) {
      self->failed = true;
      if (self->throws) throw std::runtime_error("from read_at");
      return 5;
    }
    memcpy(to, tiny_gguf().data() + offset, size_t(count));
    return 0;
  }
};

}  // namespace

TEST_CASE("memory may run out anywhere in Llama 4's calls and dialogs", "[faults]") {
  speak_llama4();
  const int64_t before = live_blocks();
  int64_t n = 0;
  for (bool failed = true; failed; ++n) {
    bool optional = false, thrown = false;
    arm_heap(n);
    try {
      speak_llama4();
    } catch (const std::bad_alloc&) {
      thrown = true;
    } catch (const puna::Error& e) {
      thrown = e.status() == puna::Status::out_of_memory;
    }
    failed = disarm_heap(&optional);
    if (failed && !thrown && !optional) FAIL("allocation " << n << " failed and nobody said so");
    if (live_blocks() != before)
      FAIL("allocation " << n << ": " << live_blocks() - before << " blocks were not given back");
  }
  CHECK(n > 100);
}

TEST_CASE("memory may run out anywhere while grammars are compiled", "[faults]") {
  compile_grammars();
  const int64_t before = live_blocks();
  int64_t n = 0;
  for (bool failed = true; failed; n += 3 * kOneIn) {
    bool optional = false, thrown = false;
    arm_heap(n);
    try {
      compile_grammars();
    } catch (const std::bad_alloc&) {
      thrown = true;
    } catch (const puna::Error& e) {
      thrown = e.status() == puna::Status::out_of_memory;
    }
    failed = disarm_heap(&optional);
    if (failed && !thrown && !optional) FAIL("allocation " << n << " failed and nobody said so");
    if (live_blocks() != before)
      FAIL("allocation " << n << ": " << live_blocks() - before << " blocks were not given back");
  }
  CHECK(n > 1000);
}

TEST_CASE("a matcher for which memory ran out is as before and goes on", "[faults]") {
  const puna::TokenizerPtr tokens = small_vocabulary(
      {"<end>", "a", "\"", "{", "\"a", "\": ", "}", "1", ":", ",", " ", "[", "]", "b", "\n", "0", "\\", "u"});
  const std::string_view answer = R"({"a": "a1", "b": [1, 11]})";
  const puna::GrammarPtr grammar = puna::grammar_from_json_schema(R"({"type": "object", "required": ["a"], "properties":
      {"a": {"type": "string", "pattern": "^[a-c1]*$", "maxLength": 9}, "b": {"type": "array", "items": {"type":
      "integer"}}}, "additionalProperties": false})");
  puna::Matcher known(grammar, puna::grammar_vocabulary(tokens));
  const std::vector<std::string> want = follow(known, answer);
  int64_t n = 0;
  for (bool failed = true; failed; n += kOneIn) {
    // Of its own, with an automaton and a cache in which nothing is
    puna::Matcher matcher(puna::grammar_from_json_schema(R"({"type": "object", "required": ["a"], "properties":
      {"a": {"type": "string", "pattern": "^[a-c1]*$", "maxLength": 9}, "b": {"type": "array", "items": {"type":
      "integer"}}}, "additionalProperties": false})"),
                          puna::grammar_vocabulary(tokens));
    bool optional = false, thrown = false;
    std::vector<std::string> told;
    arm_heap(n);
    try {
      told = follow(matcher, answer);
    } catch (const std::bad_alloc&) {
      thrown = true;
    } catch (const puna::Error& e) {
      thrown = e.status() == puna::Status::out_of_memory;
    }
    failed = disarm_heap(&optional);
    if (!thrown && told != want) FAIL("allocation " << n << " changed what the matcher said");
    if (follow(matcher, answer) != want) FAIL("allocation " << n << " left a trace");
  }
  CHECK(n > 300);
}

TEST_CASE("sampled allocations of answers by grammars fail once: out of memory, or the answer", "[faults]") {
  Life life;
  life.path = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";
  life.context.threads = 1;
  life.constrained = true;
  CHECK(sweep_heap(life, 211) > 40);
  CHECK(sweep_context(life, 5) > 5);
}

TEST_CASE("sampled allocations of an answer by a grammar with a draft model fail once: out of memory, or the answer",
          "[faults]") {
  Life life;
  life.path = PUNA_SOURCE_DIR "/examples/bundled/puna-austen.gguf";
  life.context.threads = 1;
  life.constrained = true;
  life.drafts = true;
  CHECK(sweep_heap(life, 31) > 100);
  CHECK(sweep_context(life, 1) > 20);
}

TEST_CASE("every operator new of a small model's life fails once: out of memory, nothing lost", "[faults]") {
  CHECK(sweep_heap(tiny_life(), 1) > 500);
}

TEST_CASE("every allocation of an answer with drafts fails once: out of memory, or the plain answer", "[faults]") {
  Life life = tiny_life();
  life.drafts = true;
  CHECK(sweep_heap(life, 3) > 100);
  CHECK(sweep_context(life, 1) > 15);
}

TEST_CASE("every allocation of an engine's life fails once: out of memory, or the same answers", "[faults]") {
  Life life = tiny_life();
  life.engine = true;
  CHECK(sweep_heap(life, 3) > 200);
  CHECK(sweep_context(life, 1) > 20);
}

TEST_CASE("allocations fail on pool threads' watch as well", "[faults]") { CHECK(sweep_heap(tiny_life(3), 7) > 50); }

TEST_CASE("sampled operator news of a life with tokenizer and chat template fail once", "[faults]") {
  CHECK(sweep_heap(chat_life(), 11) > 300);
}

TEST_CASE("allocations of a life that learns fail once: the adapter on the disk stays one that opens", "[faults]") {
  const TempFolder folder;
  const Life life = learning_life(folder);
  const puna_status first = live(life);
  if (first == PUNA_UNSUPPORTED) return;  // a build without training
  REQUIRE(first == PUNA_OK);
  const ModelHandle model = open_model(life.path);
  CHECK(sweep_heap(life, 587) > 5);
  CHECK(sweep_context(life, 41) > 1);
  puna_adapter* kept = nullptr;
  ok(puna_adapter_open(model.get(), life.adapter_folder.c_str(), &kept));
  puna_adapter_free(kept);
}

TEST_CASE("every operator new of a life with tokenizer and chat template fails once", "[faults][slow]") {
  CHECK(sweep_heap(chat_life(), 1) > 3000);
}

TEST_CASE("every allocation of the context fails once, by NULL and by an exception", "[faults]") {
  CHECK(sweep_context(tiny_life(), 1) > 25);
  CHECK(sweep_context(chat_life(), 1) > 50);
  CHECK(sweep_context(tiny_life(), 1, /*throws=*/true) > 25);
}

TEST_CASE("sampled allocations of SmolLM2's context fail once", "[faults]") {
  if (smollm2().empty()) PUNA_SKIP("SmolLM2 is not in the model cache");
  Bystander bystander;
  // Allocation n of a life fails (-1: none); how many there were.
  const auto live_with_failing = [](int64_t n) {
    FailingAllocator allocator;
    allocator.countdown = n;
    auto options = sized<puna_context_options>();
    options.alloc = FailingAllocator::alloc;
    options.dealloc = FailingAllocator::dealloc;
    options.alloc_user = &allocator;
    {
      const ContextHandle context = make_context(&options);
      puna_model* m = nullptr;
      puna_session* s = nullptr;
      puna_status status = puna_model_open(context.get(), smollm2().c_str(), nullptr, &m);
      if (!status) status = puna_session_create(m, nullptr, &s);
      for (int i = 0; !status && i < 3; ++i)
        status = puna_session_append(s, some_tokens(70).data(), 70, nullptr, nullptr);
      CHECK(allocator.failed == (n >= 0));
      CHECK(status == (n >= 0 ? PUNA_OUT_OF_MEMORY : PUNA_OK));
      if (s)
        CHECK(puna_session_append(s, some_tokens(2).data(), 2, nullptr, nullptr) ==
              PUNA_OK);  // what was refused once succeeds now
      puna_session_free(s);
      puna_model_free(m);
    }
    CHECK(allocator.live == 0);
    return n - allocator.countdown;
  };
  const int64_t all = live_with_failing(-1);
  // One in the middle first: an emulator tries no other.
  const std::vector<int64_t> each = {all / 2, all - 1, 0, 7, all - 12, all - 8, all - 4, all - 2};
  for (size_t i = 0; i < each.size(); i += kOneIn) {
    const int64_t n = each[i];
    CAPTURE(n, all);
    live_with_failing(n);
  }
  bystander.check();
}

TEST_CASE("every read fails once, by a number and by an exception", "[faults]") {
  for (const bool throws : {false, true})
    for (int64_t n = 0;; ++n) {
      Reads reads;
      reads.countdown = n;
      reads.throws = throws;
      Life life = tiny_life();
      life.read_at = Reads::read_at;
      life.reader_user = &reads;
      const int64_t before = live_blocks();
      const puna_status status = live(life);
      CHECK(live_blocks() == before);
      if (!reads.failed) {
        CHECK(n > 20);
        CHECK(status == PUNA_OK);
        break;
      }
      CHECK(status == (throws ? PUNA_INTERNAL : PUNA_IO));
      CHECK_THAT(puna_last_error(), Catch::Matchers::Contains(throws ? "from read_at" : "read_at returned 5"));
    }
}

TEST_CASE("an exception out of any callback is a status or nothing at all", "[faults]") {
  const auto lives = [](const Life& life, puna_status wanted, const std::string& words) {
    const int64_t before = live_blocks();
    const puna_status status = live(life);
    CHECK(live_blocks() == before);
    CHECK(status == wanted);
    if (wanted != PUNA_OK) CHECK_THAT(puna_last_error(), Catch::Matchers::Contains(words));
  };
  Life life = tiny_life();
  REQUIRE(live(life) == PUNA_OK);
  life.model.progress = [](void*, uint64_t, uint64_t) -> int32_t { throw std::runtime_error("from progress"); };
  lives(life, PUNA_INTERNAL, "from progress");

  life = tiny_life();
  life.on_token = [](void*, const puna_generated_token*) -> int32_t { throw std::runtime_error("from on_token"); };
  lives(life, PUNA_INTERNAL, "from on_token");

  life = tiny_life();
  life.process_logits = [](void*, float*, uint64_t, const int32_t*, uint64_t) -> int32_t { throw 7; };
  lives(life, PUNA_INTERNAL, "unknown type");

  life = tiny_life(3);
  life.context.thread_start = [](void*, int32_t) { throw std::runtime_error("from thread_start"); };
  lives(life, PUNA_OK, "");

  life = tiny_life();
  life.context.log = [](void*, int32_t, const char*) { throw std::runtime_error("from log"); };
  lives(life, PUNA_OK, "");

  for (const int64_t after : {0, 1, 3}) {  // before any task was called, and in the middle
    static int64_t calls;
    calls = after;
    life = tiny_life();
    life.context.executor_threads = 4;
    life.context.parallel_for = [](void*, int64_t n, void (*task)(void*, int64_t), void* data) {
      for (int64_t i = 0; i < n && i < calls; ++i) task(data, i);
      throw std::runtime_error("from parallel_for");
    };
    lives(life, PUNA_OK, "");
  }
}

TEST_CASE("cancelled at every step of the work, a session is as before and goes on", "[faults]") {
  struct Host {
    puna_session* session = nullptr;
    int64_t countdown = -1;
    bool fired = false;
  } host;
  auto options = sized<puna_context_options>();
  options.executor_user = &host;
  options.executor_threads = 2;
  options.parallel_for = [](void* user, int64_t n, void (*task)(void*, int64_t), void* data) {
    auto* h = static_cast<Host*>(user);
    for (int64_t i = 0; i < n; ++i) {
      if (h->countdown-- == 0) {
        h->fired = true;
        puna_session_cancel(h->session);
      }
      task(data, i);
    }
  };
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chat_model(), context.get());
  const std::vector<int32_t> first = some_tokens(9), second = some_tokens(20, 3);
  const SessionHandle whole = make_session(model), session = make_session(model);
  const std::vector<float> before = logits_after(whole, first), after = logits_after(whole, second);
  ok(puna_session_append(session.get(), first.data(), first.size(), nullptr, nullptr));
  host.session = session.get();
  int cancelled = 0;
  for (int64_t n = 0;; ++n) {
    host.countdown = n;
    host.fired = false;
    const puna_status status = puna_session_append(session.get(), second.data(), second.size(), nullptr, nullptr);
    if (status == PUNA_OK) {
      CHECK(logits(session) == after);
      if (!host.fired) break;                                           // the work is done before the cancel comes
      ok(puna_session_truncate(session.get(), int64_t(first.size())));  // it came in the last step, too late to matter:
      CHECK(puna_session_append(session.get(), first.data(), 1, nullptr, nullptr) ==
            PUNA_CANCELLED);  // it is for the next call
      continue;
    }
    ++cancelled;
    if (status != PUNA_CANCELLED || length(session) != int64_t(first.size()))
      FAIL("step " << n << ": " << puna_last_error());
  }
  CHECK(cancelled > 50);
  CHECK(before.size() == after.size());
}

TEST_CASE("a load cancelled at every report leaves nothing behind", "[faults]") {
  for (int64_t n = 0;; ++n) {
    struct Host {
      int64_t countdown;
      bool fired;
    } host{n, false};
    Life life = tiny_life();
    life.model.progress_user = &host;
    life.model.progress = [](void* user, uint64_t, uint64_t) -> int32_t {
      auto* h = static_cast<Host*>(user);
      h->fired |= h->countdown == 0;
      return h->countdown-- == 0;
    };
    Reads reads;
    life.read_at = Reads::read_at;
    life.reader_user = &reads;
    const int64_t before = live_blocks();
    const puna_status status = live(life);
    CHECK(live_blocks() == before);
    if (!host.fired) {
      CHECK(status == PUNA_OK);
      CHECK(n > 10);
      break;
    }
    CHECK(status == PUNA_CANCELLED);
  }
}

TEST_CASE("a thousand lives leave nothing behind", "[faults]") {
  Life life = tiny_life(2);
  REQUIRE(live(life) == PUNA_OK);
  const int64_t before = live_blocks();
  for (int i = 0; i < 1000; i += kOneIn)
    if (live(life) != PUNA_OK) FAIL(puna_last_error());
  CHECK(live_blocks() == before);
}

TEST_CASE("what is left of a session when nothing is left to replace it with goes on with the bits of a fresh one",
          "[faults]") {
  FailingAllocator memory;
  memory.from_then_on = true;
  auto options = sized<puna_context_options>();
  options.threads = 1;
  options.alloc = FailingAllocator::alloc;
  options.dealloc = FailingAllocator::dealloc;
  options.alloc_user = &memory;
  const ContextHandle context = make_context(&options);
  const ModelHandle model = open_model(chunked_model(), context.get());
  const size_t chunk = size_t(chunk_of(model));
  const std::vector<int32_t> first = ids(2 * chunk + 1);  // of its first chunk the local layers hold nothing any more
  auto small = sized<puna_session_options>();
  small.prefill_chunk = int64_t(chunk) - 1;
  const auto make = [&] {
    puna_session* made = nullptr;
    ok(puna_session_create(model.get(), &small, &made));
    return SessionHandle(made);
  };
  auto shared = sized<puna_append_options>();
  shared.keep_shared = 1;
  for (const size_t kept : {size_t(0), size_t(3), chunk, chunk + 1}) {
    std::vector<int32_t> whole(first.begin(), first.begin() + std::ptrdiff_t(kept));
    for (size_t i = 0; i < chunk + 5; ++i) whole.push_back(first[i] == 7 ? 8 : 7);
    for (int64_t n = 0;; ++n) {
      CAPTURE(kept, n);
      const SessionHandle session = make();
      logits_after(session, first);
      memory.countdown = n;
      memory.failed = false;
      const puna_status status = puna_session_append(session.get(), whole.data(), whole.size(), &shared, nullptr);
      memory.countdown = -1;
      CHECK(status == (memory.failed ? PUNA_OUT_OF_MEMORY : PUNA_OK));
      std::vector<int32_t> held = tokens_of(session);
      const std::vector<float> after = logits_after(session, {3});
      held.push_back(3);
      CHECK(after == logits_after(make(), held));
      if (!memory.failed) break;
    }
  }
}
