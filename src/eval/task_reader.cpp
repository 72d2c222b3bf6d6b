// task_reader.cpp -- the keys of a task, each with what reads it.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "puna/base/error.h"
#include "puna/eval/task.h"

namespace puna::eval {
namespace {

constexpr int64_t kMostShots = 1000, kMostRepeats = 1024, kMostTokens = 1 << 20;
constexpr std::string_view kFilters[] = {"take_first", "take_first_k", "regex", "remove_whitespace",
                                         "lowercase",  "uppercase",    "map",   "majority_vote"};
// Of the harness, and not read: code of its own, media, and data that is not in files.
constexpr std::string_view kRefused[] = {
    "custom_dataset", "process_docs", "process_results", "doc_to_image",
    "doc_to_audio",   "use_prompt",   "unsafe_code",     "should_decontaminate",
    "group",          "class",        "task_list",       "doc_to_decontamination_query"};

class TaskReader {
 public:
  TaskReader(Task& task, std::string_view text, const std::string& file, const Watch& watch)
      : t_(task), text_(text), file_(file), watch_(watch) {}

  void read(std::string_view object) {
    const Handlers keys = {
        {"task", [&](auto v) { t_.name = text("task", v); }},
        {"include", [](auto) {}},  // whoever reads files has read it
        {"tag", [](auto) {}},
        {"task_alias", [](auto) {}},
        {"metadata", [](auto) {}},
        {"dataset_path", [&](auto v) { t_.dataset_path = text("dataset_path", v); }},
        {"dataset_name", [](auto) {}},  // of a hub's data set
        {"dataset_kwargs", [&](auto v) { dataset(v); }},
        {"training_split", [&](auto v) { t_.training_split = text("training_split", v); }},
        {"validation_split", [&](auto v) { t_.validation_split = text("validation_split", v); }},
        {"test_split", [&](auto v) { t_.test_split = text("test_split", v); }},
        {"fewshot_split", [&](auto v) { t_.fewshot_split = text("fewshot_split", v); }},
        {"output_type", [&](auto v) { output(v); }},
        {"doc_to_text", [&](auto v) { t_.text = rule("doc_to_text", v); }},
        {"doc_to_target", [&](auto v) { t_.target = rule("doc_to_target", v); }},
        {"doc_to_choice", [&](auto v) { t_.choice = rule("doc_to_choice", v); }},
        {"gen_prefix", [&](auto v) { t_.prefix = rule("gen_prefix", v); }},
        {"description", [&](auto v) { t_.description = text("description", v); }},
        {"target_delimiter", [&](auto v) { t_.target_delimiter = text("target_delimiter", v); }},
        {"fewshot_delimiter", [&](auto v) { t_.fewshot_delimiter = text("fewshot_delimiter", v); }},
        {"fewshot_config", [&](auto v) { fewshot(v); }},
        {"num_fewshot", [&](auto v) { t_.num_fewshot = whole("num_fewshot", v, 0, kMostShots); }},
        {"generation_kwargs", [&](auto v) { generation(v); }},
        {"repeats", [&](auto v) { t_.repeats = whole("repeats", v, 1, kMostRepeats); }},
        {"filter_list", [&](auto v) { filters(v); }},
        {"metric_list", [&](auto v) { metrics(v); }},
    };
    each(object, "a task", keys);
  }

 private:
  using Handlers = std::map<std::string, std::function<void(std::string_view)>, std::less<>>;

  [[noreturn]] void refuse(std::string_view at, const std::string& what) const {
    const int64_t line = 1 + std::count(text_.data(), at.data(), '\n');
    fail(Status::bad_file, "%s, line %jd: %s", file_.c_str(), line, what.c_str());
  }
  [[noreturn]] void refuse_kind(std::string_view at, const std::string& key, const char* expected) const {
    refuse(at, "\"" + key + "\" is " + io::kind_of(at) + ", expected " + expected);
  }

  void each(std::string_view object, const std::string& what, const Handlers& keys) const {
    if (!io::is_object(object)) refuse(object, what + " is " + io::kind_of(object) + ", expected keys and values");
    io::each_member(object, watch_, [&](const std::string& key, std::string_view value) {
      const auto found = keys.find(key);
      if (found == keys.end()) {
        const bool refused = std::find(std::begin(kRefused), std::end(kRefused), key) != std::end(kRefused);
        std::vector<std::string> known;
        for (const auto& [name, read] : keys) known.push_back(name);
        refuse(value, "\"" + shown(key) + "\" " + (refused ? "is not supported" : "is no key of " + what) +
                          (refused ? "" : did_you_mean(key, known)));
      }
      // null is the default, which takes back the split of a task that is included.
      if (io::is_null(value) && key.ends_with("_split"))
        found->second("\"\"");
      else if (!io::is_null(value))
        found->second(value);
    });
  }

