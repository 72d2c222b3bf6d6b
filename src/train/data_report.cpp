// data_report.cpp -- the warnings of reading training data, as sentences.
#include <algorithm>

#include "puna/train/data.h"

namespace puna::train {

void DataReport::note(std::string_view what, const std::string& place) {
  const auto at = std::find_if(notes.begin(), notes.end(), [&](const Note& n) { return n.what == what; });
  if (at == notes.end()) {
    notes.push_back({std::string(what), 1, place, place});
  } else if (at->last != place) {
    ++at->rows;
    at->last = place;
  }
}

std::vector<std::string> DataReport::sentences() const {
  std::vector<std::string> all;
  for (const Note& n : notes)
    all.push_back(n.what + (n.rows == 1 ? " (" + n.first + ")"
                                        : " (" + std::to_string(n.rows) + " rows, the first in " + n.first + ")"));
  if (!unused_columns.empty()) {
    std::string names;
    for (const std::string& c : unused_columns) names += (names.empty() ? "" : ", ") + c;
    all.push_back("columns not used: " + names + (unused_columns.size() == kMostColumnsNamed ? ", ..." : ""));
  }
  return all;
}

}  // namespace puna::train
