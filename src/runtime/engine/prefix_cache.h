// prefix_cache.h -- keys and values of prompts that were read before, by what stood in them: a tree whose nodes are
// pages (a node: the positions of one page in every layer). A prefix that is found costs no pass. Pages are shared with
// the sessions that use them; whoever writes into one copies it first (KvCache), so a node never changes.
//
// Which adapters made the pages, and the caller's salt, choose the tree; mode and type of keys are the engine's own.
// Positions are compared token by token, those that images fill by the image's content. Within a page any number of
// leading positions can be found. Layers with chunked attention need the pages of the last chunk alone: where eviction
// has dropped those, what is found is cut to the chunk's start, which needs none of them.
//
// One thread at a time: the engine's stepping one.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "puna/model/kv_cache.h"
#include "puna/runtime/engine.h"
#include "puna/runtime/image.h"

namespace puna {

// What fills a prompt's positions, as the cache compares it: the token's id, or a hash of image and row with the
// highest bit set. The runs say the same exactly.
struct PrefixKey {
  struct Run {
    int64_t position, count, row;
    ImageId image;
  };
  std::vector<uint64_t> positions;
  std::vector<Run> runs;
  explicit PrefixKey(const PromptView& prompt);
  PrefixKey() = default;
};

uint64_t filled_position(const ImageId& image, int64_t row) noexcept;

struct PrefixRoot {  // which tree
  std::vector<AdapterShare> adapters;
  std::string salt;
  bool operator<(const PrefixRoot& o) const noexcept;
};

class PrefixCache {
 public:
  PrefixCache(const ModelPtr& model, DType kv_type, uint64_t most_bytes);
  ~PrefixCache();

  // The most leading positions of `key`, at most `most`, whose pages are there: put into `cache`, which is empty.
  int64_t find(const PrefixRoot& root, const PrefixKey& key, int64_t most, KvCache& cache);
  // How many that would be; nothing is counted or touched.
  int64_t peek(const PrefixRoot& root, const PrefixKey& key, int64_t most) const;
  // Keeps the pages of positions [0, length), which `cache` holds; of a page that is not full only at the end of all.
  // What is there already stays. `from`: positions before are known to be kept.
  void keep(const PrefixRoot& root, const PrefixKey& key, int64_t length, const KvCache& cache, bool with_tail);

  // Frees at least this much memory if it can, of pages that no session uses: those of chunked layers first, then the
  // least recently used leaves. False: nothing was left to free.
  bool evict(uint64_t bytes);
  void clear();
  void drop_unused_adapters();  // that nobody but the cache holds

  uint64_t bytes() const noexcept { return bytes_; }
  uint64_t nodes() const noexcept { return count_; }
  uint64_t lookups = 0, hits = 0, hit_tokens = 0, evictions = 0;

  std::vector<std::byte> save(uint64_t mode) const;              // prefix_file.cpp
  void restore(std::span<const std::byte> from, uint64_t mode);  // adds to what is there

 private:
  struct Block {  // of a page: what stands in its positions
    std::vector<uint64_t> positions;
    std::vector<PrefixKey::Run> runs;  // from the page's start
  };
  struct Node;
  struct Less {
    using is_transparent = void;
    bool operator()(const Block& a, const Block& b) const noexcept { return (*this)(std::span(a.positions), b); }
    bool operator()(std::span<const uint64_t> a, const Block& b) const noexcept;
    bool operator()(const Block& a, std::span<const uint64_t> b) const noexcept;
  };
  using Children = std::map<Block, std::unique_ptr<Node>, Less>;
  struct Node {
    Node* parent = nullptr;
    Children::iterator self;                     // in the parent's children
    int64_t index = 0;                           // of the page
    std::vector<std::shared_ptr<Buffer>> pages;  // of each layer; chunked ones may be NULL
    bool chunked = false;                        // those are there
    uint64_t used = 0;                           // when last, in calls
    Children children;
    std::list<Node*>::iterator place;
  };
  struct Match {
    Node* node;
    int64_t positions;  // that are the same
  };
  Match best_child(Children& children, const PrefixKey& key, int64_t begin, int64_t end) const;
  // The nodes of the longest match, and its length; cut where chunked pages are missing.
  int64_t walk(const PrefixRoot& root, const PrefixKey& key, int64_t most, std::vector<Node*>& path) const;
  Node* add(Children& children, Node* parent, Block block, int64_t index);
  void drop_shorter(Children& children, const Node& node);
  bool free_chunked(Node& node);
  uint64_t remove(Node& node);  // bytes of pages
  void trim();                  // to most_bytes_
  uint64_t bytes_of(const Node& node) const noexcept;
  bool in_use(const Node& node) const noexcept;

  ModelPtr model_;
  DType type_;
  uint64_t most_bytes_;
  int64_t page_size_, chunk_;
  KvCache layout_;  // empty: which layers are chunked, bytes of a page
  std::map<PrefixRoot, Children> roots_;
  std::list<Node*> all_;
  uint64_t bytes_ = 0, count_ = 0;
  mutable uint64_t clock_ = 0;
};

}  // namespace puna
