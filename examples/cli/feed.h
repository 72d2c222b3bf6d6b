// feed.h -- a learning feed behind JSON: what was shown and what came of it goes in, an order of candidates comes out. No HTTP here.
//   an event     {"surface": "reels", "features": {"user": 17, "video": [3, 9]}, "numbers": {"age": 0.3}, "outcomes": {"like": 1}, "weight": 1, "time": 0}
//   a question   {"surface": "reels", "features": {"user": 17}, "candidates": [{"features": {"video": 3}}, ...], "count": 10,
//                 "value": {"like": 1, "watched": {"weight": 0.5, "power": 2}}}
// What a candidate says of a feature or number stands before what the question says of it for all.
#pragma once
#include <string>
#include <string_view>

#include "puna/recsys/online_learner.h"

namespace puna::cli {

class Feed {
 public:
  explicit Feed(recsys::OnlineLearner& learner) : learner_(learner) {}

  // All of these: any thread; Error{bad_file} or {invalid_argument} naming the member that is wrong.
  std::string take(std::string_view json);        // an event or an array of them -> {"last": number}, when they are on the disk
  std::string rank(std::string_view json) const;  // -> {"ranked": [{"candidate": 4, "value": 0.7, "like": 0.6, ...}, ...], "learned": ...}
  std::string report() const;                     // what has been learned, and how well it was foretold

 private:
  recsys::OnlineLearner& learner_;
};

}  // namespace puna::cli
