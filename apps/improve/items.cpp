#include "items.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>

#include "base/nearest.h"
#include "base/shown.h"
#include "io/json_parts.h"
#include "io/json_rows.h"
#include "puna/base/error.h"

namespace puna::improve {
namespace {

using io::Place;

constexpr size_t kMostChoices = 1000;

class Reader {
 public:
  Reader(const std::string& file, const Watch& watch) : watch_(watch) { items_.file = file; }

  Items read(std::string_view bytes) {
    io::each_row(bytes, items_.file, watch_, [&](const Place& place, std::string_view row) { add(place, row); });
    if (items_.all.empty()) fail(Status::bad_file, "%s: there is no item in it", items_.file.c_str());
    for (const auto& [name, rows] : unused_)
      items_.notes.push_back(items_.file + ": \"" + shown(name) + "\" is not read (" + std::to_string(rows) + " rows)");
    set_texts();
    return std::move(items_);
  }

 private:
  using Members = std::map<std::string, std::string_view, std::less<>>;

  void add(const Place& place, std::string_view row) {
    Members m;
    io::each_member(row, watch_, [&](const std::string& key, std::string_view value) {
      if (!io::is_null(value)) m[key] = value;
    });
    Item item;
    item.item = name(place, m, m.count("item") ? "item" : "id");
    std::string_view answer = take(m, m.count("answer") ? "answer" : "answerKey");
    std::vector<std::string> letters;
    if (m.count("question")) {
      item.text = text(place, m, "question");
      item.prompt = "Question: " + item.text + "\nAnswer:";
    } else {
      item.prompt = text(place, m, "prompt");
      if (m.count("text")) item.text = text(place, m, "text");
    }
    std::string_view choices = take(m, "choices");
    if (choices.empty()) place.refuse("\"choices\" is missing");
    if (io::is_object(choices)) {  // ARC's
      if (const std::string_view label = io::member(choices, "label", watch_); !label.empty())
        letters = list(place, "choices.label", label);
      choices = io::member(choices, "text", watch_);
    }
    item.choices = list(place, "choices", choices);
    if (item.choices.size() < 2) place.refuse("\"choices\" has %zu, expected two at least", item.choices.size());
    if (!answer.empty()) item.answer = answer_of(place, item, letters, answer);
    if (m.count("cluster")) item.cluster = name(place, m, "cluster");
    for (const auto& [key, value] : m) ++unused_[key];
    const auto [before, is_new] = line_of_.emplace(item.item, place.line);
    if (!is_new) place.refuse("item '%s' stands in line %jd already", shown(item.item).c_str(), before->second);
    items_.all.push_back(std::move(item));
  }

  static std::string_view take(Members& m, std::string_view key) {
    const auto found = m.find(key);
    if (found == m.end()) return {};
    const std::string_view value = found->second;
    m.erase(found);
    return value;
  }

  std::string text(const Place& place, Members& m, const char* key) const {
    const std::string_view value = take(m, key);
    if (value.empty()) place.refuse("\"%s\" is missing", key);
    if (!io::is_string(value)) place.refuse("\"%s\" is %s, expected a text", key, io::kind_of(value));
    std::string t = io::text_of(value, watch_);
    if (t.empty()) place.refuse("\"%s\" is empty", key);
    return t;
  }

  // A text or a number.
  std::string name(const Place& place, Members& m, const char* key) const {
    if (m.count(key) && !io::is_string(m[key]) && !io::is_object(m[key]) && !io::is_array(m[key]))
      return std::string(take(m, key));
    return text(place, m, key);
  }

  std::vector<std::string> list(const Place& place, const char* key, std::string_view value) const {
    if (!io::is_array(value)) place.refuse("\"%s\" is %s, expected a list of texts", key, io::kind_of(value));
    std::vector<std::string> all;
    io::each_element(value, watch_, [&](std::string_view e) {
      if (!io::is_string(e)) place.refuse("\"%s\" has %s, expected texts", key, io::kind_of(e));
      if (all.size() >= kMostChoices) place.refuse("\"%s\" has more than %zu", key, kMostChoices);
      all.push_back(io::text_of(e, watch_));
      if (all.back().empty()) place.refuse("\"%s\" has an empty text", key);
    });
    return all;
  }

  int64_t answer_of(const Place& place, const Item& item, const std::vector<std::string>& letters,
                    std::string_view answer) const {
    const std::vector<std::string>& known = letters.empty() ? item.choices : letters;
    if (io::is_string(answer)) {
      const std::string said = io::text_of(answer, watch_);
      const auto found = std::find(known.begin(), known.end(), said);
      if (found == known.end() || found - known.begin() >= int64_t(item.choices.size()))
        place.refuse("the answer '%s' is none of the choices%s", shown(said).c_str(),
                     did_you_mean(said, known).c_str());
      return found - known.begin();
    }
    int64_t number = -1;
    const auto [end, error] = std::from_chars(answer.data(), answer.data() + answer.size(), number);
    if (error != std::errc() || end != answer.data() + answer.size() || number < 0 ||
        number >= int64_t(item.choices.size()))
      place.refuse("the answer is %s, expected a choice or 0 to %zu", shown(answer).c_str(), item.choices.size() - 1);
    return number;
  }

  // Where rows do not say it: the prompts without the words that all begin and end with.
  void set_texts() {
    std::vector<Item>& all = items_.all;
    size_t head = all[0].prompt.size(), tail = head;
    for (const Item& i : all) {
      const std::string &a = all[0].prompt, &b = i.prompt;
      const size_t most = std::min(a.size(), b.size());
      head = size_t(std::mismatch(a.begin(), a.begin() + int64_t(std::min(head, most)), b.begin()).first - a.begin());
      tail =
          size_t(std::mismatch(a.rbegin(), a.rbegin() + int64_t(std::min(tail, most)), b.rbegin()).first - a.rbegin());
    }
    const auto space = [](char c) { return c == ' ' || c == '\n'; };
    while (head > 0 && !space(all[0].prompt[head - 1])) --head;
    while (tail > 0 && !space(all[0].prompt[all[0].prompt.size() - tail])) --tail;
    for (Item& i : all) {
      if (!i.text.empty()) continue;
      const bool alone = all.size() < 2 || i.prompt.size() <= head + tail;
      i.text = alone ? i.prompt : i.prompt.substr(head, i.prompt.size() - head - tail);
    }
  }

  Items items_;
  const Watch& watch_;
  std::unordered_map<std::string, int64_t> line_of_;
  std::map<std::string, int64_t> unused_;
};

}  // namespace

int64_t Items::answered() const {
  return std::count_if(all.begin(), all.end(), [](const Item& i) { return i.answer >= 0; });
}

Items read_items(std::string_view bytes, const std::string& file, const Watch& watch) {
  return Reader(file, watch).read(bytes);
}

}  // namespace puna::improve
