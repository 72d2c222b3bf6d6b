// feed.h -- a learning feed behind JSON: what was shown and what came of it goes in, an order of candidates comes out.
// No HTTP here.
//   an event     {"id": "9f3-17", "surface": "reels", "features": {"user": 17, "video": [3, 9]}, "numbers": {"age":
//                0.3}, "outcomes": {"like": 1},
//                 "weight": 1, "time": 0}
//                An event whose id the log holds already is not taken again: a client that got no answer may simply
//                post once more.
//   a question   {"surface": "reels", "features": {"user": 17}, "candidates": [{"features": {"video": 3}}, ...],
//                "count": 10,
//                 "value": {"like": 1, "watched": {"weight": 0.5, "power": 2}}}
// What a candidate says of a feature or number stands before what the question says of it for all. Unknown members are
// errors: a label that is misspelt would otherwise be acknowledged and lost. An id is an integer or a name; a name that
// the ranker never met is left out and counted.
#pragma once
#include <string>
#include <string_view>

#include "puna/recsys/online_learner.h"

namespace puna::cli {

class Feed {
 public:
  explicit Feed(recsys::OnlineLearner& learner) : learner_(learner) {}

  // All of these: any thread; Error{bad_file} or {invalid_argument} naming the member that is wrong.
  std::string take(
      std::string_view
          // an event or an array of up to 10000 -> {"last": number, "repeated": count, "unknown_names": count}, when
          // they are
          json);
  // on the disk
  std::string rank(std::string_view json)
      const;                   // -> {"ranked": [{"candidate": 4, "value": 0.7, "like": 0.6, ...}, ...], "learned": ...}
  std::string report() const;  // what has been learned, and how well it was predicted

 private:
  recsys::OnlineLearner& learner_;
};

}  // namespace puna::cli
