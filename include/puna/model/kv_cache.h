// kv_cache.h -- keys and values of one sequence, in reference-counted pages addressed by absolute position, a list a
// layer that has its own (LlamaConfig::kv_layers). Layers may differ in the number and size of their heads. Forks share
// pages until one writes (copy on write). Chunked and sliding-window layers drop pages that no later position can see.
#pragma once
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "puna/base/allocator.h"
#include "puna/base/dtype.h"
#include "puna/model/config.h"

namespace puna {

struct KernelTable;

class KvCache {
 public:
  // type: f32, f16 or q8_0 (blocks of 32 numbers with one scale). Error{unsupported} where q8_0 does not divide
  // head_dim.
  KvCache(const LlamaConfig& config, std::shared_ptr<Allocator> allocator, DType type);
  KvCache(const KvCache&) = default;  // a fork: shares every page
  KvCache& operator=(const KvCache&) = default;
  KvCache(KvCache&&) noexcept = default;
  KvCache& operator=(KvCache&&) noexcept = default;

  // Makes positions [begin, end) writable on every layer. Error{out_of_memory}; already written positions stay as they
  // are.
  void prepare(int64_t begin, int64_t end);
  // Ends a pass: positions [0, length) are final. Chunked layers drop the pages before the chunk of `length`, sliding
  // ones those before the window and kSlack positions more; those of positions below `may_return` they only put aside,
  // until rewind() puts them back or settle() drops them. `ahead`: positions that will follow whatever happens, so nobody
  // comes back to this length: they make the slack smaller.
  void commit(int64_t length, int64_t may_return = 0, int64_t ahead = 0);
  bool settle() noexcept;  // false: nothing was put aside
  // The largest position from which a pass may go on so that [0, length) is complete again: `length`; the start of its
  // chunk when that chunk's pages were dropped; 0 when pages of a window were, or where LongRoPE turns to other
  // frequencies. Pages past it are dropped, those put aside return.
  int64_t rewind(int64_t length);
  static constexpr int64_t kSlack = 64;  // positions that a sliding layer can be rewound by without computing all again

  // The first position of a page that later ones of a layer can see; and such pages, made anew (to be filled: a
  // snapshot).
  int64_t kept_from(int64_t layer, int64_t length) const noexcept;
  void prepare_kept(int64_t length);
  // The most bytes a sequence of `positions` holds at once, when a pass has at most `rows` of them.
  static uint64_t bytes_for(const LlamaConfig& config, DType type, int64_t positions, int64_t rows);

  // LongRoPE: whether keys are rotated by the frequencies of long sequences, as those of more positions than
  // LlamaConfig::long_from are. False when a sequence of `length` asks for others than what was written: all must be
  // computed again, from rewind(0) on.
  bool is_long() const noexcept { return is_long_; }
  bool fits(int64_t length) const noexcept { return is_long_ == (long_from_ > 0 && length > long_from_); }
  void set_length(int64_t length) noexcept { is_long_ = long_from_ > 0 && length > long_from_; }

  DType type() const noexcept { return type_; }
  int64_t page_size() const noexcept { return page_size_; }
  uint64_t bytes() const noexcept;  // held by this sequence, shared pages counted whole
  int64_t pages(int64_t layer) const noexcept;
  size_t page_bytes(int64_t layer) const noexcept { return page_bytes(layers_[size_t(layer)]); }
  int64_t kv_heads(int64_t layer) const noexcept { return layers_[size_t(layer)].kv_heads; }

  // A page by its index in the sequence, to be shared with others; NULL = not there. What one of them writes into is
  // copied first.
  std::shared_ptr<Buffer> page(int64_t layer, int64_t index) const noexcept;
  void adopt(int64_t layer, int64_t index, std::shared_ptr<Buffer> page);
  bool chunked(int64_t layer) const noexcept { return layers_[size_t(layer)].chunk > 0; }
  bool sliding(int64_t layer) const noexcept { return layers_[size_t(layer)].window > 0; }
  bool drops(int64_t layer) const noexcept { return chunked(layer) || sliding(layer); }
  int64_t layers() const noexcept { return int64_t(layers_.size()); }

  const void* const* keys(int64_t layer) const noexcept { return layers_[size_t(layer)].k.data(); }
  const void* const* values(int64_t layer) const noexcept { return layers_[size_t(layer)].v.data(); }
  // Keeps the key and the value [head_dim] of head h at a position inside the prepared range.
  void store(const KernelTable& kernels, int64_t layer, int64_t position, int64_t head, const float* key,
             const float* value) noexcept;
  // The same as it is kept, row_bytes(layer): key, then value, each a row of the cache's type.
  size_t row_bytes(int64_t layer) const noexcept { return size_t(2 * layers_[size_t(layer)].number_bytes); }
  size_t position_bytes(int64_t layer) const noexcept { return size_t(kv_heads(layer)) * row_bytes(layer); }
  void copy_out(int64_t layer, int64_t position, int64_t head, std::byte* to) const noexcept;
  void copy_in(int64_t layer, int64_t position, int64_t head, const std::byte* from) noexcept;

 private:
  struct Layer {
    std::vector<std::shared_ptr<Buffer>> page;  // keys then values, as KvPages says; NULL = not there
    std::vector<const void*> k, v;              // page[i]'s halves
    std::vector<std::pair<size_t, std::shared_ptr<Buffer>>> aside;  // index and page
    int64_t chunk = 0, window = 0;                                  // what it sees of the positions before; 0 = all
    int64_t kv_heads = 0, head_dim = 0;
    int64_t number_bytes = 0;  // of one key or value
  };
  int64_t dropped_below(int64_t layer, int64_t length, int64_t ahead = 0) const noexcept;  // by commit(length)
  struct Place {
    size_t page;
    // Bytes from the page's start: 16 keys interleaved part by part (each_part); a value in one piece.
    int64_t tile, value;
    int64_t at;  // which key
  };
  Place place(const Layer& layer, int64_t position, int64_t head) const noexcept;
  template <class F>
  void each_part(int64_t numbers, F&& f) const;
  void encode(const KernelTable& kernels, std::byte* to, const float* from, int64_t numbers) const noexcept;
  void scatter(std::byte*& tile, int64_t at, const std::byte* from, int64_t numbers) const noexcept;  // moves tile on
  int64_t key_bytes(const Layer& layer) const noexcept;                                               // of a page
  size_t page_bytes(const Layer& layer) const noexcept {
    return size_t(key_bytes(layer) + layer.kv_heads * page_size_ * layer.number_bytes);
  }
  void set_page(Layer& layer, size_t index, std::shared_ptr<Buffer> page);
  void prepare_layer(Layer& layer, int64_t begin, int64_t end);

  std::shared_ptr<Allocator> allocator_;
  std::vector<Layer> layers_;
  int64_t page_size_;
  DType type_;
  int64_t long_from_ = 0;
  bool is_long_ = false;
};

}  // namespace puna
