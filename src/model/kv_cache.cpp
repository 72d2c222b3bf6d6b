#include "puna/model/kv_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "kernels/encode_blocks.h"
#include "kernels/kernel_table.h"
#include "puna/base/error.h"

namespace puna {
namespace {

// Of a page that is ours alone now: the fork that released it, perhaps on another thread, has finished reading it
// before we write.
void acquire(const std::shared_ptr<Buffer>& page) noexcept {
#ifdef __SANITIZE_THREAD__
  const std::shared_ptr<Buffer> counted = page;  // ThreadSanitizer does not know fences, but what counting up orders
#else
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}

}  // namespace

KvCache::KvCache(const LlamaConfig& c, std::shared_ptr<Allocator> allocator, DType type)
    : allocator_(std::move(allocator)),
      layers_(size_t(c.kv_layers())),
      page_size_(c.page_size()),
      type_(type),
      long_from_(c.long_frequency.empty() ? 0 : c.long_from) {
  PUNA_REQUIRE(type == DType::f32 || type == DType::f16 || type == DType::q8_0,
               "keys and values are kept in f32, f16 or q8_0, not in %s", info(type).name);
  for (int64_t l = 0; l < c.kv_layers(); ++l) {
    Layer& layer = layers_[size_t(l)];
    layer.chunk = c.chunked(l) ? c.chunk : 0;
    layer.window = c.sliding(l) ? c.window : 0;
    layer.kv_heads = c.kv_heads_of(l);
    layer.head_dim = c.head_dim_of(l);
    if (layer.head_dim % info(type).block != 0)
      fail(Status::unsupported, "keys and values in q8_0 need a head_dim that is a multiple of 32, this model's is %jd",
           layer.head_dim);
    layer.number_bytes = int64_t(bytes_of(info(type), uint64_t(layer.head_dim)));
  }
}

int64_t KvCache::key_bytes(const Layer& layer) const noexcept {
  return layer.kv_heads * ((page_size_ + 15) / 16 * 16) * layer.number_bytes;
}

void KvCache::set_page(Layer& layer, size_t index, std::shared_ptr<Buffer> page) {
  layer.k[index] = page ? page->data() : nullptr;
  layer.v[index] = page ? page->data() + key_bytes(layer) : nullptr;
  layer.page[index] = std::move(page);
}

void KvCache::prepare_layer(Layer& layer, int64_t begin, int64_t end) {
  const size_t first = size_t(begin / page_size_), last = size_t((end + page_size_ - 1) / page_size_),
               bytes = page_bytes(layer);
  if (layer.page.size() < last) {
    layer.k.resize(last);
    layer.v.resize(last);
    layer.page.resize(last);
  }
  for (size_t i = first; i < last; ++i) {
    const std::shared_ptr<Buffer>& old = layer.page[i];
    if (old && old.use_count() == 1) {
      acquire(old);
      continue;
    }
    auto page = std::make_shared<Buffer>(allocator_, bytes, "a page of keys and values");
    if (old) memcpy(page->data(), old->data(), bytes);
    set_page(layer, i, std::move(page));
  }
}

void KvCache::prepare(int64_t begin, int64_t end) {
  for (Layer& layer : layers_) prepare_layer(layer, begin, end);
}

void KvCache::prepare_kept(int64_t length) {
  set_length(length);
  for (size_t l = 0; l < layers_.size(); ++l) prepare_layer(layers_[l], kept_from(int64_t(l), length), length);
}

int64_t KvCache::kept_from(int64_t layer, int64_t length) const noexcept {
  const Layer& l = layers_[size_t(layer)];
  if (l.chunk > 0) return length / l.chunk * l.chunk;
  return l.window > 0 ? std::max<int64_t>(0, length - l.window + 1) / page_size_ * page_size_ : 0;
}

int64_t KvCache::dropped_below(int64_t layer, int64_t length, int64_t ahead) const noexcept {
  const int64_t slack = std::max<int64_t>(0, kSlack - ahead);
  return kept_from(layer, sliding(layer) ? std::max<int64_t>(0, length - slack) : length);
}

uint64_t KvCache::bytes_for(const LlamaConfig& c, DType type, int64_t positions, int64_t rows) {
  const int64_t page = c.page_size(), whole = (positions + page - 1) / page;
  const KvCache layout(c, nullptr, type);
  uint64_t bytes = 0;
  int64_t most = 0;  // pages of a layer that drops some, all of one kind: what was kept before a pass and what it adds
  for (int64_t l = 0; l < layout.layers(); ++l) {
    for (int64_t begin = layout.drops(l) && most == 0 ? 0 : positions; begin < positions; begin += rows) {
      const int64_t end = std::min(begin + rows, positions);
      most = std::max(most, (end + page - 1) / page - layout.dropped_below(l, begin) / page);
    }
    bytes += uint64_t(layout.drops(l) ? most : whole) * layout.page_bytes(l);
  }
  return bytes;
}

void KvCache::commit(int64_t length, int64_t may_return, int64_t ahead) {
  for (size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    if (!drops(int64_t(l))) continue;
    const size_t visible = std::min(size_t(dropped_below(int64_t(l), length, ahead) / page_size_), layer.page.size());
    for (size_t i = 0; i < visible; ++i) {
      if (!layer.page[i]) continue;
      if (int64_t(i) * page_size_ < may_return) layer.aside.emplace_back(i, layer.page[i]);
      set_page(layer, i, nullptr);
    }
  }
}

bool KvCache::settle() noexcept {
  bool any = false;
  for (Layer& layer : layers_) {
    any = any || !layer.aside.empty();
    layer.aside.clear();
  }
  return any;
}

int64_t KvCache::rewind(int64_t length) {
  for (Layer& layer : layers_)
    for (auto& [index, page] : layer.aside) set_page(layer, index, std::move(page));
  settle();
  int64_t start = length;
  for (const Layer& layer : layers_) {
    const auto gone = [&](int64_t position) {
      const size_t page = size_t(position / page_size_);
      return page >= layer.page.size() || !layer.page[page];
    };
    if (layer.chunk > 0 && length % layer.chunk != 0 && gone(length / layer.chunk * layer.chunk))
      start = std::min(start, length / layer.chunk * layer.chunk);
    if (layer.window > 0 && length > 0 && gone(std::max<int64_t>(0, length - layer.window + 1))) start = 0;
  }
  if (!fits(length)) {
    start = 0;
    set_length(length);
  }
  const size_t kept = size_t((start + page_size_ - 1) / page_size_);
  for (Layer& layer : layers_) {
    if (layer.page.size() <= kept) continue;
    layer.page.resize(kept);
    layer.k.resize(kept);
    layer.v.resize(kept);
  }
  return start;
}

uint64_t KvCache::bytes() const noexcept {
  uint64_t total = 0;
  for (const Layer& layer : layers_) {
    for (const auto& p : layer.page) total += p ? p->size() : 0;
    for (const auto& [index, p] : layer.aside) total += p->size();
  }
  return total;
}

int64_t KvCache::pages(int64_t layer) const noexcept {
  const auto& p = layers_[size_t(layer)].page;
  return std::count_if(p.begin(), p.end(), [](const auto& page) { return page != nullptr; });
}

std::shared_ptr<Buffer> KvCache::page(int64_t layer, int64_t index) const noexcept {
  const auto& pages = layers_[size_t(layer)].page;
  return size_t(index) < pages.size() ? pages[size_t(index)] : nullptr;
}

void KvCache::adopt(int64_t layer, int64_t index, std::shared_ptr<Buffer> page) {
  Layer& l = layers_[size_t(layer)];
  if (l.page.size() <= size_t(index)) {
    l.k.resize(size_t(index) + 1);
    l.v.resize(size_t(index) + 1);
    l.page.resize(size_t(index) + 1);
  }
  set_page(l, size_t(index), std::move(page));
}

KvCache::Place KvCache::place(const Layer& layer, int64_t position, int64_t head) const noexcept {
  const int64_t at = position % page_size_, tiles = (page_size_ + 15) / 16;
  return {.page = size_t(position / page_size_),
          .tile = (head * tiles + at / 16) * 16 * layer.number_bytes,
          .value = key_bytes(layer) + (head * page_size_ + at) * layer.number_bytes,
          .at = at % 16};
}

// The parts in which 16 keys are interleaved, f(bytes) each: a number, or of a block its scale and then a byte a
// number.
template <class F>
void KvCache::each_part(int64_t numbers, F&& f) const {
  if (type_ == DType::f32) {
    for (int64_t i = 0; i < numbers; ++i) f(std::integral_constant<size_t, 4>());
  } else if (type_ == DType::f16) {
    for (int64_t i = 0; i < numbers; ++i) f(std::integral_constant<size_t, 2>());
  } else {
    for (int64_t i = 0; i < numbers; ++i) {
      if (i % 32 == 0) f(std::integral_constant<size_t, 2>());
      f(std::integral_constant<size_t, 1>());
    }
  }
}

void KvCache::encode(const KernelTable& kernels, std::byte* to, const float* from, int64_t numbers) const noexcept {
  if (type_ == DType::f32)
    memcpy(to, from, size_t(numbers) * 4);
  else if (type_ == DType::f16)
    kernels.to_f16(reinterpret_cast<uint16_t*>(to), from, numbers);
  else
    encoder(DType::q8_0)(to, from, numbers, nullptr);
}

void KvCache::scatter(std::byte*& tile, int64_t at, const std::byte* from, int64_t numbers) const noexcept {
  each_part(numbers, [&](auto bytes) {
    memcpy(tile + size_t(at) * bytes, from, bytes);
    from += bytes;
    tile += 16 * bytes;
  });
}

void KvCache::copy_out(int64_t layer, int64_t position, int64_t head, std::byte* to) const noexcept {
  const Layer& L = layers_[size_t(layer)];
  const Place p = place(L, position, head);
  const std::byte* const page = std::as_const(*L.page[p.page]).data();
  memcpy(to + L.number_bytes, page + p.value, size_t(L.number_bytes));
  each_part(L.head_dim, [&, tile = page + p.tile](auto bytes) mutable {
    memcpy(to, tile + size_t(p.at) * bytes, bytes);
    to += bytes;
    tile += 16 * bytes;
  });
}

void KvCache::copy_in(int64_t layer, int64_t position, int64_t head, const std::byte* from) noexcept {
  const Layer& L = layers_[size_t(layer)];
  const Place p = place(L, position, head);
  std::byte* const page = L.page[p.page]->data();
  std::byte* tile = page + p.tile;
  scatter(tile, p.at, from, L.head_dim);
  memcpy(page + p.value, from + L.number_bytes, size_t(L.number_bytes));
}

void KvCache::store(const KernelTable& kernels, int64_t layer, int64_t position, int64_t head, const float* key,
                    const float* value) noexcept {
  constexpr int64_t kPiece = 64;  // a multiple of every type's block
  const Layer& L = layers_[size_t(layer)];
  const Place p = place(L, position, head);
  std::byte* const page = L.page[p.page]->data();
  std::byte* tile = page + p.tile;
  encode(kernels, page + p.value, value, L.head_dim);
  std::byte piece[kPiece * 4];
  for (int64_t i = 0; i < L.head_dim; i += kPiece) {
    const int64_t n = std::min(kPiece, L.head_dim - i);
    encode(kernels, piece, key + i, n);
    scatter(tile, p.at, piece, n);
  }
}

}  // namespace puna
