// label_schema.h -- the tables of a label store, version by version.
#pragma once
#include "optional/sqlite/database.h"

namespace puna::label {

inline constexpr int kSchemaVersion = 2;

// Makes the tables of a new database, or brings one of an older version up to date, in one transaction. Error{bad_file}
// when its schema is not ours to the letter: views, triggers, checks and indexes of expressions are programs, computed
// whenever a row is read or written. Error{unsupported} when it is of a newer version.
void prepare_schema(sqlite::Database& db, int version = kSchemaVersion);

// Where an item stands in random order.
int64_t shuffle_of(int64_t item);

}  // namespace puna::label
