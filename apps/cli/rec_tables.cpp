#include "rec_tables.h"

#include <algorithm>
#include <cstdio>

#include "base/nearest.h"
#include "base/shown.h"
#include "puna/base/error.h"

namespace puna::cli {

using text::JsonField;

Table::Table(const std::string& path) : reader_(open_path_source(path)) {
  std::vector<std::string_view> fields;
  if (!reader_.next(fields)) fail(Status::bad_file, "%s is empty", path.c_str());
  for (const std::string_view field : fields) {
    const std::string name(field.substr(0, field.find(':')));
    if (!name.empty() && column(name) >= 0)
      fail(Status::bad_file, "%s: two columns are called '%s'", reader_.where().c_str(), shown(name).c_str());
    names_.push_back(name);
  }
  while (reader_.next(fields)) {
    if (fields.size() != names_.size())
      fail(Status::bad_file, "%s: %zu columns, expected %zu between %s", reader_.where().c_str(), fields.size(),
           names_.size(), reader_.separated_by());
    fields_.insert(fields_.end(), fields.begin(), fields.end());
    lines_.push_back(reader_.line());
  }
  if (lines_.empty()) fail(Status::bad_file, "%s has no rows, only the names of columns", path.c_str());
}

int Table::column(std::string_view name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  return at == names_.end() ? -1 : int(at - names_.begin());
}

namespace {

int required_column(const Table& table, const JsonField& name) {
  const int at = table.column(name.string());
  if (at < 0)
    fail(Status::bad_file, "%s: '%s' is no column of %s%s", name.path().c_str(), shown(name.string()).c_str(),
         table.path().c_str(), did_you_mean(name.string(), table.names()).c_str());
  return at;
}

// Of each key, its row. A key twice would say two things.
std::unordered_map<std::string_view, size_t> rows_by(const Table& table, int key) {
  std::unordered_map<std::string_view, size_t> rows;
  for (size_t r = 0; r < table.rows(); ++r)
    if (const auto [first, added] = rows.emplace(table.at(r, key), r); !added)
      fail(Status::bad_file, "%s: %s '%s' is in line %jd already; a key has one row", table.where(r).c_str(),
           table.names()[size_t(key)].c_str(), shown(table.at(r, key)).c_str(), table.line(first->second));
  return rows;
}

}  // namespace

Joined::Joined(const JsonField& recipe, const std::string& folder) {
  tables_.push_back(std::make_unique<Table>(folder + "/" + recipe["events"].string()));
  const Table& events = *tables_[0];
  for (size_t i = 0; i < recipe["tables"].size(); ++i) {
    const JsonField t = recipe["tables"][i];
    t.only({"file", "key"});
    auto table = std::make_unique<Table>(folder + "/" + t["file"].string());
    const int key = required_column(events, t["key"]);
    const auto rows = rows_by(*table, required_column(*table, t["key"]));
    std::vector<size_t> of(events.rows(), kNoRow);
    size_t missing = 0;
    for (size_t e = 0; e < of.size(); ++e)
      if (const auto found = rows.find(events.at(e, key)); found != rows.end())
        of[e] = found->second;
      else if (++missing == of.size())
        fail(Status::bad_file, "%s: no event's %s is in %s", t.path().c_str(), t["key"].string().c_str(),
             table->path().c_str());
    if (missing > 0)
      fprintf(stderr, "%s has no row for %zu of %zu events: of those its columns say nothing\n", table->path().c_str(),
              missing, of.size());
    tables_.push_back(std::move(table));
    rows_of_.push_back(std::move(of));
    keys_.push_back(t["key"].string());
  }
}

Column Joined::column(const JsonField& name) const {
  Column c;
  c.joined_ = this;
  c.name_ = name.string();
  std::vector<std::string_view> known;
  const Table* found = nullptr;
  for (size_t t = 0; t < tables_.size(); ++t) {
    known.insert(known.end(), tables_[t]->names().begin(), tables_[t]->names().end());
    const int at = tables_[t]->column(c.name_);
    if (at < 0 || (t > 0 && c.name_ == keys_[t - 1])) continue;  // a key is the events'
    if (found)
      fail(Status::bad_file, "%s: both %s and %s have a column '%s': call one of them something else",
           name.path().c_str(), found->path().c_str(), tables_[t]->path().c_str(), shown(c.name_).c_str());
    found = tables_[t].get();
    c.table_ = t;
    c.at_ = at;
  }
  if (!found)
    fail(Status::bad_file, "%s: no table has a column '%s'%s", name.path().c_str(), shown(c.name_).c_str(),
         did_you_mean(c.name_, known).c_str());
  return c;
}

std::string_view Column::at(size_t event) const {
  const size_t row = table_ == 0 ? event : joined_->rows_of_[table_ - 1][event];
  return row == Joined::kNoRow ? std::string_view() : joined_->tables_[table_]->at(row, at_);
}

std::string Column::where(size_t event) const {
  const size_t row = table_ == 0 ? event : joined_->rows_of_[table_ - 1][event];
  if (row == Joined::kNoRow)
    return joined_->where(event) + ", which has no row in " + joined_->tables_[table_]->path() + ": " + name_;
  return joined_->tables_[table_]->where(row) + ", " + name_;
}

int64_t Column::line(size_t event) const {
  const size_t row = table_ == 0 ? event : joined_->rows_of_[table_ - 1][event];
  return row == Joined::kNoRow ? joined_->tables_[0]->line(event) : joined_->tables_[table_]->line(row);
}

const std::string& Column::file() const { return joined_->tables_[table_]->path(); }

double Column::number(size_t event) const {
  double value = 0;
  if (!io::parse_number(at(event), value))
    fail(Status::bad_file, "%s: '%s' is no number", where(event).c_str(), shown(at(event)).c_str());
  return value;
}

}  // namespace puna::cli
