// rec_recipe.h -- from tables on disk to a ranker's examples, by a recipe (JSON): which columns describe an event, where it was shown, what came of it.
//   {"events": "e.tsv", "tables": [{"file": "items.tsv", "key": "item_id"}],          tab-separated, columns named in the first line
//    "features": [{"column": "user_id"}, {"column": "age", "divide": 5}, {"column": "genres", "many": true}],
//    "surfaces": {"column": "genres", "groups": [{"name": "drama", "any": ["Drama", "Romance"]}], "otherwise": "other"},
//    "tasks": [{"name": "like", "column": "rating", "at_least": 4}, {"name": "watched", "column": "rating", "divide": 5, "kind": "fraction"}],
//    "content": {"feature": "item_id", "columns": ["title", "genres"]},                     what an id says about itself
//    "time": "timestamp", "model": {"interaction": "cross", "dim": 16}}
#pragma once
#include <string>

#include "puna/recsys/examples.h"

namespace puna::cli {

struct RecipeData {
  recsys::RankerConfig config;
  recsys::ExampleSet examples;
  std::vector<int64_t> times;  // of each example
  int content_feature = -1;    // -1: the recipe has no contents
  std::vector<std::string> contents;  // of each id of that feature
};

// Files are looked for in `folder`. `interaction` replaces the recipe's when it is not empty. Error{bad_file} naming the file, the line, the column.
RecipeData read_recipe(const std::string& recipe, const std::string& folder, const std::string& interaction);

}  // namespace puna::cli
