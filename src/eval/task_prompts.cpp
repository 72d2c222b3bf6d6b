#include "eval/task_prompts.h"

#include <algorithm>

#include "base/json.h"
#include "base/shown.h"
#include "base/utf8.h"
#include "chat/jinja/unicode.h"
#include "puna/base/error.h"

namespace puna::eval {
namespace {

bool begins_with_space(std::string_view s) { return jinja::strip_space(s, true, false).size() != s.size(); }
bool ends_with_space(std::string_view s) { return jinja::strip_space(s, false, true).size() != s.size(); }

// One delimiter between two texts, but where there is white space already.
std::string joined(const std::string& a, const std::string& b, const std::string& delimiter) {
  if (a.empty() || b.empty()) return a + b;
  return ends_with_space(a) || begins_with_space(b) ? a + b : a + delimiter + b;
}

RenderedChat all_content(std::string text) {
  RenderedChat r{std::move(text), {}};
  if (!r.text.empty()) r.content.push_back({0, r.text.size()});
  return r;
}

}  // namespace

TaskPrompts::TaskPrompts(const Task& task, const Model& model, std::vector<std::string> items,
                         std::vector<std::string> shots, const PromptOptions& options, const Watch& watch)
    : task_(task),
      model_(model),
      items_(std::move(items)),
      shots_(std::move(shots)),
      options_(options),
      watch_(watch),
      texts_(task, watch),
      random_(options.fewshot_seed) {
  PUNA_REQUIRE(options_.chat || options_.system.empty(),
               "a system message without chat: there is nobody to give it to");
  PUNA_REQUIRE(options_.chat || !options_.multiturn, "examples as turns without chat");
  PUNA_REQUIRE(is_utf8(options_.system), "the system message is no UTF-8");
  const int64_t needed = task_.num_fewshot + (task_.fewshot_split == task_.test_split && !task_.first_n);
  if (task_.num_fewshot > 0 && int64_t(shots_.size()) < needed)
    fail(Status::invalid_argument, "'%s' has %zu examples to draw from, %jd are needed", shown(task_.name).c_str(),
         shots_.size(), needed);
}

Document TaskPrompts::document(int64_t item) const {
  return {items_[size_t(item)], "item " + std::to_string(item) + " of '" + shown(task_.name) + "'"};
}

// As ContextSampler.sample and FirstNSampler.sample: where examples come from the split that is evaluated, one more is
// drawn and the item itself left out.
std::vector<Document> TaskPrompts::draw(int64_t item) {
  const size_t n = size_t(task_.num_fewshot);
  if (n == 0) return {};
  const bool leave_out = task_.fewshot_split == task_.test_split;
  std::vector<Document> drawn;
  const auto add = [&](int64_t shot, int64_t of) {
    if (drawn.size() == n || (leave_out && shots_[size_t(shot)] == items_[size_t(of)])) return;
    drawn.push_back({shots_[size_t(shot)], "example " + std::to_string(shot) + " of '" + shown(task_.name) + "'"});
  };
  if (task_.first_n) {
    for (int64_t s = 0; s < int64_t(shots_.size()); ++s) add(s, item);
  } else {
    for (; drawn_ <= item; ++drawn_) {
      drawn.clear();
      for (const int64_t s : random_.sample(int64_t(shots_.size()), int64_t(n) + leave_out)) add(s, drawn_);
      if (drawn.size() == n) continue;  // else the item stands in the pool several times
      std::vector<int64_t> others;
      for (int64_t s = 0; s < int64_t(shots_.size()); ++s)
        if (shots_[size_t(s)] != items_[size_t(drawn_)]) others.push_back(s);
      drawn.clear();
      if (others.size() < n) break;
      for (const int64_t s : random_.sample(int64_t(others.size()), int64_t(n))) add(others[size_t(s)], drawn_);
    }
  }
  if (drawn.size() < n)
    fail(Status::invalid_argument, "%s: %zu other examples to draw from, %zu are needed", document(item).what.c_str(),
         drawn.size(), n);
  return drawn;
}

// A question, and its answer where it has one. The delimiters stand in plain text only.
void TaskPrompts::add_turn(Messages& to, const std::string& question, const std::string* answer,
                           const std::string& prefix, const std::string& target_delimiter,
                           const std::string& delimiter) const {
  const bool has_answer = answer && !answer->empty();
  const bool parted = !prefix.empty() && !question.empty() && !ends_with_space(question) && !begins_with_space(prefix);
  to.push_back({"user", question, (has_answer && prefix.empty()) || parted ? target_delimiter : ""});
  if (has_answer)
    to.push_back({"assistant", joined(prefix, *answer, " "), delimiter});
  else if (!prefix.empty())
    to.push_back({"assistant", prefix, ""});
}

TaskPrompts::Messages TaskPrompts::shots(const std::vector<Document>& drawn) const {
  Messages all;
  for (const Document& d : drawn) {
    const std::vector<std::string> choices = texts_.choices(d, true);
    const FieldValue question = texts_.text(d, true), target = texts_.target(d, true);
    const auto chosen = [&](int64_t index) {
      if (index < 0 || index >= int64_t(choices.size()))
        fail(Status::bad_file, "%s: choice %jd is asked for, there are %zu", d.what.c_str(), index, choices.size());
      return choices[size_t(index)];
    };
    const auto* by_number = std::get_if<int64_t>(&question);  // the choices are the questions, the target their answer
    std::string answer;
    if (const auto* index = std::get_if<int64_t>(&target))
      answer = by_number ? python_text(target) : chosen(*index);
    else if (const auto* list = std::get_if<std::vector<std::string>>(&target))
      answer = list->empty() ? "" : list->front();
    else if (const auto* numbers = std::get_if<std::vector<int64_t>>(&target))
      answer = numbers->empty() ? "" : chosen(numbers->front());
    else
      answer = std::get<std::string>(target);
    add_turn(all, by_number ? chosen(*by_number) : python_text(question), &answer, texts_.prefix(d, true),
             task_.shot_target_delimiter.value_or(task_.target_delimiter),
             task_.shot_fewshot_delimiter.value_or(task_.fewshot_delimiter));
  }
  return all;
}

RenderedChat TaskPrompts::render(const Messages& messages, bool continues, const Document& d) const {
  if (!options_.chat) {
    std::string text;
    for (const Message& m : messages) text += m.content + m.delimiter;
    return all_content(std::move(text));
  }
  Messages turns;
  if (options_.multiturn) {
    turns = messages;
  } else {  // all but a system message and the answer's beginning is one question
    size_t first = 0, last = messages.size();
    if (messages.front().role == std::string_view("system")) turns.push_back(messages[first++]);
    if (messages.back().role == std::string_view("assistant")) --last;
    std::string text;
    for (size_t i = first; i < last; ++i) text += messages[i].content + (i + 1 < last ? messages[i].delimiter : "");
    turns.push_back({"user", std::move(text), ""});
    if (last < messages.size()) turns.push_back(messages[last]);
  }
  std::string variables = "{\"messages\":[";
  for (const Message& m : turns)
    variables += (&m == turns.data() ? "" : ",") + std::string("{\"role\":\"") + m.role +
                 "\",\"content\":" + quoted(m.content) + "}";
  variables += std::string("],\"add_generation_prompt\":") + (continues ? "false" : "true") + "}";
  RenderedChat chat = model_.render_chat(variables, options_.date, watch_);
  if (!continues) return chat;
  // The answer goes on behind its beginning: what the template puts there to end a turn goes.
  const std::string& last = turns.back().content;
  const std::string_view stripped = jinja::strip_space(last, true, true);
  const size_t at = chat.text.rfind(stripped);
  if (at == std::string::npos)
    fail(Status::unsupported, "%s: the chat template does not show \"gen_prefix\" as it is", d.what.c_str());
  const bool whole = chat.text.compare(at, last.size(), last) == 0;
  chat.text.resize(at + (whole ? last.size() : stripped.size()));
  std::erase_if(chat.content, [&](const TextSpan& s) { return s.begin >= chat.text.size(); });
  if (!chat.content.empty()) chat.content.back().end = std::min(chat.content.back().end, chat.text.size());
  return chat;
}

std::vector<int64_t> TaskPrompts::gold_of(const FieldValue& target, const std::vector<std::string>& choices,
                                          const Document& d) const {
  std::vector<int64_t> gold;
  const auto add = [&](const std::string& text) {
    const auto at = std::find(choices.begin(), choices.end(), text);
    if (at == choices.end())
      fail(Status::bad_file, "%s: \"doc_to_target\" gives '%s', which is none of the choices", d.what.c_str(),
           shown(text).c_str());
    gold.push_back(at - choices.begin());
  };
  if (const auto* number = std::get_if<int64_t>(&target)) gold.push_back(*number);
  if (const auto* numbers = std::get_if<std::vector<int64_t>>(&target)) gold = *numbers;
  if (const auto* text = std::get_if<std::string>(&target)) add(*text);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&target))
    for (const std::string& t : *texts) add(t);
  if (gold.empty()) fail(Status::bad_file, "%s: \"doc_to_target\" gives an empty list", d.what.c_str());
  for (const int64_t g : gold)
    if (g < 0 || g >= int64_t(choices.size()))
      fail(Status::bad_file, "%s: \"doc_to_target\" gives choice %jd, there are %zu", d.what.c_str(), g,
           choices.size());
  return gold;
}

