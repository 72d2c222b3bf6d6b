// json_rows.h -- the rows of a JSON data file, one after the other, each checked to be JSON: an object a line, objects
// over several lines or several in one, or an array of objects.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "puna/base/error.h"
#include "puna/base/function_ref.h"
#include "puna/base/watch.h"

namespace puna::io {

// Where a row begins, for errors.
struct Place {
  const std::string& file;
  int64_t line;
  std::string text() const;  // "data.jsonl, line 3"
  // Error{bad_file} "data.jsonl, line 3: ..."
  [[noreturn]] void refuse(const char* format, ...) const __attribute__((format(printf, 2, 3)));
};

// visit(place, object) of every row; `object` is the row's JSON text. Error{bad_file} where something else stands.
void each_row(std::string_view text, const std::string& file, const Watch& watch,
              FunctionRef<void(const Place&, std::string_view)> visit);

}  // namespace puna::io
