#include "text/formats/json_file.h"

namespace puna::text {
namespace {

constexpr int32_t kMostTokens = 1 << 19;
constexpr size_t kMostMerges = 4 << 20;

}  // namespace

JsonFile::JsonFile(std::string_view text, const Watch& watch) {
  const std::string lists[] = {"model.vocab", "model.merges", "added_tokens"};
  const auto member = [&](const std::string& path, bool of_object, const std::string& key, const Json& value) {
    keep_error([&] {
      if (path == lists[0] && of_object)
        read_vocab(key, value);
      else if (path == lists[1] && !of_object)
        read_merge(value);
      else if (path == lists[2] && !of_object)
        read_added(value);
    });
  };
  tree_ = parse_json_parts(text, "tokenizer.json", lists, member, watch);
}

template <class Read>
void JsonFile::keep_error(Read read) {
  if (status_ != Status::ok) return;
  try {
    read();
  } catch (const Error& e) {
    if (e.status() != Status::bad_file && e.status() != Status::unsupported) throw;
    status_ = e.status();
    error_ = e.what();
  }
}

void JsonFile::read_vocab(const std::string& key, const Json& id) {
  if (keys.size() == kMostTokens)
    fail(Status::unsupported, "tokenizer.json: model.vocab has more than %d tokens", kMostTokens);
  keys.add(key);
  const int64_t number = whole_number(id).value_or(-1);
  ids.push_back(number >= 0 && number <= INT32_MAX ? int32_t(number) : -1);
  if (index_.insert(keys, keys.size() - 1) >= 0)
    fail(Status::bad_file, "tokenizer.json: key '%.64s' appears twice in model.vocab", key.c_str());
}

void JsonFile::read_merge(const Json& merge) {
  if (merge_is_pair.size() == kMostMerges)
    fail(Status::unsupported, "tokenizer.json: model.merges has more than %zu merges", kMostMerges);
  const bool is_pair = merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string();
  if (!is_pair && !merge.is_string())
    JsonField(merge, "tokenizer.json: model.merges[" + std::to_string(merge_is_pair.size()) + "]")
        .expected("\"left right\" or [\"left\", \"right\"]");
  if (is_pair) {
    for (const Json& part : merge) merge_parts.add(part.get_ref<const std::string&>());
  } else {
    merge_parts.add(merge.get_ref<const std::string&>());
  }
  merge_is_pair.push_back(is_pair);
}

void JsonFile::read_added(const Json& json) {
  const JsonField token(json, "tokenizer.json: added_tokens[" + std::to_string(added.size()) + "]");
  Added a;
  a.content = token["content"].string();
  a.id = whole_number(token["id"].json()).value_or(-1);
  a.special = token["special"].boolean(false);
  a.left_strip = token["lstrip"].boolean(false);
  a.right_strip = token["rstrip"].boolean(false);
  a.single_word = token["single_word"].boolean(false);
  a.normalized = token["normalized"].boolean(!a.special);
  added.push_back(std::move(a));
}

int32_t JsonFile::find(std::string_view piece) const noexcept {
  const int32_t at = index_.find(keys, piece);
  return at < 0 ? -1 : ids[size_t(at)];
}

void JsonFile::require_whole() const {
  if (status_ != Status::ok) fail(status_, "%s", error_.c_str());
}

}  // namespace puna::text