  std::string text(const std::string& key, std::string_view v) const {
    if (!io::is_string(v)) refuse_kind(v, key, "a text");
    return io::text_of(v, watch_);
  }
  bool truth(const std::string& key, std::string_view v) const {
    if (v != "true" && v != "false") refuse_kind(v, key, "true or false");
    return v == "true";
  }
  int64_t whole(const std::string& key, std::string_view v, int64_t low, int64_t high) const {
    int64_t n = 0;
    const auto [end, error] = std::from_chars(v.data(), v.data() + v.size(), n);
    if (error != std::errc() || end != v.data() + v.size() || n < low || n > high)
      refuse(v, "\"" + key + "\" is " + shown(v) + ", expected a whole number from " + std::to_string(low) + " to " +
                    std::to_string(high));
    return n;
  }
  double number(const std::string& key, std::string_view v, double low, double high) const {
    double n = NAN;
    const auto [end, error] = std::from_chars(v.data(), v.data() + v.size(), n);
    if (error != std::errc() || end != v.data() + v.size() || !(n >= low && n <= high))
      refuse(v, "\"" + key + "\" is " + shown(v) + ", expected a number from " + std::to_string(low) + " to " +
                    std::to_string(high));
    return n;
  }
  // One text or a list of them.
  std::vector<std::string> texts(const std::string& key, std::string_view v) const {
    if (io::is_string(v)) return {text(key, v)};
    if (!io::is_array(v)) refuse_kind(v, key, "a text or a list of texts");
    std::vector<std::string> all;
    io::each_element(v, watch_, [&](std::string_view one) { all.push_back(text(key, one)); });
    return all;
  }
  FieldRule rule(const std::string& key, std::string_view v) const {
    FieldRule r;
    r.given = true;
    if (io::is_array(v) || io::is_object(v)) {  // of an object the values, in their order
      r.is_list = true;
      if (io::is_array(v)) r.list = texts(key, v);
      if (io::is_object(v))
        io::each_member(v, watch_, [&](const std::string&, std::string_view one) { r.list.push_back(text(key, one)); });
    } else if (io::is_string(v)) {
      r.text = text(key, v);
    } else {
      r.number = whole(key, v, 0, INT32_MAX);
    }
    return r;
  }

  void output(std::string_view v) {
    const std::string given = text("output_type", v);
    std::vector<std::string> known;
    for (const OutputType type : {OutputType::multiple_choice, OutputType::loglikelihood,
                                  OutputType::loglikelihood_rolling, OutputType::generate_until}) {
      known.push_back(name(type));
      if (given != known.back()) continue;
      t_.output = type;
      return;
    }
    refuse(v, "\"output_type\" is '" + shown(given) +
                  "', expected multiple_choice, loglikelihood, loglikelihood_rolling or generate_until" +
                  did_you_mean(given, known));
  }

  void dataset(std::string_view v) {
    each(v, "dataset_kwargs",
         {{"data_files",
           [&](std::string_view files) {
             t_.data_files.clear();
             if (io::is_string(files)) {  // the only split that there is
               t_.data_files["train"] = text("data_files", files);
               return;
             }
             if (!io::is_object(files)) refuse_kind(files, "data_files", "a file for each split");
             io::each_member(files, watch_, [&](const std::string& split, std::string_view file) {
               t_.data_files[split] = text(split, file);
             });
           }},
          {"trust_remote_code", [](std::string_view) {}}});
  }

  void fewshot(std::string_view v) {
    each(
        v, "fewshot_config",
        {{"sampler",
          [&](std::string_view s) {
            const std::string sampler = text("sampler", s);
            if (sampler != "default" && sampler != "first_n")
              refuse(s, "\"sampler\" is '" + shown(sampler) + "', expected default or first_n" +
                            did_you_mean(sampler, std::vector<std::string>{"default", "first_n"}));
            t_.first_n = sampler == "first_n";
          }},
         {"split", [&](std::string_view s) { t_.fewshot_split = text("split", s); }},
         {"doc_to_text", [&](std::string_view s) { t_.shot_text = rule("doc_to_text", s); }},
         {"doc_to_target", [&](std::string_view s) { t_.shot_target = rule("doc_to_target", s); }},
         {"doc_to_choice", [&](std::string_view s) { t_.shot_choice = rule("doc_to_choice", s); }},
         {"gen_prefix", [&](std::string_view s) { t_.shot_prefix = rule("gen_prefix", s); }},
         {"target_delimiter", [&](std::string_view s) { t_.shot_target_delimiter = text("target_delimiter", s); }},
         {"fewshot_delimiter", [&](std::string_view s) { t_.shot_fewshot_delimiter = text("fewshot_delimiter", s); }}});
  }

