// content_tower.h -- embeddings for items without interactions (cold start): from their content
// (a text's pooled hidden states by one of our language models, runtime/embed.h) by the linear map that fits the items
// that were learned best.
//   embedding = mean_y + W (content - mean_x),   W = argmin sum |y - W x|^2 + ridge * n |W|^2      over n items,
//                                                centred (ridge regression)
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::recsys {

class ContentTower {
 public:
  // contents [n][content_dim] and embeddings [n][dim] of learned items; weights [n], e.g. how often each was taken, or
  // none. Takes content_dim^2 doubles and n content_dim^2 + content_dim^3 / 6 steps. Error{invalid_argument} naming the
  // item or the option.
  static ContentTower fit(std::span<const float> contents, int64_t content_dim, std::span<const float> embeddings,
                          int64_t dim, double ridge, std::span<const float> weights = {});

  // Embeddings [count][dim] of contents [count][content_dim].
  std::vector<float> embed(std::span<const float> contents) const;
  int64_t content_dim() const noexcept { return int64_t(mean_content_.size()); }
  int64_t dim() const noexcept { return int64_t(mean_embedding_.size()); }

 private:
  std::vector<double> mean_content_, mean_embedding_, map_;  // map_: [content_dim][dim]
};

}  // namespace puna::recsys
