// puna batch: many prompts from a JSONL file, their answers into another, computed together. A line is written as soon
// as its answer is whole, so a run that was stopped goes on where it was; at the end the lines stand in the input's
// order.
#include <algorithm>
#include <deque>
#include <map>

#include "base/json.h"
#include "base/nearest.h"
#include "base/os.h"
#include "base/shown.h"
#include "common.h"
#include "dropped.h"
#include "interrupt.h"
#include "progress.h"
#include "puna/base/error.h"
#include "puna/chat/dropped_fields.h"
#include "puna/runtime/engine.h"
#include "verbs.h"

namespace puna::cli {
namespace {

constexpr uint64_t kLargestFile = uint64_t(4) << 30;
constexpr uint64_t kStepUs = 50'000;  // between two looks at Ctrl-C

struct BatchFlags {
  ModelFlags model;
  SessionFlags session;
  SamplingFlags sampling;
  std::string in, out, date;
  int64_t max_tokens = 256;
  int parallel = 8, lookup = 0;
  bool overwrite = false;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool is_blank(const std::string& line) { return line.find_first_not_of(" \t\r") == line.npos; }

// The answers that an earlier run left: their lines by number, and the bytes of the file that are whole lines.
struct Before {
  std::map<int64_t, std::string> answers;
  uint64_t bytes = 0;
};
Before read_before(const std::string& path, int64_t lines) {
  Before before;
  if (!os::is_file(path)) return before;
  const std::string text = os::read_file(path, kLargestFile);
  for (size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    const std::string line = text.substr(at, end - at);
    const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
    const bool answer = json.is_object() && json.contains("line") && json["line"].is_number_integer();
    const int64_t number = answer ? json["line"].get<int64_t>() : -1;
    if (number < 0 || number >= lines)
      fail(Status::invalid_argument, "%s: line %zu is not an answer of this batch; --overwrite begins anew",
           path.c_str(), before.answers.size() + 1);
    before.answers[number] = line;
    before.bytes = end + 1;
  }
  // A kill may have cut short the last line of ours. What begins otherwise is somebody else's, and is not cut.
  constexpr std::string_view kBegin = "{\"line\":";
  const std::string_view rest = std::string_view(text).substr(before.bytes);
  if (!rest.starts_with(kBegin) && !kBegin.starts_with(rest))
    fail(Status::invalid_argument, "%s: line %zu is not an answer of this batch; --overwrite begins anew", path.c_str(),
         before.answers.size() + 1);
  return before;
}

int64_t whole_number(const OrderedJson& json, const char* name, int64_t otherwise, int64_t low, int64_t high) {
  if (!json.contains(name)) return otherwise;
  const bool fits =
      json[name].is_number_integer() && json[name].get<int64_t>() >= low && json[name].get<int64_t>() <= high;
  if (!fits) fail(Status::invalid_argument, "\"%s\" is no whole number from %jd to %jd", name, low, high);
  return json[name].get<int64_t>();
}
float number(const OrderedJson& json, const char* name, float otherwise) {
  if (!json.contains(name)) return otherwise;
  if (!json[name].is_number()) fail(Status::invalid_argument, "\"%s\" is no number", name);
  return json[name].get<float>();
}

// A line of the input: {"prompt": "..."}, {"messages": [...], "tools": [...]} or {"tokens": [...]}, with "max_tokens",
// "temperature", "top_k", "top_p", "min_p", "seed", "stop", "json_schema", "regex" and "id" beside it.
EngineRequestOptions request_of(const BatchFlags& f, const Model& model, const OrderedJson& json,
                                DroppedFields& dropped) {
  if (!json.is_object()) fail(Status::invalid_argument, "expected an object");
  const std::vector<std::string> known = {"prompt",      "messages", "tools", "tokens", "max_tokens",
                                          "temperature", "id",       "top_k", "top_p",  "min_p",
                                          "json_schema", "regex",    "seed",  "stop"};
  for (const auto& [key, value] : json.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(Status::invalid_argument, "\"%s\" is not known here%s", shown(key).c_str(),
           did_you_mean(key, known).c_str());
  const int given = int(json.contains("prompt")) + int(json.contains("messages")) + int(json.contains("tokens"));
  if (given != 1) fail(Status::invalid_argument, "expected one of \"prompt\", \"messages\" and \"tokens\"");
  if (json.contains("tools") && !json.contains("messages"))
    fail(Status::invalid_argument, "\"tools\" without \"messages\", which they are told to");
  if (json.contains("json_schema") && json.contains("regex"))
    fail(Status::invalid_argument, "\"json_schema\" and \"regex\": an answer is held to one of the two");
  EngineRequestOptions r;
  if (json.contains("tokens")) {
    if (!json["tokens"].is_array()) fail(Status::invalid_argument, "\"tokens\" is no list");
    for (const OrderedJson& id : json["tokens"]) {
      const int64_t last = model.config().vocab - 1;
      if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() > last)
        fail(Status::invalid_argument, "\"tokens\": expected ids from 0 to %jd", last);
      r.prompt.tokens.push_back(id.get<int32_t>());
    }
  } else if (json.contains("prompt")) {
    if (!json["prompt"].is_string()) fail(Status::invalid_argument, "\"prompt\" is no text");
    r.prompt.tokens = encode_prompt(model.require_tokenizer(), json["prompt"].get<std::string>(), false);
  } else {
    OrderedJson variables = {{"messages", json["messages"]}, {"add_generation_prompt", true}};
    if (json.contains("tools")) variables["tools"] = json["tools"];
    const std::string text = json_text(variables);
    const RenderedChat chat = model.render_chat(text, f.date.empty() ? today() : f.date);
    dropped.warn(dropped_fields(text, chat));
    r.prompt.tokens = model.require_tokenizer().encode_chat(chat);
  }
  GenerateOptions& g = r.generate;
  g.sampler = f.sampling.options;
  g.max_tokens = whole_number(json, "max_tokens", f.max_tokens, 0, INT32_MAX);
  g.sampler.seed = uint64_t(whole_number(json, "seed", int64_t(g.sampler.seed), 0, INT64_MAX));
  g.sampler.top_k = int32_t(whole_number(json, "top_k", g.sampler.top_k, 0, INT32_MAX));
  g.sampler.temperature = number(json, "temperature", g.sampler.temperature);
  g.sampler.top_p = number(json, "top_p", g.sampler.top_p);
  g.sampler.min_p = number(json, "min_p", g.sampler.min_p);
  g.lookup_tokens = f.lookup;
  if (json.contains("stop")) {
    if (!json["stop"].is_array()) fail(Status::invalid_argument, "\"stop\" is no list");
    for (const OrderedJson& s : json["stop"]) {
      if (!s.is_string()) fail(Status::invalid_argument, "\"stop\": expected texts");
      g.stop_strings.push_back(s.get<std::string>());
    }
  }
  if (json.contains("json_schema")) {
    g.grammar = grammar_from_json_schema(json_text(json["json_schema"]));
  } else if (json.contains("regex")) {
    if (!json["regex"].is_string()) fail(Status::invalid_argument, "\"regex\" is no text");
    g.grammar = grammar_from_regex(json["regex"].get<std::string>());
  }
  return r;
}

const char* stop_name(StopReason reason) {
  switch (reason) {
    case StopReason::max_tokens: return "max_tokens";
    case StopReason::stop_token: return "stop_token";
    case StopReason::stop_string: return "stop_string";
    case StopReason::context_full: return "context_full";
    case StopReason::grammar: return "grammar";
    default: return "interrupted";
  }
}

// The answers' file while they come.
class Answers {
 public:
  Answers(const std::string& path, Before before)
      : path_(path), file_(path, before.bytes), lines_(std::move(before.answers)) {}
  bool has(int64_t line) const { return lines_.count(line) != 0; }
  size_t count() const { return lines_.size(); }
  void write(int64_t line, const OrderedJson& answer) {
    const std::string text = answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    std::string why;
    if (file_.append((text + "\n").data(), text.size() + 1, why) != text.size() + 1)
      fail(Status::io, "%s: cannot write: %s", path_.c_str(), why.c_str());
    lines_[line] = text;
  }
  void sort() {
    std::string all;
    for (const auto& [line, text] : lines_) all += text + "\n";
    write_text(path_, all);
  }

