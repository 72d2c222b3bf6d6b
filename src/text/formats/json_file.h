// json_file.h -- a tokenizer.json as it is read: its three long lists in arrays of their own, all else as a tree. As
// one tree a published file of 30 MB would take 200.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json_field.h"
#include "puna/base/error.h"
#include "text/piece_table.h"

namespace puna::text {

class JsonFile {
 public:
  struct Added {
    std::string content;
    std::string matched;  // after normalisation, when it is `normalized`; whoever has the normalizer fills it in
    int64_t id = -1;      // -1: none that could be one
    bool special = false, left_strip = false, right_strip = false, single_word = false, normalized = false;
  };

  JsonFile(std::string_view text, const Watch& watch);  // Error{bad_file} when it is no JSON
  ~JsonFile() { dismantle(tree_); }
  JsonFile(const JsonFile&) = delete;
  JsonFile& operator=(const JsonFile&) = delete;

  const Json& tree() const noexcept { return tree_; }   // the lists are there, and empty
  int32_t find(std::string_view piece) const noexcept;  // its id; -1: not in the vocabulary
  // Error{bad_file} or {unsupported} for the first thing in the lists that is not as it should be. (A file of another
  // kind of model has other lists: they are wrong only once its kind is known.)
  void require_whole() const;

  PieceList keys;            // of model.vocab, in the file's order, and
  std::vector<int32_t> ids;  // their ids; -1: no whole number from 0 to 2^31 - 1
  PieceList merge_parts;     // of model.merges: "left right" is one, ["left", "right"] are two
  std::vector<bool> merge_is_pair;
  std::vector<Added> added;  // added_tokens

 private:
  void read_vocab(const std::string& key, const Json& id);
  void read_merge(const Json& merge);
  void read_added(const Json& token);
  template <class Read>
  void keep_error(Read read);

  PieceIndex index_;
  Json tree_;
  Status status_ = Status::ok;
  std::string error_;
};

}  // namespace puna::text
