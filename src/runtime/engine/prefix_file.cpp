// prefix_file.cpp -- a prefix cache as bytes: a header; the salts of its trees; then the nodes, parents first, each
// with what stands in its positions and their keys and values, layer by layer, head by head, as KvCache::copy_out gives
// them. Trees of adapters are left out: an adapter has no name that a file could say. Read back, every number is
// checked before it is used; a call that fails leaves the cache as it was.
#include <algorithm>
#include <cstring>

#include "base/copy_bytes.h"
#include "base/hash.h"
#include "base/span_reader.h"
#include "puna/base/error.h"
#include "runtime/engine/prefix_cache.h"
#include "runtime/opening/fingerprint.h"

namespace puna {
namespace {

constexpr char kMagic[8] = {'P', 'U', 'N', 'A', 'P', 'R', 'E', 'F'};
constexpr uint32_t kVersion = 1;

struct FileHeader {
  char magic[8];
  uint32_t version, zero;
  uint64_t model, mode, bytes, checksum;  // the checksum is computed with this field zero
  int64_t page_size, layers;
  uint64_t roots, nodes;
};
struct NodeHeader {
  int64_t parent;  // which node before, or -1 - root
  uint32_t positions, runs;
  uint32_t chunked, zero;
};
static_assert(sizeof(FileHeader) == 80 && sizeof(NodeHeader) == 24 && sizeof(PrefixKey::Run) == 40);

uint64_t checksum_of(FileHeader header, std::span<const std::byte> body) {
  header.checksum = 0;
  Hash hash;
  hash.add_value(header);
  hash.add(body.data(), body.size());
  return hash.value();
}

class Writer {
 public:
  void put(const void* data, size_t bytes) {
    const size_t at = out.size();
    out.resize(at + (bytes + 7) / 8 * 8);
    copy_bytes(out.data() + at, data, bytes);
  }
  std::vector<std::byte> out;
};

}  // namespace

std::vector<std::byte> PrefixCache::save(uint64_t mode) const {
  FileHeader header{};
  memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.model = fingerprint(model_->llama());
  header.mode = mode;
  header.page_size = page_size_;
  header.layers = layout_.layers();
  Writer w;
  w.put(&header, sizeof header);
  std::map<const Node*, int64_t> number;
  std::vector<const Node*> order;
  for (const auto& [root, children] : roots_) {
    if (!root.adapters.empty() || children.empty()) continue;
    const uint64_t length = root.salt.size();
    w.put(&length, sizeof length);
    w.put(root.salt.data(), root.salt.size());
    for (const auto& [block, node] : children) {
      number[node.get()] = -1 - int64_t(header.roots);  // its parent, until it has its own
      order.push_back(node.get());
    }
    ++header.roots;
  }
  for (size_t i = 0; i < order.size(); ++i) {  // the list grows while it is walked
    const Node& node = *order[i];
    const int64_t parent = node.parent ? number.at(node.parent) : number.at(&node);
    number[&node] = int64_t(i);
    for (const auto& [block, child] : node.children) order.push_back(child.get());
    const Block& block = node.self->first;
    const NodeHeader h{parent, uint32_t(block.positions.size()), uint32_t(block.runs.size()), node.chunked, 0};
    w.put(&h, sizeof h);
    w.put(block.positions.data(), block.positions.size() * 8);
    w.put(block.runs.data(), block.runs.size() * sizeof(PrefixKey::Run));
    KvCache view(layout_);
    std::vector<std::byte> rows;
    for (int64_t l = 0; l < view.layers(); ++l) {
      if (!node.pages[size_t(l)]) continue;
      std::vector<std::byte> row(view.row_bytes(l));
      view.adopt(l, 0, node.pages[size_t(l)]);
      for (int64_t head = 0; head < view.kv_heads(l); ++head)
        for (size_t p = 0; p < block.positions.size(); ++p) {
          view.copy_out(l, int64_t(p), head, row.data());
          rows.insert(rows.end(), row.begin(), row.end());
        }
    }
    w.put(rows.data(), rows.size());
  }
  header.nodes = order.size();
  header.bytes = w.out.size();
  header.checksum = checksum_of(header, std::span(w.out).subspan(sizeof header));
  memcpy(w.out.data(), &header, sizeof header);
  return std::move(w.out);
}

void PrefixCache::restore(std::span<const std::byte> from, uint64_t mode) {
  SpanReader in(from, "prefix cache: it");
  const auto header = in.value<FileHeader>();
  if (memcmp(header.magic, kMagic, sizeof kMagic) != 0)
    fail(Status::bad_file, "prefix cache: it does not begin with PUNAPREF");
  if (header.version != kVersion || header.zero != 0)
    fail(Status::unsupported, "prefix cache: version %u, this library knows %u", header.version, kVersion);
  if (header.bytes != from.size())
    fail(Status::bad_file, "prefix cache: it says %ju bytes, %zu are there", header.bytes, from.size());
  if (checksum_of(header, from.subspan(sizeof header)) != header.checksum)
    fail(Status::bad_file, "prefix cache: the checksum does not match: it is damaged");
  const LlamaConfig& c = model_->config();
  PUNA_REQUIRE(header.model == fingerprint(model_->llama()), "the prefix cache belongs to another model");
  PUNA_REQUIRE(header.mode == mode, "the prefix cache was made in another mode, or with another type of keys");
  if (header.page_size != page_size_ || header.layers != layout_.layers())
    fail(Status::bad_file, "prefix cache: pages of %jd positions in %jd layers, expected %jd in %jd", header.page_size,
         header.layers, page_size_, layout_.layers());
  if (most_bytes_ == 0) return;

  std::vector<std::string> salts;
  for (uint64_t i = 0; i < header.roots; ++i) {
    const auto length = in.value<uint64_t>();
    const std::byte* text = in.take(length);
    salts.emplace_back(reinterpret_cast<const char*>(text), size_t(length));
  }
  std::vector<Node*> nodes, added;
  try {
    ++clock_;
    for (uint64_t i = 0; i < header.nodes; ++i) {
      const auto h = in.value<NodeHeader>();
      const bool known = h.parent >= 0 ? uint64_t(h.parent) < i : uint64_t(-1 - h.parent) < salts.size();
      if (!known || h.positions < 1 || h.positions > uint64_t(page_size_) || h.runs > h.positions || h.chunked > 1 ||
          h.zero != 0)
        fail(Status::bad_file, "prefix cache: the numbers of node %ju make no sense", i);
      Node* const parent = h.parent >= 0 ? nodes[size_t(h.parent)] : nullptr;
      const int64_t index = parent ? parent->index + 1 : 0;
      if ((parent && int64_t(parent->self->first.positions.size()) != page_size_) ||
          index * page_size_ + int64_t(h.positions) > c.max_positions)
        fail(Status::bad_file, "prefix cache: node %ju stands where none can", i);
      Block block;
      block.positions.resize(h.positions);
      copy_bytes(block.positions.data(), in.take(uint64_t(h.positions) * 8), size_t(h.positions) * 8);
      block.runs.resize(h.runs);
      copy_bytes(block.runs.data(), in.take(h.runs * sizeof(PrefixKey::Run)), h.runs * sizeof(PrefixKey::Run));
      int64_t end = 0;
      std::vector<uint64_t> filled(h.positions, 0);
      for (const PrefixKey::Run& r : block.runs) {
        if (r.position < end || r.count < 1 || r.position > int64_t(h.positions) ||
            r.count > int64_t(h.positions) - r.position || r.row < 0 || r.row > (int64_t(1) << 40))
          fail(Status::bad_file, "prefix cache: an image of node %ju does not fit it", i);
        end = r.position + r.count;
        for (int64_t p = 0; p < r.count; ++p) filled[size_t(r.position + p)] = filled_position(r.image, r.row + p);
      }
      for (uint32_t p = 0; p < h.positions; ++p) {
        const uint64_t is = block.positions[p];
        if (filled[p] != 0 ? is != filled[p] : is >= uint64_t(c.vocab))
          fail(Status::bad_file, "prefix cache: position %u of node %ju holds no token", p, i);
      }
      uint64_t row_bytes = 0;
      for (int64_t l = 0; l < layout_.layers(); ++l)
        if (!layout_.drops(l) || h.chunked) row_bytes += layout_.position_bytes(l) * h.positions;
      const std::byte* rows = in.take(row_bytes);
      Children& children = parent ? parent->children : roots_[PrefixRoot{{}, salts[size_t(-1 - h.parent)]}];
      const auto there = children.find(block);
      if (there != children.end()) {
        nodes.push_back(there->second.get());
        continue;
      }
      KvCache view(layout_);
      view.prepare(0, int64_t(h.positions));
      for (int64_t l = 0; l < view.layers(); ++l) {
        if (view.drops(l) && !h.chunked) continue;
        for (int64_t head = 0; head < view.kv_heads(l); ++head)
          for (uint32_t p = 0; p < h.positions; ++p, rows += view.row_bytes(l)) view.copy_in(l, p, head, rows);
      }
      added.reserve(added.size() + 1);
      nodes.reserve(nodes.size() + 1);
      Node* const node = add(children, parent, std::move(block), index);
      added.push_back(node);
      nodes.push_back(node);
      node->chunked = h.chunked;
      node->used = clock_;
      for (int64_t l = 0; l < view.layers(); ++l) {
        if (view.drops(l) && !h.chunked) continue;
        node->pages[size_t(l)] = view.page(l, 0);
        bytes_ += layout_.page_bytes(l);
      }
    }
    if (in.left() != 0) fail(Status::bad_file, "prefix cache: %zu bytes too many behind the nodes", in.left());
  } catch (...) {
    for (auto node = added.rbegin(); node != added.rend(); ++node) remove(**node);
    throw;
  }
  trim();
}

}  // namespace puna