 private:
  std::string path_;
  os::AppendedFile file_;
  std::map<int64_t, std::string> lines_;
};

void run_batch(const BatchFlags& f) {
  const std::vector<std::string> input = lines_of(read_input(f.in));
  const auto total = int64_t(input.size() - size_t(std::count_if(input.begin(), input.end(), is_blank)));
  Before before = f.overwrite ? Before() : read_before(f.out, int64_t(input.size()));
  const auto left_by_others = int64_t(before.answers.size());
  if (left_by_others > 0)
    fprintf(stderr, "puna: %s has %jd answers already: going on\n", f.out.c_str(), intmax_t(left_by_others));
  const ModelPtr model = f.model.open();
  const AdapterPtr adapter = f.model.open_adapter(*model);
  EngineOptions options;
  options.session = f.session.read();
  options.max_running = f.parallel;
  Engine engine(model, options);
  Answers answers(f.out, std::move(before));  // when all is well: answers of before are not lost to a wrong option

  struct Live {
    int64_t line;
    OrderedJson id;  // null: the line has none
    EngineRequestPtr request;
  };
  std::deque<Live> live;
  DroppedFields dropped;
  ProgressBar bar("answers");
  const Interrupt interrupt;
  int64_t errors = 0, next = 0, tokens = 0;
  const double start = seconds_now();
  const auto answer_of = [](int64_t line, const OrderedJson& id) {
    OrderedJson out = {{"line", line}};
    if (!id.is_null()) out["id"] = id;
    return out;
  };
  const auto write_error = [&](int64_t line, const OrderedJson& id, const std::string& sentence) {
    ++errors;
    OrderedJson out = answer_of(line, id);
    out["error"] = sentence;
    answers.write(line, out);
  };
  while (next < int64_t(input.size()) || !live.empty()) {
    // Twice as many as run: prompts that begin alike are seen in time.
    for (; next < int64_t(input.size()) && live.size() < size_t(2 * f.parallel); ++next) {
      if (is_blank(input[size_t(next)]) || answers.has(next)) continue;
      OrderedJson id;
      try {
        const OrderedJson line = parse_ordered_json(input[size_t(next)], "line");
        if (line.is_object() && line.contains("id")) id = line["id"];
        EngineRequestOptions r = request_of(f, *model, line, dropped);
        if (adapter) r.adapters = {{adapter, 1}};
        r.on_event = [](const EngineEvent&) { return true; };
        live.push_back({next, id, engine.submit(std::move(r))});
      } catch (const Error& e) {
        write_error(next, id, e.what());
      }
    }
    engine.step(kStepUs);
    for (size_t i = 0; i < live.size();) {
      const Live l = live[i];
      if (!l.request->ended()) {
        ++i;
        continue;
      }
      live.erase(live.begin() + std::ptrdiff_t(i));
      const EngineRequestInfo info = l.request->info();
      if (info.status != Status::ok) {
        write_error(l.line, l.id, info.message);
        continue;
      }
      const GenerateResult result = l.request->answers().at(0).result;
      OrderedJson out = answer_of(l.line, l.id);
      out["text"] = result.text;
      if (!model->tokenizer()) out["tokens"] = result.tokens;
      out["stop"] = stop_name(result.reason);
      if (!result.whole) out["incomplete"] = true;
      out["prompt_tokens"] = info.prompt_tokens;
      out["generated_tokens"] = result.tokens.size();
      answers.write(l.line, out);
      tokens += int64_t(result.tokens.size());
    }
    char note[64];
    snprintf(note, sizeof note, "%.1f tokens/s", double(tokens) / std::max(seconds_now() - start, 1e-3));
    bar.update(answers.count(), uint64_t(total), note, uint64_t(left_by_others));
    if (interrupt.requested())
      fail(Status::cancelled, "stopped: %s has %zu of %jd answers; the same command goes on", f.out.c_str(),
           answers.count(), total);
  }
  bar.wipe();
  answers.sort();
  fprintf(stderr, "puna: %jd answers in %s, %jd of them errors; %.1f tokens/s\n", intmax_t(total), f.out.c_str(),
          intmax_t(errors), double(tokens) / std::max(seconds_now() - start, 1e-3));
}

}  // namespace

void add_batch(CLI::App& app) {
  const auto f = std::make_shared<BatchFlags>();
  const Verb verb(app, "batch", "Answer many prompts together: a JSONL file in, a JSONL file out");
  f->model.add(verb);
  f->model.add_adapter(verb);
  verb.option("--in", f->in,
              "a line each: {\"prompt\": TEXT} or {\"messages\": [...]} or {\"tokens\": [...]}, with max_tokens, "
              "temperature, top_k, top_p, min_p, seed, stop, json_schema, regex, id where wanted; - = standard input")
      .required();
  verb.output("--out", f->out,
              "the answers, a line each: line (of the input, from 0), id, text, stop, counts, or error. What is there "
              "already is not computed again")
      .required();
  verb.flag("--overwrite", f->overwrite, "begin anew, whatever --out holds");
  verb.option("--parallel", f->parallel, "answers computed at once (default 8)").within(1, 1024);
  verb.option("--max-tokens", f->max_tokens, "stop after so many tokens (default 256; 0 = no limit)").at_least(0);
  verb.option("--lookup", f->lookup, "guess so many tokens at once from what stood before (default 0)").within(0, 64);
  verb.option("--date", f->date, "what templates are told, YYYY-MM-DD (default: today)");
  f->sampling.add(verb);
  f->session.add(verb);
  verb.run([f] { run_batch(*f); });
}

}  // namespace puna::cli
