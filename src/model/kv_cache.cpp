#include "puna/model/kv_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/kernel_table.h"

namespace puna {

KvCache::KvCache(const LlamaConfig& c, std::shared_ptr<Allocator> allocator, bool f16)
    : allocator_(std::move(allocator)),
      layers_(size_t(c.layers)),
      page_size_(c.page_size()),
      chunk_(c.chunk),
      kv_heads_(c.kv_heads),
      head_dim_(c.head_dim),
      element_bytes_(f16 ? 2 : 4),
      f16_(f16) {
  for (int64_t l = 0; l < c.layers; ++l) layers_[size_t(l)].chunked = c.chunked(l);
}

int64_t KvCache::key_elements() const noexcept { return kv_heads_ * ((page_size_ + 15) / 16 * 16) * head_dim_; }
size_t KvCache::page_bytes() const noexcept { return size_t((key_elements() + kv_heads_ * page_size_ * head_dim_) * element_bytes_); }

void KvCache::set_page(Layer& layer, size_t index, std::shared_ptr<Buffer> page) {
  layer.k[index] = page ? page->data() : nullptr;
  layer.v[index] = page ? page->data() + key_elements() * element_bytes_ : nullptr;
  layer.page[index] = std::move(page);
}

void KvCache::prepare_layer(Layer& layer, int64_t begin, int64_t end) {
  const size_t first = size_t(begin / page_size_), last = size_t((end + page_size_ - 1) / page_size_), bytes = page_bytes();
  if (layer.page.size() < last) {
    layer.k.resize(last);
    layer.v.resize(last);
    layer.page.resize(last);
  }
  for (size_t i = first; i < last; ++i) {
    const std::shared_ptr<Buffer>& old = layer.page[i];
    if (old && old.use_count() == 1) {
      std::atomic_thread_fence(std::memory_order_acquire);  // the fork that let go of it on another thread has finished reading
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
  for (size_t l = 0; l < layers_.size(); ++l) prepare_layer(layers_[l], kept_from(int64_t(l), length), length);
}

int64_t KvCache::kept_from(int64_t layer, int64_t length) const noexcept {
  return layers_[size_t(layer)].chunked ? length / chunk_ * chunk_ : 0;
}

uint64_t KvCache::bytes_for(const LlamaConfig& c, bool f16, int64_t positions, int64_t rows) {
  const int64_t page = c.page_size(), whole = (positions + page - 1) / page;
  int64_t chunked = whole;  // of a chunked layer: what was kept before a pass and what the pass adds
  if (c.chunk > 0) {
    chunked = 0;
    for (int64_t begin = 0; begin < positions; begin += rows) {
      const int64_t end = std::min(begin + rows, positions);
      chunked = std::max(chunked, (end + page - 1) / page - begin / c.chunk * c.chunk / page);
    }
  }
  uint64_t pages = 0;
  for (int64_t l = 0; l < c.layers; ++l) pages += uint64_t(c.chunked(l) ? chunked : whole);
  return pages * KvCache(c, nullptr, f16).page_bytes();
}

void KvCache::commit(int64_t length) {
  for (Layer& layer : layers_) {
    if (!layer.chunked) continue;
    const size_t visible = std::min(size_t(length / chunk_ * chunk_ / page_size_), layer.page.size());
    for (size_t i = 0; i < visible; ++i)
      if (layer.page[i]) set_page(layer, i, nullptr);
  }
}

int64_t KvCache::rewind(int64_t length) {
  int64_t start = length;
  for (const Layer& layer : layers_) {
    if (!layer.chunked || length % chunk_ == 0) continue;
    const size_t page = size_t(length / chunk_ * chunk_ / page_size_);
    if (page >= layer.page.size() || !layer.page[page]) start = length / chunk_ * chunk_;
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
  for (const Layer& layer : layers_)
    for (const auto& p : layer.page) total += p ? p->size() : 0;
  return total;
}

int64_t KvCache::pages(int64_t layer) const noexcept {
  const auto& p = layers_[size_t(layer)].page;
  return std::count_if(p.begin(), p.end(), [](const auto& page) { return page != nullptr; });
}

KvCache::Place KvCache::place(int64_t layer, int64_t position, int64_t head) const noexcept {
  const Layer& l = layers_[size_t(layer)];
  const int64_t page = position / page_size_, at = position % page_size_, tiles = (page_size_ + 15) / 16;
  const int64_t k = ((head * tiles + at / 16) * head_dim_) * 16 + at % 16, v = (head * page_size_ + at) * head_dim_;
  return {static_cast<std::byte*>(const_cast<void*>(l.k[size_t(page)])) + k * element_bytes_,
          static_cast<std::byte*>(const_cast<void*>(l.v[size_t(page)])) + v * element_bytes_};
}

void KvCache::copy_out(int64_t layer, int64_t position, int64_t head, std::byte* to) const noexcept {
  const Place p = place(layer, position, head);
  const size_t e = size_t(element_bytes_);
  for (int64_t i = 0; i < head_dim_; ++i, to += e) memcpy(to, p.key + size_t(i) * 16 * e, e);
  memcpy(to, p.value, size_t(head_dim_) * e);
}

void KvCache::copy_in(int64_t layer, int64_t position, int64_t head, const std::byte* from) const noexcept {
  const Place p = place(layer, position, head);
  const size_t e = size_t(element_bytes_);
  for (int64_t i = 0; i < head_dim_; ++i, from += e) memcpy(p.key + size_t(i) * 16 * e, from, e);
  memcpy(p.value, from, size_t(head_dim_) * e);
}

void KvCache::store(const KernelTable& kernels, int64_t layer, int64_t position, int64_t head, const float* key, const float* value) const noexcept {
  const Place p = place(layer, position, head);
  if (!f16_) {
    for (int64_t i = 0; i < head_dim_; ++i) reinterpret_cast<float*>(p.key)[i * 16] = key[i];
    memcpy(p.value, value, size_t(head_dim_) * 4);
    return;
  }
  kernels.to_f16(reinterpret_cast<uint16_t*>(p.value), value, head_dim_);
  for (int64_t i0 = 0; i0 < head_dim_; i0 += 64) {
    uint16_t half[64];
    const int64_t n = std::min<int64_t>(64, head_dim_ - i0);
    kernels.to_f16(half, key + i0, n);
    for (int64_t i = 0; i < n; ++i) reinterpret_cast<uint16_t*>(p.key)[(i0 + i) * 16] = half[i];
  }
}

}  // namespace puna