  void generation(std::string_view v) {
    each(v, "generation_kwargs",
         {{"until", [&](std::string_view s) { t_.until = texts("until", s); }},
          {"max_gen_toks", [&](std::string_view s) { t_.max_gen_toks = whole("max_gen_toks", s, 1, kMostTokens); }},
          {"do_sample", [&](std::string_view s) { t_.do_sample = truth("do_sample", s); }},
          {"temperature", [&](std::string_view s) { t_.temperature = number("temperature", s, 0, 100); }},
          {"top_p", [&](std::string_view s) { t_.top_p = number("top_p", s, 1e-6, 1); }},
          {"top_k", [&](std::string_view s) { t_.top_k = whole("top_k", s, 0, INT32_MAX); }}});
  }

  void filters(std::string_view v) {
    if (!io::is_array(v)) refuse_kind(v, "filter_list", "a list");
    t_.filters.clear();
    io::each_element(v, watch_, [&](std::string_view one) {
      FilterChain chain;
      each(one, "a filter_list entry",
           {{"name", [&](std::string_view s) { chain.name = text("name", s); }},
            {"filter", [&](std::string_view s) {
               if (!io::is_array(s)) refuse_kind(s, "filter", "a list");
               io::each_element(s, watch_, [&](std::string_view step) { chain.steps.push_back(filter(step)); });
             }}});
      if (chain.name.empty()) refuse(one, "a filter_list entry has no \"name\"");
      if (std::any_of(t_.filters.begin(), t_.filters.end(), [&](const FilterChain& f) { return f.name == chain.name; }))
        refuse(one, "two filters have the name '" + shown(chain.name) + "'");
      t_.filters.push_back(std::move(chain));
    });
  }
  FilterStep filter(std::string_view v) const {
    FilterStep f;
    bool has_pattern = false;
    each(v, "a filter",
         {{"function", [&](std::string_view s) { f.function = text("function", s); }},
          {"regex_pattern",
           [&](std::string_view s) {
             f.pattern = text("regex_pattern", s);
             has_pattern = true;
           }},
          {"group_select", [&](std::string_view s) { f.group_select = whole("group_select", s, -1, 0); }},
          {"fallback", [&](std::string_view s) { f.fallback = text("fallback", s); }},
          {"k", [&](std::string_view s) { f.k = whole("k", s, 1, kMostRepeats); }},
          {"mapping_dict",
           [&](std::string_view s) {
             if (!io::is_object(s)) refuse_kind(s, "mapping_dict", "keys and values");
             io::each_member(s, watch_, [&](const std::string& from, std::string_view to) {
               f.mapping[from] = io::is_string(to) ? io::text_of(to, watch_) : std::string(to);
             });
           }},
          {"default_value",
           [&](std::string_view s) { f.otherwise = io::is_string(s) ? io::text_of(s, watch_) : std::string(s); }}});
    if (std::find(std::begin(kFilters), std::end(kFilters), f.function) == std::end(kFilters))
      refuse(v, "\"function\" is '" + shown(f.function) + "', which is no filter that is known here" +
                    did_you_mean(f.function, std::vector<std::string_view>(std::begin(kFilters), std::end(kFilters))));
    if (has_pattern && f.function != "regex") refuse(v, "\"regex_pattern\" of the filter '" + f.function + "'");
    return f;
  }

  void metrics(std::string_view v) {
    if (!io::is_array(v)) refuse_kind(v, "metric_list", "a list");
    t_.metrics.clear();
    io::each_element(v, watch_, [&](std::string_view one) {
      MetricRule m;
      each(one, "a metric_list entry",
           {{"metric", [&](std::string_view s) { m.name = text("metric", s); }},
            {"aggregation", [&](std::string_view s) { text("aggregation", s); }},  // each metric has its own
            {"higher_is_better", [&](std::string_view s) { truth("higher_is_better", s); }},
            {"regexes_to_ignore", [&](std::string_view s) { m.regexes_to_ignore = texts("regexes_to_ignore", s); }},
            {"ignore_case", [&](std::string_view s) { m.ignore_case = truth("ignore_case", s); }},
            {"ignore_punctuation", [&](std::string_view s) { m.ignore_punctuation = truth("ignore_punctuation", s); }},
            {"ignore_numbers", [&](std::string_view s) { m.ignore_numbers = truth("ignore_numbers", s); }}});
      if (m.name.empty()) refuse(one, "a metric_list entry has no \"metric\"");
      t_.metrics.push_back(std::move(m));
    });
  }

