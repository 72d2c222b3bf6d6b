// prefix_cache.cpp -- looking up, keeping and evicting.
#include "runtime/engine/prefix_cache.h"

#include <algorithm>

#include "base/hash.h"

namespace puna {
namespace {

constexpr uint64_t kFilled = uint64_t(1) << 63;

// The image and the row that fill a position; position counts from where the runs count.
const PrefixKey::Run* run_at(std::span<const PrefixKey::Run> runs, int64_t position) noexcept {
  const auto after = std::upper_bound(runs.begin(), runs.end(), position,
                                      [](int64_t p, const PrefixKey::Run& r) { return p < r.position; });
  if (after == runs.begin()) return nullptr;
  const PrefixKey::Run& r = *(after - 1);
  return position < r.position + r.count ? &r : nullptr;
}

}  // namespace

uint64_t filled_position(const ImageId& image, int64_t row) noexcept {
  Hash hash;
  hash.add_value(image);
  hash.add_value(row);
  return hash.value() | kFilled;
}

PrefixKey::PrefixKey(const PromptView& prompt) {
  positions.reserve(prompt.tokens.size());
  for (const int32_t id : prompt.tokens) positions.push_back(uint64_t(uint32_t(id)));
  for (const Patches& p : prompt.patches) {
    const ImageId id = p.image->id();
    runs.push_back({p.position, p.count, p.row, id});
    for (int64_t i = 0; i < p.count; ++i) positions[size_t(p.position + i)] = filled_position(id, p.row + i);
  }
}

bool PrefixRoot::operator<(const PrefixRoot& o) const noexcept {
  if (adapters.size() != o.adapters.size()) return adapters.size() < o.adapters.size();
  for (size_t i = 0; i < adapters.size(); ++i) {
    if (adapters[i].adapter != o.adapters[i].adapter) return adapters[i].adapter < o.adapters[i].adapter;
    if (adapters[i].weight != o.adapters[i].weight) return adapters[i].weight < o.adapters[i].weight;
  }
  return salt < o.salt;
}

bool PrefixCache::Less::operator()(std::span<const uint64_t> a, const Block& b) const noexcept {
  return std::lexicographical_compare(a.begin(), a.end(), b.positions.begin(), b.positions.end());
}
bool PrefixCache::Less::operator()(const Block& a, std::span<const uint64_t> b) const noexcept {
  return std::lexicographical_compare(a.positions.begin(), a.positions.end(), b.begin(), b.end());
}

PrefixCache::PrefixCache(const ModelPtr& model, DType kv_type, uint64_t most_bytes)
    : model_(model),
      type_(kv_type),
      most_bytes_(most_bytes),
      page_size_(model->config().page_size()),
      chunk_(model->config().chunk),
      layout_(model->config(), model->context().allocator(), kv_type) {}

// Nodes go from the leaves up, not by destructors that call each other: a path is as long as a prompt.
PrefixCache::~PrefixCache() { clear(); }

void PrefixCache::clear() {
  while (!all_.empty()) {
    Node* node = all_.back();
    while (!node->children.empty()) node = node->children.begin()->second.get();
    remove(*node);
  }
  roots_.clear();
}

// Children are ordered, so the one with the longest common beginning is next to where the key would stand.
PrefixCache::Match PrefixCache::best_child(Children& children, const PrefixKey& key, int64_t begin, int64_t end) const {
  const std::span<const uint64_t> want(key.positions.data() + begin, size_t(std::min(end - begin, page_size_)));
  Match best{nullptr, 0};
  const auto consider = [&](Children::iterator at) {
    const Block& have = at->first;
    const size_t most = std::min(want.size(), have.positions.size());
    size_t n = 0;
    while (n < most && want[n] == have.positions[n]) {
      if (want[n] & kFilled) {
        const PrefixKey::Run *a = run_at(key.runs, begin + int64_t(n)), *b = run_at(have.runs, int64_t(n));
        if (!a || !b || !(a->image == b->image) ||
            a->row + begin + int64_t(n) - a->position != b->row + int64_t(n) - b->position)
          break;
      }
      ++n;
    }
    if (int64_t(n) > best.positions) best = {at->second.get(), int64_t(n)};
  };
  const auto at = children.lower_bound(want);
  if (at != children.end()) consider(at);
  if (at != children.begin() && best.positions < int64_t(want.size())) consider(std::prev(at));
  return best;
}

int64_t PrefixCache::walk(const PrefixRoot& root, const PrefixKey& key, int64_t most, std::vector<Node*>& path) const {
  const auto tree = roots_.find(root);
  if (tree == roots_.end()) return 0;
  auto* children = const_cast<Children*>(&tree->second);
  int64_t length = 0;
  while (length < most) {
    const Match match = best_child(*children, key, length, most);
    if (!match.node) break;
    path.push_back(match.node);
    length += match.positions;
    if (match.positions < page_size_) break;
    children = &match.node->children;
  }
  // Windows: back to the last length whose window is there.
  for (int64_t l = 0; l < layout_.layers(); ++l) {
    if (!layout_.sliding(l)) continue;
    for (int64_t i = (length - 1) / page_size_; length > 0 && i >= layout_.kept_from(l, length) / page_size_; --i)
      if (!path[size_t(i)]->chunked) {
        length = i * page_size_;
        i = length / page_size_;  // the loop goes on with the page before
      }
    path.resize(size_t((length + page_size_ - 1) / page_size_));
    break;  // all such layers are of one kind
  }
  if (chunk_ > 0 && length % chunk_ != 0) {
    const int64_t start = length / chunk_ * chunk_;
    for (size_t i = size_t(start / page_size_); i < path.size(); ++i)
      if (!path[i]->chunked) {
        length = start;
        path.resize(size_t(start / page_size_));
      }
  }
  return length;
}

int64_t PrefixCache::peek(const PrefixRoot& root, const PrefixKey& key, int64_t most) const {
  std::vector<Node*> path;
  return walk(root, key, most, path);
}

int64_t PrefixCache::find(const PrefixRoot& root, const PrefixKey& key, int64_t most, KvCache& cache) {
  ++lookups;
  std::vector<Node*> path;
  const int64_t length = walk(root, key, most, path);
  if (length == 0) return 0;
  const int64_t pages = (length + page_size_ - 1) / page_size_;
  for (int64_t l = 0; l < cache.layers(); ++l)  // the last page first: its layer's lists grow once
    for (int64_t i = pages - 1; i >= cache.kept_from(l, length) / page_size_; --i)
      cache.adopt(l, i, path[size_t(i)]->pages[size_t(l)]);
  ++clock_;
  for (Node* node : path) node->used = clock_;
  ++hits;
  hit_tokens += uint64_t(length);
  return length;
}

PrefixCache::Node* PrefixCache::add(Children& children, Node* parent, Block block, int64_t index) {
  auto node = std::make_unique<Node>();
  node->parent = parent;
  node->index = index;
  node->pages.resize(size_t(layout_.layers()));
  all_.push_back(node.get());
  node->place = std::prev(all_.end());
  try {
    const auto at = children.emplace(std::move(block), std::move(node)).first;
    at->second->self = at;
    ++count_;
    return at->second.get();
  } catch (...) {
    all_.pop_back();
    throw;
  }
}

void PrefixCache::keep(const PrefixRoot& root, const PrefixKey& key, int64_t length, const KvCache& cache,
                       bool with_tail) {
  if (most_bytes_ == 0 || cache.is_long()) return;  // LongRoPE: pages are of short sequences
  ++clock_;
  Children* children = &roots_[root];
  Node* parent = nullptr;
  for (int64_t begin = 0; begin < length; begin += page_size_) {
    const int64_t count = std::min(page_size_, length - begin), index = begin / page_size_;
    if (count < page_size_ && !with_tail) break;
    const std::span<const uint64_t> want(key.positions.data() + begin, size_t(count));
    const Match match = best_child(*children, key, begin, begin + count);
    Node* node = match.positions == count ? match.node : nullptr;
    if (!node) {
      for (int64_t l = 0; l < cache.layers(); ++l)
        if (!cache.drops(l) && !cache.page(l, index)) return;
      Block block{{want.begin(), want.end()}, {}};
      for (const PrefixKey::Run& r : key.runs) {
        const int64_t first = std::max(r.position, begin), last = std::min(r.position + r.count, begin + count);
        if (first < last) block.runs.push_back({first - begin, last - first, r.row + first - r.position, r.image});
      }
      const auto same = children->find(want);
      if (same != children->end()) return;  // a hash that stands for two images: the first stays
      node = add(*children, parent, std::move(block), index);
      for (int64_t l = 0; l < cache.layers(); ++l) {
        if (cache.drops(l)) continue;
        node->pages[size_t(l)] = cache.page(l, index);
        bytes_ += layout_.page_bytes(l);
      }
      drop_shorter(*children, *node);
    }
    if (!node->chunked && int64_t(node->self->first.positions.size()) == count) {
      bool all = true;
      for (int64_t l = 0; l < cache.layers(); ++l) all = all && (!cache.drops(l) || cache.page(l, index));
      for (int64_t l = 0; all && l < cache.layers(); ++l) {
        if (!cache.drops(l)) continue;
        node->pages[size_t(l)] = cache.page(l, index);
        bytes_ += layout_.page_bytes(l);
      }
      node->chunked = all;
    }
    node->used = clock_;
    parent = node;
    children = &node->children;
    if (count < page_size_) break;
  }
  trim();
}

// A page that was kept when it was not full is of no use beside the one that has more of the same.
void PrefixCache::drop_shorter(Children& children, const Node& node) {
  if (node.self == children.begin()) return;
  const auto before = std::prev(node.self);
  const std::vector<uint64_t>&a = before->first.positions, &b = node.self->first.positions;
  if (a.size() < b.size() && std::equal(a.begin(), a.end(), b.begin()) && before->first.runs.empty() &&
      node.self->first.runs.empty() && before->second->children.empty())
    remove(*before->second);
}

uint64_t PrefixCache::bytes_of(const Node& node) const noexcept {
  uint64_t bytes = 0;
  for (int64_t l = 0; l < layout_.layers(); ++l)
    if (node.pages[size_t(l)]) bytes += layout_.page_bytes(l);
  return bytes;
}

bool PrefixCache::in_use(const Node& node) const noexcept {
  return std::any_of(node.pages.begin(), node.pages.end(), [](const auto& p) { return p && p.use_count() > 1; });
}

bool PrefixCache::free_chunked(Node& node) {
  if (!node.chunked) return false;
  bool any = false;
  for (int64_t l = 0; l < layout_.layers(); ++l) {
    if (!layout_.drops(l)) continue;
    node.pages[size_t(l)].reset();
    bytes_ -= layout_.page_bytes(l);
    any = true;
  }
  node.chunked = false;
  return any;
}

uint64_t PrefixCache::remove(Node& node) {
  const uint64_t bytes = bytes_of(node);
  bytes_ -= bytes;
  --count_;
  all_.erase(node.place);
  if (node.parent) {
    node.parent->children.erase(node.self);
  } else {
    for (auto tree = roots_.begin(); tree != roots_.end(); ++tree) {
      const auto found = tree->second.find(node.self->first);
      if (found == tree->second.end() || found->second.get() != &node) continue;
      tree->second.erase(found);
      break;
    }
  }
  return bytes;
}

bool PrefixCache::evict(uint64_t bytes) {
  uint64_t freed = 0;
  // Least recently used first. Sorting all of them is some microseconds, and frees what a pass needs at once.
  std::vector<Node*> nodes(all_.begin(), all_.end());
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) {
    return a->used != b->used ? a->used < b->used : a->index > b->index;  // of one path the leaf first
  });
  for (Node* node : nodes) {
    if (freed >= bytes) return true;
    if (!node->chunked || in_use(*node)) continue;
    const uint64_t before = bytes_;
    if (free_chunked(*node)) {
      freed += before - bytes_;
      ++evictions;
    }
  }
  for (Node* node : nodes) {
    if (freed >= bytes) return true;
    if (!node->children.empty() || in_use(*node)) continue;  // the paths' order makes parents leaves in time
    freed += remove(*node);
    ++evictions;
  }
  return freed > 0;
}

