// export.cpp -- a project to a file, item by item: two walks in the order of the items, side by side.
#include <map>

#include "base/json.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "label/label_studio.h"
#include "label/values.h"
#include "puna/base/error.h"
#include "puna/label/exchange.h"

namespace puna::label {
namespace {

std::string number_text(double number) { return Json(number).dump(); }

std::string csv_field(const std::string& text) {
  const bool plain =
      text.find_first_of(",\"\r\n") == text.npos && (text.empty() || (text[0] != ' ' && text.back() != ' '));
  if (plain) return text;
  std::string quoted_text = "\"";
  for (const char c : text) quoted_text += c == '"' ? "\"\"" : std::string(1, c);
  return quoted_text + "\"";
}

class Exporter {
 public:
  Exporter(const Project& project, const ExportOptions& options, FunctionRef<void(std::string_view)> write,
           const Watch& watch)
      : project_(project), options_(options), write_(write), watch_(watch) {
    if (options.format == Format::csv) write("item,annotator,label,truth,gold\n");
    if (options.format == Format::label_studio) write("[");
    if (options.format == Format::dpo && project.type != Type::pairwise)
      fail(Status::invalid_argument, "DPO lines are made of pairwise labels, and '%s' has labels of the type %s",
           shown(project.name).c_str(), kTypeNames[int(project.type)]);
  }

  void item(const Item& item, const std::vector<Label>& labels) {
    watch_.tick();
    ++report.items;
    switch (options_.format) {
      case Format::csv: return csv(item, labels);
      case Format::label_studio: return task(item, labels);
      case Format::sft: return sft(item, labels);
      case Format::dpo: return dpo(item);
      default: return jsonl(item, labels);
    }
  }
  ExportReport finish() {
    if (options_.format == Format::label_studio) write_(report.items > 0 ? "\n]\n" : "]\n");
    for (const auto& [what, items] : notes_) report.notes.push_back(std::to_string(items) + " items " + what);
    return std::move(report);
  }

  ExportReport report;

 private:
  void jsonl(const Item& item, const std::vector<Label>& labels) {
    std::string line = "{\"item\":" + puna::quoted(item.key);
    if (item.data != "{}") line += ",\"data\":" + item.data;
    if (!item.truth.empty()) line += ",\"truth\":" + item.truth;
    std::string all;
    for (const Label& l : labels) {
      if (l.value.empty()) continue;
      all += (all.empty() ? "" : ",") + ("{\"annotator\":" + puna::quoted(l.annotator));
      if (l.kind != Kind::human) all += ",\"kind\":\"" + std::string(kKindNames[int(l.kind)]) + "\"";
      all += ",\"label\":" + l.value;
      if (l.gold) all += ",\"gold\":true";
      if (!l.current) all += ",\"current\":false";
      all += ",\"time\":" + std::to_string(l.time);
      if (l.seconds) all += ",\"seconds\":" + number_text(*l.seconds);
      if (l.score) all += ",\"score\":" + number_text(*l.score);
      all += "}";
      ++report.labels;
    }
    if (!all.empty()) line += ",\"labels\":[" + all + "]";
    write_(line + "}\n");
  }

  void csv(const Item& item, const std::vector<Label>& labels) {
    const std::string key = csv_field(item.key), truth = item.truth.empty() ? "" : csv_field(word_of(item.truth));
    bool written = false;
    for (const Label& l : labels) {
      if (l.value.empty()) continue;
      const std::string word = csv_field(word_of(l.value));
      if (l.kind == Kind::gold)
        write_(key + ",,," + truth + "," + word + "\n");
      else
        write_(key + "," + csv_field(l.annotator) + "," + word + "," + truth + "," + (l.gold ? word : "") + "\n");
      written = true;
      ++report.labels;
    }
    if (!written) write_(key + ",,," + truth + ",\n");
  }

  void task(const Item& item, const std::vector<Label>& labels) {
    std::string text = report.items > 1 ? ",\n{" : "\n{", annotations, predictions;
    if (item.source.size() > 2)
      text += item.source.substr(1, item.source.size() - 2) + ",";
    else
      text += "\"meta\":{\"puna_item\":" + puna::quoted(item.key) + "},";
    for (const Label& l : labels) {
      if (l.value.empty() && l.source.empty()) continue;  // skipped here
      std::string& to = l.kind == Kind::model ? predictions : annotations;
      to += (to.empty() ? "" : ",") + (l.source.empty() ? annotation(l) : l.source);
      ++report.labels;
    }
    write_(text + "\"data\":" + item.data + ",\"annotations\":[" + annotations + "],\"predictions\":[" + predictions +
           "]}");
  }