  Task& t_;
  std::string_view text_;
  const std::string& file_;
  const Watch& watch_;
};

// What each kind of task is scored by; the first ones by default.
std::vector<std::string> metrics_of(OutputType type) {
  switch (type) {
    case OutputType::multiple_choice: return {"acc", "acc_norm", "acc_bytes", "brier_score", "ece", "exact_match"};
    case OutputType::loglikelihood: return {"perplexity", "acc"};
    case OutputType::loglikelihood_rolling: return {"word_perplexity", "byte_perplexity", "bits_per_byte"};
    case OutputType::generate_until: return {"exact_match", "f1"};
  }
  return {};
}

}  // namespace

const char* name(OutputType type) noexcept {
  switch (type) {
    case OutputType::multiple_choice: return "multiple_choice";
    case OutputType::loglikelihood: return "loglikelihood";
    case OutputType::loglikelihood_rolling: return "loglikelihood_rolling";
    case OutputType::generate_until: return "generate_until";
  }
  return "";
}

std::string Task::shots_split() const {
  for (const std::string* split : {&fewshot_split, &training_split, &validation_split})
    if (!split->empty()) return *split;
  return test_split;
}

void read_task(Task& task, std::string_view json, const std::string& file, const Watch& watch) {
  int64_t objects = 0;
  io::each_row(json, file, watch, [&](const io::Place& place, std::string_view object) {
    if (objects++ > 0) place.refuse("a second task: expected one a file");
    task.file = file;
    TaskReader(task, json, file, watch).read(object);
  });
  if (objects == 0) fail(Status::bad_file, "%s: there is no task in it", file.c_str());
}

void finish_task(Task& t) {
  const auto refuse = [&](const std::string& what) { fail(Status::bad_file, "%s: %s", t.file.c_str(), what.c_str()); };
  if (t.name.empty()) refuse("\"task\" is missing: expected the task's name");
  const bool rolling = t.output == OutputType::loglikelihood_rolling;
  if (!t.text.given && !rolling) refuse("\"doc_to_text\" is missing");
  if (!t.target.given) refuse("\"doc_to_target\" is missing");
  if (t.output == OutputType::multiple_choice && !t.choice.given) refuse("\"doc_to_choice\" is missing");
  if (rolling && t.num_fewshot > 0) refuse("\"num_fewshot\" of a task that takes no examples");
  if (t.output != OutputType::generate_until && t.repeats > 1) refuse("\"repeats\" of a task that generates nothing");
  if (t.temperature > 0) t.do_sample = true;
  if (t.do_sample && t.temperature == 0) t.temperature = 1;
  if (t.repeats > 1 && !t.do_sample) refuse("\"repeats\" without do_sample: all answers would be the same");
  if (t.until.empty()) t.until = {t.fewshot_delimiter};
  if (t.output != OutputType::generate_until && !t.filters.empty())
    refuse("\"filter_list\" of a task that generates nothing");
  if (t.filters.empty()) {
    FilterStep take_first;
    take_first.function = "take_first";
    t.filters = {{"none", {take_first}}};
  }
  const std::vector<std::string> known = metrics_of(t.output);
  for (size_t i = 0; i < t.metrics.size(); ++i) {
    const MetricRule& m = t.metrics[i];
    if (std::find(known.begin(), known.end(), m.name) == known.end())
      refuse("\"metric\" is '" + shown(m.name) + "', which " + name(t.output) + " is not scored by here" +
             did_you_mean(m.name, known));
    for (size_t j = 0; j < i; ++j)
      if (t.metrics[j].name == m.name) refuse("the metric '" + m.name + "' stands twice in \"metric_list\"");
    const bool options = !m.regexes_to_ignore.empty() || m.ignore_case || m.ignore_punctuation || m.ignore_numbers;
    if (options && (m.name != "exact_match" || t.output != OutputType::generate_until))
      refuse("what is to be ignored, of the metric '" + m.name + "': expected exact_match of generate_until");
  }
  const auto add = [&](const std::string& metric) {
    if (std::none_of(t.metrics.begin(), t.metrics.end(), [&](const MetricRule& m) { return m.name == metric; })) {
      MetricRule m;
      m.name = metric;
      t.metrics.push_back(m);
    }
  };
  if (t.metrics.empty() && t.output == OutputType::generate_until) add("exact_match");
  if (t.output != OutputType::generate_until)  // they cost nothing more
    for (const std::string& metric : known)
      if (metric != "exact_match") add(metric);
}

std::vector<std::string> read_documents(std::string_view bytes, const std::string& file, const Watch& watch) {
  std::vector<std::string> documents;
  io::each_row(bytes, file, watch, [&](const io::Place&, std::string_view object) { documents.emplace_back(object); });
  return documents;
}

}  // namespace puna::eval
