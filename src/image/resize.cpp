#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace puna {
namespace {

// Output i is (sum over j of weight[i][j] * input[first[i] + j] + half) >> bits.
struct Taps {
  std::vector<int64_t> first, count;
  std::vector<int16_t> weight;  // [outputs][most]
  int64_t most = 0;
  int bits = 0;
  const int16_t* weights(int64_t i) const noexcept { return weight.data() + i * most; }
};

// Weights of one output as a triangle over the inputs, in double; returns how many.
int64_t triangle(double* weight, int64_t& first, int64_t i, double scale, double support, int64_t inputs,
                 int64_t most) {
  const double center = scale * (double(i) + 0.5), sharpness = scale >= 1.0 ? 1.0 / scale : 1.0;
  first = std::max<int64_t>(int64_t(center - support + 0.5), 0);
  const int64_t count =
      std::clamp<int64_t>(std::min<int64_t>(int64_t(center + support + 0.5), inputs) - first, 1, most);
  double total = 0;
  for (int64_t j = 0; j < count; ++j) {
    weight[j] = std::max(0.0, 1.0 - std::fabs((double(j + first) - center + 0.5) * sharpness));
    total += weight[j];
  }
  for (int64_t j = 0; j < count && total != 0; ++j) weight[j] /= total;
  return count;
}

// As many bits as let the largest weight fit 16.
int precision_for(double largest) {
  int bits = 0;
  while (bits < 22 && int64_t(0.5 + largest * double(int64_t(1) << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

Taps taps_for(int64_t inputs, int64_t outputs) {
  const double scale = double(inputs) / double(outputs), support = scale >= 1.0 ? scale : 1.0;
  Taps t;
  t.most = int64_t(std::ceil(support)) * 2 + 1;
  std::vector<double> exact(size_t(outputs * t.most));
  for (int64_t i = 0; i < outputs; ++i) {
    int64_t first = 0;
    t.count.push_back(triangle(exact.data() + i * t.most, first, i, scale, support, inputs, t.most));
    t.first.push_back(first);
  }
  t.bits = precision_for(*std::max_element(exact.begin(), exact.end()));
  for (const double w : exact) t.weight.push_back(int16_t(w * double(int64_t(1) << t.bits) + 0.5));
  return t;
}

uint8_t to_byte(int32_t sum, int bits) noexcept { return uint8_t(std::clamp(sum >> bits, 0, 255)); }

void resize_row(uint8_t* to, const uint8_t* from, const Taps& t) {
  const int32_t half = t.bits > 0 ? 1 << (t.bits - 1) : 0;
  for (size_t i = 0; i < t.first.size(); ++i, to += 3) {
    const uint8_t* p = from + 3 * t.first[i];
    const int16_t* w = t.weights(int64_t(i));
    int32_t sum[3] = {half, half, half};
    for (int64_t j = 0; j < t.count[i]; ++j, p += 3)
      for (int c = 0; c < 3; ++c) sum[c] += w[j] * p[c];
    for (int c = 0; c < 3; ++c) to[c] = to_byte(sum[c], t.bits);
  }
}

// Row y of the result from rows of `from`, a strip of bytes at a time.
void resize_column_row(uint8_t* to, const PictureView& from, const Taps& t, int64_t y) {
  constexpr int64_t kStrip = 1024;
  const int64_t bytes = 3 * from.width;
  const int16_t* w = t.weights(y);
  for (int64_t x0 = 0; x0 < bytes; x0 += kStrip) {
    const int64_t n = std::min(kStrip, bytes - x0);
    int32_t sum[kStrip];
    std::fill(sum, sum + n, t.bits > 0 ? 1 << (t.bits - 1) : 0);
    for (int64_t j = 0; j < t.count[size_t(y)]; ++j) {
      const uint8_t* row = from.row(t.first[size_t(y)] + j) + x0;
      for (int64_t x = 0; x < n; ++x) sum[x] += w[j] * row[x];
    }
    for (int64_t x = 0; x < n; ++x) to[x0 + x] = to_byte(sum[x], t.bits);
  }
}

Picture make(const Context& context, int64_t width, int64_t height) {
  return {context.allocate(size_t(3 * width * height), "a resized picture"), width, height};
}

}  // namespace

Picture resize_bilinear(const Context& context, const PictureView& from, int64_t width, int64_t height) {
  constexpr int64_t kRows = 16;  // of a task
  Picture wide = make(context, width, from.height);
  auto* across = reinterpret_cast<uint8_t*>(wide.data.data());
  const Taps horizontal = taps_for(from.width, width);
  context.executor().run((from.height + kRows - 1) / kRows, [&](int64_t block) {
    for (int64_t y = block * kRows; y < std::min(from.height, (block + 1) * kRows); ++y)
      resize_row(across + y * 3 * width, from.row(y), horizontal);
  });
  if (height == from.height) return wide;
  Picture result = make(context, width, height);
  auto* down = reinterpret_cast<uint8_t*>(result.data.data());
  const Taps vertical = taps_for(from.height, height);
  context.executor().run(height, [&](int64_t y) { resize_column_row(down + y * 3 * width, wide.view(), vertical, y); });
  return result;
}

}  // namespace puna
