// data_content.h -- what a data file is, by its bytes.
#pragma once
#include <string>
#include <string_view>

#include "puna/base/watch.h"

namespace puna::train {

struct Content {
  std::string_view text;  // without a byte-order mark
  bool rows = false;      // JSON; else one text
};

// Error{bad_file} or {unsupported} for what is neither: archives, tables, pictures, other encodings, each by its name.
// `must_be_rows`: whatever the name says.
Content content_of(std::string_view bytes, const std::string& name, bool must_be_rows, const Watch& watch);

}  // namespace puna::train
