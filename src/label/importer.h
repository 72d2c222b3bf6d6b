// importer.h -- what the readers of all formats write through: items once each, labels in blocks, notes counted.
#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "puna/label/exchange.h"

namespace puna::label {

class Importer {
 public:
  Importer(LabelStore& store, std::string_view bytes, const std::string& file, const ImportOptions& options,
           const Watch& watch);

  // The project, made if need be; `type`: of the file.
  void open_project(Type type);
  const Project& project() const { return report.project; }
  // Puts the item, or returns that of an earlier row. What later rows say of it is added.
  int64_t item(int64_t line, const std::string& key, const std::string& data, const std::string& truth,
               const std::string& source);
  void label(int64_t line, NewLabel label);  // its request is the row's
  void gold(int64_t line, int64_t item, const std::string& value);
  const std::string& by();              // the annotator of a label that names none; "" = none was given
  void note(const std::string& what);   // once, with the number of rows
  void not_read(std::string_view key);  // of a column or key
  // What keys and columns may be called: for those that are misspelt.
  std::vector<std::string> known_names() const;
  [[noreturn]] void refuse(int64_t line, const std::string& what) const;
  ImportReport finish();

  ImportReport report;
  const ImportOptions& options;
  const std::string& file;
  const std::string_view bytes;
  const Watch& watch;

 private:
  void flush();

  LabelStore& store_;
  std::string file_hash_;
  struct Known {
    int64_t id;
    uint64_t data;  // hash
    std::string truth;
    int64_t truth_line = 0;
  };
  struct Gold {
    std::string value;
    int64_t line;
  };
  // Inference takes gold for certain: an item has one, where labels are classes. Refuses another one of a later row.
  void require_one_gold(int64_t line, int64_t item, const std::string& value);
  std::unordered_map<std::string, Known> known_;  // items of earlier rows
  std::unordered_map<int64_t, Gold> golds_;       // of items
  bool by_used_ = false;
  std::vector<NewLabel> labels_;
  std::map<std::string, int64_t> notes_, unread_;
  int64_t given_ = 0;
};

void import_table(Importer& to);
void import_json_lines(Importer& to);
void import_label_studio(Importer& to);

}  // namespace puna::label
