// import_table.cpp -- CSV and its relatives: a row an answer, columns by their names.
#include <algorithm>
#include <iterator>

#include "base/json.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "io/table_reader.h"
#include "label/importer.h"
#include "label/values.h"
#include "puna/base/error.h"

namespace puna::label {
namespace {

struct Role {
  const char* option;  // --item-column
  const std::string* asked;
  std::vector<std::string_view> names;
};

std::string lower(std::string_view text) {
  std::string all(text);
  for (char& c : all) c = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
  return all;
}

class Columns {
 public:
  Columns(const io::TableReader& table, const std::vector<std::string_view>& header, const ImportOptions& o)
      : table_(table), header_(header) {
    item = find({"--item", &o.item, {"item", "task", "item_id", "task_id", "question"}});
    annotator = find({"--annotator", &o.annotator, {"annotator", "worker", "annotator_id", "worker_id", "performer"}});
    label = find({"--label", &o.label, {"label", "answer"}});
    truth = find({"--truth", &o.truth, {"truth"}});
    gold = find({"--gold", &o.gold, {"gold"}});
    const std::pair<size_t, const char*> roles[] = {
        {item, "--item"}, {annotator, "--annotator"}, {label, "--label"}, {truth, "--truth"}, {gold, "--gold"}};
    for (const auto& one : roles)
      for (const auto& other : roles)
        if (one.first != kNone && &one < &other && one.first == other.first)
          fail(Status::invalid_argument, "%s: the column '%s' is both %s and %s, expected one of them",
               table.where().c_str(), shown(header[one.first]).c_str(), one.second, other.second);
    const bool all = o.data.size() == 1 && o.data[0] == "*";
    for (size_t i = 0; i < header.size(); ++i) {
      const bool asked = std::find(o.data.begin(), o.data.end(), header[i]) != o.data.end();
      const bool used = i == item || i == annotator || i == label || i == truth || i == gold;
      if (asked || (all && !used))
        data.push_back(i);
      else if (!used)
        unread.push_back(i);
    }
    for (const std::string& name : o.data)
      if (!all && std::find(header.begin(), header.end(), name) == header.end()) missing("--data", name);
    if (item == kNone)
      fail(Status::bad_file, "%s: there is no column item (or task): it has %s; --item names it", table.where().c_str(),
           io::list_of(header).c_str());
    if (label != kNone && annotator == kNone && o.by.empty())
      fail(Status::bad_file,
           "%s: there is no column annotator (or worker): it has %s; --annotator names it, or --by says who it was",
           table.where().c_str(), io::list_of(header).c_str());
    if (label == kNone && annotator != kNone)
      fail(Status::bad_file, "%s: there is no column label (or answer): it has %s; --label names it",
           table.where().c_str(), io::list_of(header).c_str());
  }

  static constexpr size_t kNone = SIZE_MAX;
  size_t item, annotator, label, truth, gold;
  std::vector<size_t> data, unread;

 private:
  size_t find(const Role& role) const {
    if (!role.asked->empty()) {
      const auto at = std::find(header_.begin(), header_.end(), *role.asked);
      if (at == header_.end()) missing(role.option, *role.asked);
      return size_t(at - header_.begin());
    }
    size_t found = kNone;
    for (size_t i = 0; i < header_.size(); ++i) {
      const std::string name = lower(header_[i]);
      if (std::find(role.names.begin(), role.names.end(), name) == role.names.end()) continue;
      if (found != kNone)
        fail(Status::bad_file, "%s: %s could both be meant, expected %s with one of them", table_.where().c_str(),
             io::list_of({header_[found], header_[i]}).c_str(), role.option);
      found = i;
    }
    return found;
  }
  [[noreturn]] void missing(const char* option, const std::string& name) const {
    fail(Status::invalid_argument, "%s: there is no column '%s' (%s)%s", table_.where().c_str(), shown(name).c_str(),
         option, did_you_mean(name, header_).c_str());
  }
  const io::TableReader& table_;
  const std::vector<std::string_view>& header_;
};

}  // namespace

void import_table(Importer& to) {
  io::TableReader table(open_memory_source(to.bytes.data(), to.bytes.size(), to.file), &to.watch);
  std::vector<std::string_view> row;
  if (!table.next(row)) fail(Status::bad_file, "%s is empty", to.file.c_str());
  const std::vector<std::string> names(row.begin(), row.end());
  const std::vector<std::string_view> header(names.begin(), names.end());
  const Columns columns(table, header, to.options);
  to.open_project(Type::choice);
  const auto value_of = [&](size_t column) {
    std::string value;
    const std::string wrong = check_word(to.project(), row[column], value);
    if (!wrong.empty()) to.refuse(table.line(), "column '" + shown(header[column]) + "' " + wrong);
    return value;
  };
  while (table.next(row)) {
    ++to.report.rows;
    if (row.size() != header.size())
      to.refuse(table.line(), std::to_string(row.size()) + " fields, expected " + std::to_string(header.size()) +
                                  ", as in the first line");
    const auto has = [&](size_t column) { return column != Columns::kNone && !row[column].empty(); };
    if (!has(columns.item)) to.refuse(table.line(), "column '" + shown(header[columns.item]) + "' is empty");
    std::string data;
    for (const size_t c : columns.data)
      data += (data.empty() ? "{" : ",") + puna::quoted(names[c]) + ":" + puna::quoted(std::string(row[c]));
    if (!data.empty()) data += "}";
    for (const size_t c : columns.unread)
      if (!row[c].empty()) to.not_read(header[c]);
    const int64_t item = to.item(table.line(), std::string(row[columns.item]), data,
                                 has(columns.truth) ? value_of(columns.truth) : "", "");
    if (has(columns.gold)) to.gold(table.line(), item, value_of(columns.gold));
    if (columns.label == Columns::kNone) continue;
    if (!has(columns.label)) {
      to.note("without a label");
      continue;
    }
    if (columns.annotator != Columns::kNone && !has(columns.annotator))
      to.refuse(table.line(), "column '" + shown(header[columns.annotator]) + "' is empty");
    NewLabel label;
    label.item = item;
    label.annotator = columns.annotator != Columns::kNone ? std::string(row[columns.annotator]) : to.by();
    label.kind = to.options.kind;
    label.value = value_of(columns.label);
    to.label(table.line(), std::move(label));
  }
}

}  // namespace puna::label
