// reference.h -- a folder of reference numbers: manifest.json, which lists arrays with their files and tolerances, and
// the .npy files. Hostile input like any file: Error{bad_file} names the place.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/json_field.h"
#include "npy.h"

namespace puna::cli {

struct Tolerance {
  double absolute = 0, relative = 0;
};

class Reference {
 public:
  explicit Reference(const std::string& folder);
  ~Reference() { dismantle(manifest_); }
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;

  bool has(const char* array) const { return !of_array(array).is_null(); }
  Array read(const char* array) const { return read_npy(path_of(of_array(array))); }
  Array read_tiles(const char* array, int64_t tile) const { return cli::read_tiles(path_of(of_array(array)), tile); }
  IntegerArray read_integers(const char* array) const { return read_npy_integers(path_of(of_array(array))); }
  Tolerance tolerance(const char* array) const;
  // The first row of an array of token ids, each below `vocab`.
  std::vector<int32_t> read_ids(const char* array, int64_t vocab) const;
  text::JsonField facts() const { return root()["facts"]; }
  // The JSON document that a group has in a file; "" when there is no such group.
  std::string group(const char* name) const;

 private:
  text::JsonField root() const { return {manifest_, "manifest.json: "}; }
  text::JsonField of_array(const char* name) const { return root()["arrays"][name]; }
  std::string path_of(const text::JsonField& entry) const;

  std::string folder_;
  Json manifest_;
};

}  // namespace puna::cli