  // Of a label that did not come from Label Studio.
  std::string annotation(const Label& l) const {
    const std::string results = "\"result\":" + results_of(l.value, project_.type);
    if (l.kind == Kind::model) {
      const std::string name = l.annotator.starts_with("model:") ? l.annotator.substr(6) : l.annotator;
      return "{\"model_version\":" + puna::quoted(name) + (l.score ? ",\"score\":" + number_text(*l.score) : "") + "," +
             results + "}";
    }
    const bool number = !l.annotator.empty() && l.annotator.size() < 10 &&
                        l.annotator.find_first_not_of("0123456789") == std::string::npos && l.annotator[0] != '0';
    return "{\"completed_by\":" + (number ? l.annotator : "{\"email\":" + puna::quoted(l.annotator) + "}") +
           (l.gold ? ",\"ground_truth\":true" : "") + (l.seconds ? ",\"lead_time\":" + number_text(*l.seconds) : "") +
           "," + results + "}";
  }

  std::string_view field(const Item& item, const std::string& name) {
    const std::string_view value = io::member(item.data, name, watch_);
    if (value.empty()) ++notes_["have no \"" + shown(name) + "\" in their data: left out"];
    return value;
  }
  // A text, or a list of messages.
  static bool is_chat(std::string_view value) { return io::is_array(value); }

  void sft(const Item& item, const std::vector<Label>& labels) {
    std::string value = options_.resolved ? options_.resolved(item) : "";
    bool certain = false;
    for (const Label& l : labels) {  // texts have no majority: gold, else the last
      if (project_.type != Type::text || l.value.empty() || l.kind == Kind::model || certain) continue;
      value = l.value;
      certain = l.gold;
    }
    if (value.empty()) {
      ++notes_["are undecided: left out"];
      return;
    }
    const std::string_view prompt = field(item, options_.prompt);
    if (prompt.empty()) return;
    const std::string answer = puna::quoted(word_of(value));
    ++report.labels;
    write_("{\"prompt\":" + std::string(prompt) + ",\"completion\":" +
           (is_chat(prompt) ? "[{\"role\":\"assistant\",\"content\":" + answer + "}]" : answer) + "}\n");
  }

  void dpo(const Item& item) {
    const std::string value = options_.resolved ? options_.resolved(item) : "";
    if (value.empty() || value == "\"tie\"") {
      ++notes_[value.empty() ? "are undecided: left out" : "are ties: left out"];
      return;
    }
    const std::string_view prompt = field(item, options_.prompt);
    const std::string_view left = prompt.empty() ? prompt : field(item, options_.left);
    const std::string_view right = left.empty() ? left : field(item, options_.right);
    if (right.empty()) return;
    const bool is_left = value == "\"left\"";
    ++report.labels;
    write_("{\"prompt\":" + std::string(prompt) + ",\"chosen\":" + std::string(is_left ? left : right) +
           ",\"rejected\":" + std::string(is_left ? right : left) + "}\n");
  }

  const Project& project_;
  const ExportOptions& options_;
  FunctionRef<void(std::string_view)> write_;
  const Watch& watch_;
  std::map<std::string, int64_t> notes_;
};

}  // namespace

ExportReport export_labels(LabelStore& store, const Project& project, const ExportOptions& options,
                           FunctionRef<void(std::string_view)> write, const Watch& watch) {
  if (options.format == Format::automatic) fail(Status::invalid_argument, "an export needs a format");
  Exporter exporter(project, options, write, watch);
  std::vector<Label> labels;  // all of the project: what they say is shorter than what the items do
  store.each_label(project.id, options.history && options.format == Format::jsonl, [&](const Label& l) {
    watch.tick();
    labels.push_back(l);
  });
  size_t at = 0;
  std::vector<Label> of_item;
  store.each_item(project.id, [&](const Item& item) {
    of_item.clear();
    while (at < labels.size() && labels[at].item < item.id) ++at;  // items that came in between
    for (; at < labels.size() && labels[at].item == item.id; ++at) of_item.push_back(std::move(labels[at]));
    exporter.item(item, of_item);
  });
  return exporter.finish();
}

Answers answers_of(LabelStore& store, const Project& project, bool with_models, const Watch& watch) {
  if (project.type == Type::text || project.type == Type::spans)
    fail(Status::unsupported, "labels of the type %s have no classes to agree on", kTypeNames[int(project.type)]);
  AnswersBuilder answers;
  std::map<int64_t, std::string> names, golds;  // of items; golds: the last
  int64_t replaced = 0;
  store.each_item(project.id, [&](const Item& item) {
    watch.tick();
    answers.item(item.key);
    if (!item.truth.empty()) answers.truth(item.key, word_of(item.truth));
    names.emplace_hint(names.end(), item.id, item.key);
  });
  store.each_label(project.id, false, [&](const Label& l) {
    watch.tick();
    const auto name = names.find(l.item);
    if (l.value.empty() || name == names.end()) return;
    if (l.gold) {
      std::string word = word_of(l.value);
      const auto [last, is_first] = golds.emplace(l.item, word);
      replaced += !is_first && last->second != word;
      last->second = std::move(word);
    }
    if (l.kind == Kind::human || (with_models && l.kind == Kind::model))
      answers.add(name->second, l.annotator, word_of(l.value));
  });
  for (const auto& [item, word] : golds) answers.gold(names.at(item), word);
  Answers all = answers.finish();
  all.replaced_gold = replaced;
  return all;
}

}  // namespace puna::label
