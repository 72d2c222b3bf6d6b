#include "optional/hnsw/graph.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "puna/base/error.h"
#include "puna/io/safetensors.h"

namespace puna::recsys {
namespace {

constexpr const char* kFormat = "item graph 1";

template <class T>
std::vector<T> values_of(const SafetensorsFile& file, const char* tensor, DType dtype, const std::string& path) {
  const TensorEntry* const t = file.tensors.find(tensor);
  if (!t || t->dtype != dtype || t->shape.rank != 1)
    fail(Status::bad_file, "%s: tensor '%s' is missing or no row of %s", path.c_str(), tensor, name(dtype));
  std::vector<T> values(size_t(t->shape.count()));
  memcpy(values.data(), t->data, values.size() * sizeof(T));
  return values;
}

uint64_t number_of(const SafetensorsFile& file, const char* key, uint64_t most, const std::string& path) {
  const auto found = file.metadata.find(key);
  unsigned long long value = 0;
  char rest = 0;
  if (found == file.metadata.end() || std::sscanf(found->second.c_str(), "%20llu%c", &value, &rest) != 1 ||
      value > most)
    fail(Status::bad_file, "%s: '%s' is missing from its metadata or no number up to %ju", path.c_str(), key, most);
  return value;
}

// Node n's lists begin at lists[n]; Error{bad_file} unless levels and list_sizes fit together.
std::vector<size_t> first_lists(const ItemGraph& g, const std::string& name) {
  std::vector<size_t> lists{0};
  for (const uint8_t level : g.levels) {
    if (level > kMostLevel)
      fail(Status::bad_file, "%s: node %zu is on level %d, expected at most %d", name.c_str(), lists.size() - 1, level,
           kMostLevel);
    lists.push_back(lists.back() + level + 1);
  }
  if (lists.back() != g.list_sizes.size())
    fail(Status::bad_file, "%s: %zu lists of neighbours, expected %zu", name.c_str(), g.list_sizes.size(),
         lists.back());
  return lists;
}

void check_items(const ItemGraph& g, const std::string& name) {
  std::vector<bool> seen(g.items.size());
  for (size_t n = 0; n < g.items.size(); ++n) {
    const int32_t item = g.items[n];
    if (item < 0 || size_t(item) >= seen.size() || seen[size_t(item)])
      fail(Status::bad_file, "%s: node %zu is item %d, expected each of %zu once", name.c_str(), n, item, seen.size());
    seen[size_t(item)] = true;
  }
}

}  // namespace

void check(const ItemGraph& g, const std::string& name) {
  const size_t nodes = g.items.size();
  if (nodes == 0 || nodes >= size_t(1) << 31 || g.levels.size() != nodes)
    fail(Status::bad_file, "%s: %zu nodes with %zu levels", name.c_str(), nodes, g.levels.size());
  if (g.links < 2 || g.links > kMostLinks)
    fail(Status::bad_file, "%s: links is %jd, expected 2 to %jd", name.c_str(), g.links, kMostLinks);
  if (g.entry < 0 || size_t(g.entry) >= nodes ||
      g.levels[size_t(g.entry)] != *std::max_element(g.levels.begin(), g.levels.end()))
    fail(Status::bad_file, "%s: entry %jd is no node of the highest level", name.c_str(), g.entry);
  check_items(g, name);
  const std::vector<size_t> lists = first_lists(g, name);
  size_t at = 0;
  for (size_t n = 0; n < nodes; ++n)
    for (int level = 0; level <= g.levels[n]; ++level) {
      const size_t size = g.list_sizes[lists[n] + size_t(level)];
      if (int64_t(size) > g.most_links(level) || size > g.neighbours.size() - at)
        fail(Status::bad_file, "%s: node %zu has %zu neighbours on level %d, more than it may or than there are",
             name.c_str(), n, size, level);
      for (const size_t end = at + size; at < end; ++at) {
        const int32_t to = g.neighbours[at];
        if (to < 0 || size_t(to) >= nodes || g.levels[size_t(to)] < level)
          fail(Status::bad_file, "%s: node %zu leads to %d, which is not on level %d", name.c_str(), n, to, level);
      }
    }
  if (at != g.neighbours.size())
    fail(Status::bad_file, "%s: %zu neighbours, expected %zu", name.c_str(), g.neighbours.size(), at);
}

void write_graph(const std::string& path, const ItemGraph& g) {
  const auto row = [](const char* name, DType dtype, const auto& values) {
    return OutputTensor{name, dtype, {int64_t(values.size())}, values.data()};
  };
  const OutputTensor tensors[] = {row("items", DType::i32, g.items), row("levels", DType::u8, g.levels),
                                  row("list_sizes", DType::u8, g.list_sizes),
                                  row("neighbours", DType::i32, g.neighbours)};
  write_safetensors(path,
                    {{"puna", kFormat},
                     {"links", std::to_string(g.links)},
                     {"build_width", std::to_string(g.build_width)},
                     {"entry", std::to_string(g.entry)},
                     {"rows_hash", std::to_string(g.rows_hash)}},
                    tensors);
}

ItemGraph read_graph(const Context& context, const std::string& path) {
  const SafetensorsFile file = read_safetensors(context, open_path_source(path));
  const auto format = file.metadata.find("puna");
  if (format == file.metadata.end() || format->second != kFormat)
    fail(Status::bad_file, "%s is no item graph of this version", path.c_str());
  ItemGraph g;
  g.links = int64_t(number_of(file, "links", uint64_t(kMostLinks), path));
  g.build_width = int64_t(number_of(file, "build_width", 1 << 20, path));
  g.entry = int64_t(number_of(file, "entry", INT32_MAX, path));
  g.rows_hash = number_of(file, "rows_hash", UINT64_MAX, path);
  g.items = values_of<int32_t>(file, "items", DType::i32, path);
  g.levels = values_of<uint8_t>(file, "levels", DType::u8, path);
  g.list_sizes = values_of<uint8_t>(file, "list_sizes", DType::u8, path);
  g.neighbours = values_of<int32_t>(file, "neighbours", DType::i32, path);
  check(g, path);
  return g;
}

}  // namespace puna::recsys
