// kv_cache.h -- keys and values of one sequence, in reference-counted pages addressed by absolute position, a list a layer.
// Forks share pages until one writes (copy on write). Chunked layers let go of pages that no later position can see.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "puna/base/allocator.h"
#include "puna/model/config.h"

namespace puna {

struct KernelTable;

class KvCache {
 public:
  KvCache(const LlamaConfig& config, std::shared_ptr<Allocator> allocator, bool f16);
  KvCache(const KvCache&) = default;  // a fork: shares every page
  KvCache& operator=(const KvCache&) = default;

  // Makes positions [begin, end) writable on every layer. Error{out_of_memory}; already written positions stay as they are.
  void prepare(int64_t begin, int64_t end);
  // Ends a pass: positions [0, length) are final. Chunked layers drop the pages before the chunk of `length`.
  void commit(int64_t length);
  // The largest position from which a pass may go on so that [0, length) is complete again: `length`, or the start of its
  // chunk when that chunk's pages were dropped. Pages past it are let go.
  int64_t rewind(int64_t length);

  // The first position that commit(length) keeps of a layer; and the pages it would keep, made anew (to be filled: a snapshot).
  int64_t kept_from(int64_t layer, int64_t length) const noexcept;
  void prepare_kept(int64_t length);
  // The most bytes a sequence of `positions` holds at once, when a pass has at most `rows` of them.
  static uint64_t bytes_for(const LlamaConfig& config, bool f16, int64_t positions, int64_t rows);

  bool f16() const noexcept { return f16_; }
  int64_t page_size() const noexcept { return page_size_; }
  uint64_t bytes() const noexcept;        // held by this sequence, shared pages counted whole
  int64_t pages(int64_t layer) const noexcept;

  const void* const* keys(int64_t layer) const noexcept { return layers_[size_t(layer)].k.data(); }
  const void* const* values(int64_t layer) const noexcept { return layers_[size_t(layer)].v.data(); }
  // Keeps the key and the value [head_dim] of head h at a position inside the prepared range.
  void store(const KernelTable& kernels, int64_t layer, int64_t position, int64_t head, const float* key, const float* value) const noexcept;
  // The same as it is kept, row_bytes(): key, then value, in the cache's element type.
  size_t row_bytes() const noexcept { return size_t(2 * head_dim_ * element_bytes_); }
  void copy_out(int64_t layer, int64_t position, int64_t head, std::byte* to) const noexcept;
  void copy_in(int64_t layer, int64_t position, int64_t head, const std::byte* from) const noexcept;

 private:
  struct Layer {
    std::vector<std::shared_ptr<Buffer>> page;  // keys then values, as KvPages says; NULL = not there
    std::vector<const void*> k, v;              // page[i]'s halves
    bool chunked = false;
  };
  struct Place { std::byte *key, *value; };     // a key's elements lie 16 apart, a value's side by side
  Place place(int64_t layer, int64_t position, int64_t head) const noexcept;
  int64_t key_elements() const noexcept;        // of a page
  size_t page_bytes() const noexcept;
  void set_page(Layer& layer, size_t index, std::shared_ptr<Buffer> page);
  void prepare_layer(Layer& layer, int64_t begin, int64_t end);

  std::shared_ptr<Allocator> allocator_;
  std::vector<Layer> layers_;
  int64_t page_size_, chunk_, kv_heads_, head_dim_, element_bytes_;
  bool f16_;
};

}  // namespace puna
