// label.h -- the verbs behind `puna label`, and what they share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "command_line.h"
#include "puna/label/store.h"

namespace puna::cli {

struct LabelFlags {
  std::string db, project;
  void add(const Verb& verb);
  // Of a verb that takes a file in its place: --db and --project are then not read, which is a usage error.
  void add(const Verb& verb, const char* help, const Option& instead);
  void add_db(const Verb& verb, const char* help);
  std::string file() const;  // the one that was named, else labels.db of this folder
  // The same; that it is the one of this folder is said on standard error.
  std::string path() const;
  // Error{invalid_argument} when there is no such file: only create and import make one.
  std::unique_ptr<label::LabelStore> open(bool make = false) const;
};

void add_label_files(const Verb& label_group);    // create, import, export
void add_label_work(const Verb& label_group);     // next, add, stats
void add_label_quality(const Verb& label_group);  // agree, infer, adjudicate
void add_label_texts(const Verb& label_group);    // dedup, contaminated
void add_label_serve(const Verb& label_group);    // serve

// Says on standard error that an order by uncertainty is random as yet.
void say_if_random(label::LabelStore& store, const label::Project& project, label::Order order);

int64_t milliseconds_now();  // since 1970
void say_notes(const std::vector<std::string>& notes);
// "a,b,c" of every word; names with commas cannot be given so.
std::vector<std::string> split_names(const std::vector<std::string>& words);

}  // namespace puna::cli