void PrefixCache::trim() {
  if (bytes_ <= most_bytes_) return;
  std::vector<Node*> nodes(all_.begin(), all_.end());
  std::sort(nodes.begin(), nodes.end(),
            [](const Node* a, const Node* b) { return a->used != b->used ? a->used < b->used : a->index > b->index; });
  for (Node* node : nodes) {
    if (bytes_ <= most_bytes_) return;
    if (node->used != clock_ && free_chunked(*node)) ++evictions;
  }
  for (Node* node : nodes) {
    if (bytes_ <= most_bytes_) return;
    if (!node->children.empty()) continue;
    remove(*node);
    ++evictions;
  }
}

void PrefixCache::drop_unused_adapters() {
  const auto held_here = [&](const AdapterPtr& adapter) {
    long count = 0;
    for (const auto& [root, children] : roots_)
      for (const AdapterShare& share : root.adapters) count += share.adapter == adapter;
    return count;
  };
  for (auto tree = roots_.begin(); tree != roots_.end();) {
    const std::vector<AdapterShare>& adapters = tree->first.adapters;
    const bool unused = std::any_of(adapters.begin(), adapters.end(), [&](const AdapterShare& a) {
      return a.adapter.use_count() <= held_here(a.adapter);
    });
    if (!unused) {
      ++tree;
      continue;
    }
    while (!tree->second.empty()) {
      Node* node = tree->second.begin()->second.get();
      while (!node->children.empty()) node = node->children.begin()->second.get();
      remove(*node);
    }
    tree = roots_.erase(tree);
  }
}

}  // namespace puna
