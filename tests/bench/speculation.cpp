// speculation.cpp -- what drafts bring: plain answers against the same with prompt lookup or a draft model, in turns;
// and what a pass of a few rows costs, on which all of it rests. Prints JSON.
//   speculation MODEL TALKER [--draft MODEL] [--threads 2] [--isa LEVEL] [--lookup 16] [--rounds 3] [--tokens 192]
//     [--draft-tokens N] [--cpu-time]  (of one thread, where others keep the machine busy)
// The model answers with given tokens, so one of random weights can be asked too: a processor makes each the most
// likely. TALKER, a chat model with a tokenizer, gives the texts: a page to be copied with one change, and its own free
// answers to a few questions. With --draft the answers are the draft's, with a surprise now and then: what a draft is
// worth is how often it agrees.
#include <string>

#include "bench/bench_options.h"
#include "bench/scripted.h"

using namespace puna;
using namespace puna::bench;

namespace {

Run run(const ModelPtr& model, const std::vector<Task>& tasks, const GenerateOptions& options) {
  Run r;
  for (const Task& t : tasks) answer(model, t, options, r);
  return r;
}

void compare(const char* name, const ModelPtr& model, const std::vector<Task>& tasks, const GenerateOptions& plain,
             const GenerateOptions& drafted, int64_t rounds) {
  std::vector<double> before, after, ratios;
  Run last;
  for (int64_t i = 0; i < rounds; ++i) {
    before.push_back(run(model, tasks, plain).tokens_per_second());
    last = run(model, tasks, drafted);
    after.push_back(last.tokens_per_second());
    ratios.push_back(after.back() / before.back());
  }
  printf(" \"%s\": {\"plain\": %.2f, \"drafted\": %.2f, \"ratio\": %.3f, \"accepted\": %jd, \"rejected\": %jd},\n",
         name, median(before), median(after), median(ratios), last.accepted, last.rejected);
  fflush(stdout);
}

// A page of numbered sentences of which no two are alike.
std::string page() {
  const char* const who[] = {"The miller", "A sailor", "Her cousin", "The old clerk", "Nobody", "My neighbour"};
  const char* const did[] = {"repaired", "sold", "painted", "forgot", "carried", "described", "weighed"};
  const char* const what[] = {"a wooden boat", "the blue door", "seven apples", "an iron kettle", "two letters"};
  std::string text;
  for (int i = 0; i < 44; ++i)
    text += std::string(who[i * 5 % 6]) + " " + did[i * 3 % 7] + " " + what[i * 2 % 5] + " in " +
            std::to_string(1700 + i * 7) + ". ";
  return text;
}

Task copy_task(const Tokenizer& t) {
  Ids text = t.encode(page(), false);
  text.resize(std::min<size_t>(text.size(), 500));
  Task task;
  task.prompt = t.encode("Copy this text, but write 1889 in place of one year:\n", false);
  task.prompt.insert(task.prompt.end(), text.begin(), text.end());
  const Ids ask = t.encode("\nThe copy:\n", false);
  task.prompt.insert(task.prompt.end(), ask.begin(), ask.end());
  task.answer = text;
  task.answer[text.size() / 2] = t.encode("9", false).back();
  return task;
}

std::vector<Task> chat_tasks(const ModelPtr& talker, int64_t tokens) {
  const char* const questions[] = {"What is a puna, and who lives there?", "Explain how bread rises, to a child.",
                                   "Write a short letter to a landlord about a broken heater.",
                                   "Give me five ideas for a rainy afternoon, with a sentence on each."};
  GenerateOptions o;
  o.max_tokens = tokens;
  o.sampler.temperature = 0.7f;
  o.sampler.top_p = 0.95f;
  std::vector<Task> tasks;
  for (const char* q : questions) {
    const std::string json = std::string("{\"messages\": [{\"role\": \"user\", \"content\": \"") + q +
                             "\"}], \"tools\": null, \"add_generation_prompt\": true}";
    Task task;
    task.prompt = talker->require_tokenizer().encode_chat(talker->render_chat(json, "2026-11-30"));
    Session s(talker, {});
    ++o.sampler.seed;
    task.answer = generate(s, task.prompt, o).tokens;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

// The draft's own answers, but for every so-manieth token, where it is surprised; 0 = never.
std::vector<Task> agreeing(Session& draft, const std::vector<Task>& prompts, int every, int64_t tokens) {
  std::vector<Task> tasks;
  const auto surprise = [&](std::span<float> logits, std::span<const int32_t> history) {
    if (every == 0 || int64_t(history.size()) % every != 0) return;
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    logits[size_t(best * 31 + int64_t(history.size()) * 7919) % logits.size()] = 1e9f;
  };
  for (const Task& p : prompts) {
    GenerateOptions o;
    o.ignore_eos = true;
    o.max_tokens = tokens;
    o.processor = Sampler::Processor(surprise);
    draft.truncate(0);
    tasks.push_back({p.prompt, generate(draft, p.prompt, o).tokens});
  }
  return tasks;
}

// Milliseconds of a pass of n rows behind 256 tokens, logits of all.
void print_rows(const ModelPtr& model, int64_t rounds) {
  const int64_t vocab = model->config().vocab;
  Ids ids;
  for (int64_t i = 0; i < 272; ++i) ids.push_back(int32_t((i * 7919 + 11) % vocab));
  Session s(model, {});
  s.append(std::span(ids).first(256));
  std::vector<float> logits(size_t(16 * vocab));
  printf(" \"rows\": {");
  for (const int n : {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16}) {
    std::vector<double> ms;
    for (int64_t i = 0; i < 3 * rounds + 1; ++i) {
      s.truncate(256);
      const double start = seconds_now();
      s.append(std::span(ids).subspan(256, size_t(n)), {.logits = logits});
      if (i > 0) ms.push_back((seconds_now() - start) * 1e3);
    }
    printf("%s\"%d\": %.2f", n > 1 ? ", " : "", n, median(ms));
    fflush(stdout);
  }
  printf("},\n");
}

void run_all(const bench::Words& words) {
  PUNA_REQUIRE(words.rest.size() == 2, "expected MODEL TALKER");
  const ModelPtr model = Model::open(bench::context_of(words), words.rest[0]);
  const ModelPtr talker = Model::open(bench::context_of(words), words.rest[1]);
  cpu_time = words.has("--cpu-time");
  const int64_t rounds = words.number("--rounds", 3), tokens = words.number("--tokens", 192);
  printf("{\"model\": \"%s\", \"threads\": %jd,\n", words.rest[0].c_str(), words.number("--threads", 2));
  if (words.has("--draft")) {
    Session draft(Model::open(bench::context_of(words), words.text("--draft")), {});
    GenerateOptions plain, drafted;
    plain.ignore_eos = drafted.ignore_eos = true;
    drafted.draft = &draft;
    drafted.draft_tokens = int32_t(words.number("--draft-tokens", 0));
    const std::vector<Task> chats = chat_tasks(talker, tokens);
    for (const int every : {0, 10, 5, 3, 1}) {
      const std::string name = every == 0 ? "draft, always right" : "draft, wrong every " + std::to_string(every);
      compare(name.c_str(), model, agreeing(draft, chats, every, tokens), plain, drafted, rounds);
    }
  } else {
    GenerateOptions plain, drafted;
    plain.ignore_eos = drafted.ignore_eos = true;
    drafted.lookup_tokens = int32_t(words.number("--lookup", 16));
    print_rows(model, rounds);
    compare("copy", model, {copy_task(talker->require_tokenizer())}, plain, drafted, rounds);
    compare("chat", model, chat_tasks(talker, tokens), plain, drafted, rounds);
  }
  printf(" \"rounds\": %jd}\n", rounds);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run_all(bench::Words(argc, argv, "--threads --isa --lookup --rounds --tokens --draft --draft-tokens --providers"));
  } catch (const Error& e) {
    fprintf(stderr, "speculation: %s\n", e.what());
    return 1;
  }
}
