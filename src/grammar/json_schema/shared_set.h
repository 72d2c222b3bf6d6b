// shared_set.h -- a set that remembers the order in which its items came, and whose copies share what they had in
// common when they were made. Alternatives are copied by the thousand, and a hostile schema requires a hundred thousand
// keys of each.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace puna::grammar {

template <class T>
class SharedSet {
 public:
  template <class Key>
  bool has(const Key& key) const {
    for (const auto& layer : layers_)
      if (layer->items.find(key) != layer->items.end()) return true;
    return false;
  }
  // False: it was there.
  bool add(T item) {
    if (has(item)) return false;
    if (layers_.empty() || layers_.back().use_count() > 1) layers_.push_back(std::make_shared<Layer>());
    Layer& mine = *layers_.back();
    if (mine.order.size() == mine.order.capacity()) mine.order.reserve(2 * mine.order.size() + 4);
    mine.order.push_back(&*mine.items.insert(std::move(item)).first);
    ++size_;
    return true;
  }
  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& layer : layers_)
      for (const T* item : layer->order) f(*item);
  }

 private:
  struct Layer {
    std::set<T, std::less<>> items;
    std::vector<const T*> order;  // into items
  };
  std::vector<std::shared_ptr<Layer>> layers_;  // only the last one grows, and only while nobody shares it
  size_t size_ = 0;
};

}  // namespace puna::grammar
