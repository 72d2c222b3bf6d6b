// best_of.h -- the probability that each of several independent uncertain rates is the largest.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace puna::ads {

// Of Beta(a[k], b[k]): the integral of density k times the others' distribution functions, in log odds.
void best_of_betas(std::span<double> p, std::span<const double> a, std::span<const double> b);

// Of normals mean[k] + shared[k] z0 + own[k] z_k, by the same 2,048 draws of z for every question. Draws are kept.
class BestOfNormals {
 public:
  void operator()(std::span<double> p, std::span<const double> mean, std::span<const double> shared,
                  std::span<const double> own);

 private:
  static constexpr int kDraws = 2048;
  void draw(size_t columns);
  std::vector<float> z_;            // [columns][kDraws], the first is z0
  std::vector<double> best_, who_;  // [kDraws]; who is a number of a variant, as wide as the other
};

}  // namespace puna::ads
