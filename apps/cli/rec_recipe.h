// rec_recipe.h -- from tables on disk to a ranker's examples, by a recipe (JSON): which columns describe an event,
// where it was shown, what came of it.
//   {"events": "e.csv", "tables": [{"file": "items.csv", "key": "item_id"}],     CSV, tabs, ...: columns named in the
//   first line (table_reader.h)
//    "features": [{"column": "user_id"}, {"column": "age", "divide": 5}, {"column": "genres", "many": true}], "many":
//    "|" = that lies between "numbers": ["hour", {"column": "price", "missing": 0}],      standardised by what is
//    learned from; "missing": what an empty field counts as "surfaces": {"column": "genres", "groups": [{"name":
//    "drama", "any": ["Drama", "Romance"]}], "otherwise": "other"}, "tasks": [{"name": "like", "column": "rating",
//    "at_least": 4}, {"name": "watched", "column": "rating", "divide": 5, "kind": "fraction"}], "content": {"feature":
//    "item_id", "columns": ["title", "genres"]},           what an id says about itself "time": "timestamp", "model":
//    {"interaction": "cross", "dim": 16}}
// {"column": "price", "numeric": true} among the features, and "numbers" in "model", are numbers as well.
#pragma once
#include <string>

#include "puna/recsys/examples.h"
#include "puna/recsys/ranker.h"

namespace puna::cli {

struct RecipeData {
  recsys::RankerConfig config;
  recsys::ExampleSet examples;
  std::vector<recsys::Names> vocabularies;  // of each feature: what its ids are called
  std::vector<int64_t> order;               // of each example, its place in time; empty when the recipe has no time
  int content_feature = -1;                 // -1: the recipe has no contents
  std::vector<std::string> contents;        // of each id of that feature
};

// Files are looked for in `folder`. `interaction` replaces the recipe's when it is not empty. Error{bad_file} naming
// the field of the recipe, or the file, the line and the column; warnings go to standard error.
RecipeData read_recipe(const std::string& recipe, const std::string& folder, const std::string& interaction);

}  // namespace puna::cli
