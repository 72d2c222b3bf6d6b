// hf_config.cpp -- JSON to Metadata and to a list of shards; what comes out is bounded by what goes in.
#include "io/hf_config.h"

#include <algorithm>

#include "base/json.h"
#include "io/file_error.h"

namespace puna::io {
namespace {

// With it and the file's own limit, what comes out is bounded: otherwise one long key repeated in front of many short
// ones is not.
constexpr size_t kLongestKey = 256;

void parse_object(Json& json, std::string_view text, const std::string& file, const Watch& watch) {
  json = naming(file, [&] { return parse_json(text, "JSON", watch); });
  if (!json.is_object()) fail_in(file, Status::bad_file, "is %s, expected a JSON object", json.type_name());
}

template <class Predicate>
bool all(const Json& array, Predicate is) {
  return std::all_of(array.begin(), array.end(), is);
}

bool is_whole(const Json& j) {
  return j.is_number_integer() && (!j.is_number_unsigned() || j.get<uint64_t>() <= uint64_t(INT64_MAX));
}

template <class T, class Read = T>
std::vector<T> list(const Json& array) {
  std::vector<T> values;
  values.reserve(array.size());
  for (const Json& j : array) values.push_back(j.get<Read>());
  return values;
}

// False when the array has no place in Metadata.
bool from_array(const Json& array, MetadataValue& value) {
  if (all(array, is_whole))
    value = list<int64_t>(array);
  else if (all(array, [](const Json& j) { return j.is_boolean(); }))
    value = list<int64_t, bool>(array);
  else if (all(array, [](const Json& j) { return j.is_number(); }))
    value = list<double>(array);
  else if (all(array, [](const Json& j) { return j.is_string(); }))
    value = list<std::string>(array);
  else
    return false;
  return true;
}

bool from_json(const Json& j, MetadataValue& value) {
  switch (j.type()) {
    case Json::value_t::null: value = std::monostate(); return true;
    case Json::value_t::boolean: value = j.get<bool>(); return true;
    case Json::value_t::number_integer: value = j.get<int64_t>(); return true;
    case Json::value_t::number_unsigned:
      if (is_whole(j))
        value = j.get<int64_t>();
      else
        value = j.get<uint64_t>();
      return true;
    case Json::value_t::number_float: value = j.get<double>(); return true;
    case Json::value_t::string: value = j.get<std::string>(); return true;
    case Json::value_t::array: return from_array(j, value);
    default: return false;
  }
}

void flatten(const Json& object, const std::string& file, const std::string& prefix, Metadata& metadata) {
  for (const auto& [name, j] : object.items()) {
    const std::string key = prefix + name;
    if (key.size() > kLongestKey)
      fail_in(file, Status::bad_file, "key '%s' has %zu bytes, expected at most %zu", display(key).c_str(), key.size(),
              kLongestKey);
    if (j.is_object()) {
      metadata.set_other(key, Metadata::Other::object);
      flatten(j, file, key + ".", metadata);
      continue;
    }
    MetadataValue value;
    if (!from_json(j, value)) {
      metadata.set_other(key, Metadata::Other::list);
      continue;
    }
    if (metadata.find(key))
      fail_in(file, Status::bad_file, "key '%s' appears twice once objects are flattened", display(key).c_str());
    metadata.set(key, std::move(value));
  }
}

void check_shard_name(const std::string& file, const std::string& tensor, const std::string& shard) {
  const bool plain =
      !shard.empty() && shard[0] != '.' && shard.find_first_of(std::string_view("/\\:\0", 4)) == shard.npos;
  if (!plain || !shard.ends_with(".safetensors"))
    fail_in(file, Status::bad_file, "weight_map '%s': '%s' is not the name of a .safetensors file in this folder",
            display(tensor).c_str(), display(shard).c_str());
}

}  // namespace

void flatten_config(std::string_view json, const std::string& file, const std::string& prefix, Metadata& metadata,
                    const Watch& watch) {
  Json root;
  const JsonGuard guard(root);
  parse_object(root, json, file, watch);
  flatten(root, file, prefix, metadata);
}

ShardIndex parse_shard_index(std::string_view json, const std::string& file, const Watch& watch) {
  Json root;
  const JsonGuard guard(root);
  parse_object(root, json, file, watch);
  const auto map = root.find("weight_map");
  if (map == root.end() || !map->is_object()) fail_in(file, Status::bad_file, "'weight_map' is missing or no object");
  ShardIndex index;
  for (const auto& [tensor, shard] : map->items()) {
    check_name(file, "tensor name", tensor);
    if (!shard.is_string())
      fail_in(file, Status::bad_file, "weight_map '%s' is %s, expected the name of a file", display(tensor).c_str(),
              shard.type_name());
    const auto& name = shard.get_ref<const std::string&>();
    check_shard_name(file, tensor, name);
    index.tensors_of[name].push_back(tensor);
  }
  if (index.tensors_of.empty()) fail_in(file, Status::bad_file, "'weight_map' names no tensor");
  if (const auto metadata = root.find("metadata"); metadata != root.end() && metadata->is_object()) {
    const auto total = metadata->find("total_size");
    if (total != metadata->end() && total->is_number_unsigned()) index.total_size = total->get<uint64_t>();
  }
  return index;
}

}  // namespace puna::io
