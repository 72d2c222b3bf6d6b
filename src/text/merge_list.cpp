#include "text/merge_list.h"

#include <algorithm>

#include "puna/base/error.h"
#include "text/byte_level.h"

namespace puna::text {

MergeList::MergeList(TokenizerParts& parts, const char* field, size_t count, const Watch& watch)
    : parts_(parts), watch_(watch), field_(field), count_(count) {
  if (count >= kNoRank) fail(Status::bad_file, "%s has %zu entries, expected less than 2^32 - 1", field, count);
  BpeModel& model = parts.model;
  model.ranking = BpeModel::by_pair;
  model.pairs.reserve(std::min(count, 4 * size_t(parts.vocabulary.size())));  // a list may be longer than it is worth
  if (!model.byte_level) return;
  for (int byte = 0; byte < 256; ++byte) {
    const char c = char(byte);
    model.byte_ids[size_t(byte)] = parts.vocabulary.find({&c, 1});
  }
}

void MergeList::add(std::string_view pair) {
  const size_t space = pair.find(' ', 1);
  if (pair.empty() || space == std::string_view::npos || space + 1 == pair.size())
    fail(Status::bad_file, "%s[%zu] is '%.*s', expected two tokens with a space between", field_, read_,
         int(pair.substr(0, 64).size()), pair.data());
  add(pair.substr(0, space), pair.substr(space + 1));
}

void MergeList::add(std::string_view left, std::string_view right) {
  watch_.tick();
  const auto text_of = [&](std::string_view spelling, std::string& out) {
    if (!parts_.model.byte_level || !bytes_of_spelling(spelling, out)) out.assign(spelling);
  };
  text_of(left, left_);
  text_of(right, right_);
  joined_ = left_ + right_;
  int32_t ids[3];
  int i = 0;
  bool special = false;  // text never becomes a control token, so this merge never happens
  for (const std::string* piece : {&left_, &right_, &joined_}) {
    ids[i] = parts_.vocabulary.find(*piece);
    if (ids[i] < 0 && parts_.added.find(*piece) < 0)
      fail(Status::bad_file, "%s[%zu] needs the token '%.64s', which the vocabulary does not have", field_, read_,
           piece->c_str());
    special = special || ids[i] < 0;
    ++i;
  }
  if (!special && !parts_.model.pairs.insert(ids[0], ids[1], {uint32_t(read_), ids[2]}))
    fail(Status::bad_file, "%s[%zu]: '%.64s' and '%.64s' are merged twice", field_, read_, left_.c_str(),
         right_.c_str());
  PUNA_INVARIANT(read_ < count_);
  ++read_;
}

}  // namespace puna::text
