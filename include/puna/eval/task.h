// task.h -- what a model is asked and how its answers are scored: a task of lm-evaluation-harness, as JSON. The keys
// and their meaning are the harness' own (version 0.4.13); what is not read is refused by name and line.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "puna/base/watch.h"

namespace puna::eval {

enum class OutputType { multiple_choice, loglikelihood, loglikelihood_rolling, generate_until };
const char* name(OutputType type) noexcept;

// What a text, target or list of choices is made of: a field's name or a Jinja template, or the thing itself.
struct FieldRule {
  std::string text;
  std::vector<std::string> list;  // instead, when `is_list`
  std::optional<int64_t> number;  // instead
  bool given = false, is_list = false;
};

struct FilterStep {
  std::string function;
  std::string pattern = "#### (\\-?[0-9\\.\\,]+)";  // of regex, with the next two
  int64_t group_select = 0;
  std::string fallback = "[invalid]";
  int64_t k = 1;                               // of take_first_k
  std::map<std::string, std::string> mapping;  // of map, with the next
  std::string otherwise;
};
struct FilterChain {
  std::string name;
  std::vector<FilterStep> steps;
};

struct MetricRule {
  std::string name;
  std::vector<std::string> regexes_to_ignore;  // of exact_match, with the next three
  bool ignore_case = false, ignore_punctuation = false, ignore_numbers = false;
};

struct Task {
  std::string name, file;  // file: for errors
  OutputType output = OutputType::generate_until;
  std::string dataset_path;
  std::map<std::string, std::string> data_files;  // of each split, as they are written
  std::string training_split, validation_split, test_split, fewshot_split;
  FieldRule text, target, choice, prefix;  // doc_to_text, doc_to_target, doc_to_choice, gen_prefix
  std::string description;
  std::string target_delimiter = " ", fewshot_delimiter = "\n\n";
  int64_t num_fewshot = 0;
  // fewshot_config: what differs for examples
  bool first_n = false;  // sampler
  FieldRule shot_text, shot_target, shot_choice, shot_prefix;
  std::optional<std::string> shot_target_delimiter, shot_fewshot_delimiter;
  // generation_kwargs
  std::vector<std::string> until;
  int64_t max_gen_toks = 256;
  bool do_sample = false;
  double temperature = 0, top_p = 1;
  int64_t top_k = 0;
  int64_t repeats = 1;
  std::vector<FilterChain> filters;  // one at least, once read_task() has ended
  std::vector<MetricRule> metrics;   // likewise

  std::string evaluated_split() const { return test_split.empty() ? validation_split : test_split; }
  std::string shots_split() const;  // where examples are drawn from
};

// Reads one JSON object into `task`, over what is there: a file that includes another is read after it. `finish` checks
// what a whole task must have. Error{bad_file} "FILE, line N: ..." names the key, and the nearest that there is.
void read_task(Task& task, std::string_view json, const std::string& file, const Watch& watch = Watch());
void finish_task(Task& task);

// The rows of a data file, each checked to be a JSON object.
std::vector<std::string> read_documents(std::string_view bytes, const std::string& file, const Watch& watch = Watch());

}  // namespace puna::eval
