// interaction_columns.h -- which columns of a table are the user, the item and the time: by the names that the usual
// data sets give them.
#pragma once
#include "io/table_reader.h"

namespace puna::recsys {

using io::TableReader;

struct InteractionColumns {
  size_t user = 0, item = 1, time = 3;
  size_t count = 4;
  bool named = false;  // the first record names them; else they are user, item, anything, time
  std::string about;   // "user 'userId', item 'movieId', time 'timestamp', not looked at: 'rating'"
};

// From the first record. Error{bad_file} naming what is expected and what was found.
InteractionColumns columns_of(const TableReader& table, const std::vector<std::string_view>& first);

// "User-ID" and "user_id:token" are "userid".
std::string plain_name(std::string_view column);

}  // namespace puna::recsys