ItemPrompt TaskPrompts::prompt(int64_t item) {
  ItemPrompt p;
  p.number = item;
  p.document = document(item);
  const Document& d = p.document;
  p.target = texts_.target(d, false);
  if (task_.output == OutputType::loglikelihood_rolling) {
    p.asks.push_back({{}, python_text(p.target)});
    return p;
  }
  Messages before;
  const std::string system = joined(options_.system, texts_.description(d), task_.fewshot_delimiter);
  if (!system.empty()) before.push_back({"system", system, ""});
  for (Message& m : shots(draw(item))) before.push_back(std::move(m));
  p.choices = texts_.choices(d, false);
  const std::string prefix = texts_.prefix(d, false);
  const FieldValue question = texts_.text(d, false);
  std::string delimiter = task_.target_delimiter;
  if (options_.chat && (prefix.empty() || ends_with_space(prefix))) delimiter.clear();
  const auto context = [&](const std::string& text, const std::string& target_delimiter) {
    Messages messages = before;
    add_turn(messages, text, nullptr, prefix, target_delimiter, "");
    return render(messages, !prefix.empty(), d);
  };
  switch (task_.output) {
    case OutputType::multiple_choice:
      if (const auto* gold = std::get_if<int64_t>(&question)) {  // the choices are questions with one answer
        p.gold = gold_of(*gold, p.choices, d);
        for (const std::string& choice : p.choices)
          p.asks.push_back({context(choice, ""), delimiter + python_text(p.target)});
      } else {
        p.gold = gold_of(p.target, p.choices, d);
        const RenderedChat shared = context(python_text(question), task_.target_delimiter);
        for (const std::string& choice : p.choices) p.asks.push_back({shared, delimiter + choice});
      }
      break;
    case OutputType::loglikelihood:
      p.asks.push_back({context(python_text(question), task_.target_delimiter), python_text(p.target)});
      break;
    default: p.asks.push_back({context(python_text(question), task_.target_delimiter), ""});
  }
  return p;
}

}  // namespace puna::eval
