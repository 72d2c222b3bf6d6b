// vision.cpp -- the forward pass of Llama 4's vision encoder and projector, as stages (include/puna/model/vision.h has
// the equations). T tiles of N positions (P patches and the class token), D hidden, H heads, K head_dim.
#include <cmath>
#include <cstring>

#include "model/forward.h"
#include "model/rope.h"
#include "ops/attention.h"
#include "ops/rows.h"

namespace puna {
namespace {

void layer_norm_rows(Inference& rec, const Activations& a, View x, const VisionNorm& norm, float eps) {
  rec.stage(a.rows(), [&](int64_t t) {
    rec.kernels().layer_norm(a.x.row(t), x.row(t), norm.w, norm.b, x.dims[1], eps);
    finish_row(rec.kernels(), a, t);
  });
}

void add_bias(Inference& rec, View x, const float* b) {
  rec.stage(x.dims[0], [&](int64_t t) { rec.kernels().add(x.row(t), b, x.dims[1]); });
}

// a = gelu(a + b), b optional.
void gelu_rows(Inference& rec, const Activations& a, const float* b) {
  const int64_t width = a.x.dims[1];
  rec.stage(a.rows(), [&](int64_t t) {
    if (b) rec.kernels().add(a.x.row(t), b, width);
    rec.kernels().gelu(a.x.row(t), a.x.row(t), width);
    finish_row(rec.kernels(), a, t);
  });
}

// A patch's pixels in the order channel, row, column; times W_patch.   [T*P, D]
View embed_patches(Inference& rec, const float* pixels, int64_t tiles, const VisionConfig& c, const VisionWeights& w) {
  const View patches = rec.make(tiles * c.patches(), c.hidden);
  const auto frame = rec.frame();
  const Activations a = make_activations(rec, tiles * c.patches(), 3 * c.patch * c.patch, {&w.patch});
  rec.stage(a.rows(), [&](int64_t t) {
    const int64_t i = t % c.patches();
    const float* corner = pixels + t / c.patches() * c.pixels() + (i / c.side() * c.tile + i % c.side()) * c.patch;
    float* to = a.x.row(t);
    for (int64_t line = 0; line < 3 * c.patch; ++line, to += c.patch)
      memcpy(to, corner + (line / c.patch * c.tile + line % c.patch) * c.tile, size_t(c.patch) * 4);
    finish_row(rec.kernels(), a, t);
  });
  linear(rec, a, {{patches, &w.patch}});
  return patches;
}

// Patches and, behind them, the class token, each with its position's vector; normalised.   x [T*N, D]
void assemble(Inference& rec, View x, View patches, const VisionConfig& c, const VisionWeights& w) {
  const KernelTable& k = rec.kernels();
  const View position = rec.make(c.positions(), c.hidden);
  rec.stage(c.positions(), [&](int64_t n) { weight_row(k, position.row(n), w.positions, n); });
  rec.stage(x.dims[0], [&](int64_t t) {
    const int64_t tile = t / c.positions(), n = t % c.positions();
    memcpy(x.row(t), n < c.patches() ? patches.row(tile * c.patches() + n) : w.class_token, size_t(c.hidden) * 4);
    k.add(x.row(t), position.row(n), c.hidden);
    k.layer_norm(x.row(t), x.row(t), w.pre.w, w.pre.b, c.hidden, c.norm_eps);
  });
}

// The first half of a head's pairs is rotated by the patch's column, the second by its row, both counted from 1; the
// class token is not rotated. cosine, sine: [N, head_dim/2]
void turning_table(Inference& rec, View cosine, View sine, const VisionConfig& c) {
  const int64_t quarter = c.head_dim() / 4;
  const std::vector<float> frequency = rope_inverse_frequency(c.head_dim() / 2, c.rope_theta, {});
  rec.stage(c.positions(), [&](int64_t n) {
    const bool is_patch = n < c.patches();
    rope_angles(cosine.row(n), sine.row(n), is_patch ? n % c.side() + 1 : 0, frequency);
    rope_angles(cosine.row(n) + quarter, sine.row(n) + quarter, is_patch ? n / c.side() + 1 : 0, frequency);
  });
}

// Keys and values of every tile as the attention kernels read them: a list of pages a tile.
struct TilePages {
  const void **k, **v;   // [T][pages]
  float *keys, *values;  // [T][pages][...], as KvPages says
  int64_t pages, heads, head_dim;

  TilePages(Inference& rec, int64_t tiles, const VisionConfig& c)
      : pages((c.positions() + kMaxPage - 1) / kMaxPage), heads(c.heads), head_dim(c.head_dim()) {
    k = rec.take<const void*>(tiles * pages);
    v = rec.take<const void*>(tiles * pages);
    keys = rec.take<float>(tiles * pages * page_floats());
    values = rec.take<float>(tiles * pages * page_floats());
    rec.stage(1, [&](int64_t) {
      for (int64_t i = 0; i < tiles * pages; ++i) {
        k[i] = keys + i * page_floats();
        v[i] = values + i * page_floats();
      }
    });
  }
  int64_t page_floats() const noexcept { return heads * kMaxPage * head_dim; }
  KvPages of(int64_t tile) const noexcept { return {k + tile * pages, v + tile * pages, kMaxPage, 0}; }

  // key, value: [heads*head_dim] of one position.
  void store(int64_t tile, int64_t position, const float* key, const float* value) noexcept {
    const int64_t page = (tile * pages + position / kMaxPage) * page_floats(), at = position % kMaxPage;
    for (int64_t h = 0; h < heads; ++h, key += head_dim, value += head_dim) {
      float* to = keys + page + (h * (kMaxPage / 16) + at / 16) * head_dim * 16 + at % 16;
      for (int64_t i = 0; i < head_dim; ++i) to[i * 16] = key[i];
      memcpy(values + page + (h * kMaxPage + at) * head_dim, value, size_t(head_dim) * 4);
    }
  }
};

// x += Wo attention(norm(x)) + bo: every position of a tile sees every other.
void attention_add(Inference& rec, View x, const VisionConfig& c, const VisionLayer& L, View cosine, View sine) {
  const KernelTable& kernels = rec.kernels();
  const auto frame = rec.frame();
  const int64_t R = x.dims[0], D = c.hidden, K = c.head_dim(), N = c.positions();
  const View q = rec.make(R, D);
  TilePages pages(rec, R / N, c);
  {
    const auto inner = rec.frame();
    const Activations xn = make_activations(rec, R, D, {&L.wq.w, &L.wk.w, &L.wv.w});
    const View k = rec.make(R, D), v = rec.make(R, D);
    layer_norm_rows(rec, xn, x, L.attn_norm, c.norm_eps);
    linear(rec, xn, {{q, &L.wq.w}, {k, &L.wk.w}, {v, &L.wv.w}});
    rec.stage(R, [&](int64_t t) {
      kernels.add(q.row(t), L.wq.b, D);
      kernels.add(k.row(t), L.wk.b, D);
      kernels.add(v.row(t), L.wv.b, D);
      for (int64_t h = 0; h < c.heads; ++h) {
        kernels.rope_interleaved(q.row(t) + h * K, cosine.row(t % N), sine.row(t % N), K);
        kernels.rope_interleaved(k.row(t) + h * K, cosine.row(t % N), sine.row(t % N), K);
      }
      pages.store(t / N, t % N, k.row(t), v.row(t));
    });
  }
  const Activations a = make_activations(rec, R, D, {&L.wo.w});
  const float scale = float(1.0 / std::sqrt(double(K)));
  attend(rec, a.x, q, c.heads, K, {.scale = scale}, DType::f32, [&](int64_t t) {
    return AttendRange{pages.of(t / N), 0, N};
  });
  quantise_rows(rec, a);
  linear(rec, a, {{x, &L.wo.w, true}});
  add_bias(rec, x, L.wo.b);
}

// x += down(gelu(up(norm(x))))
void mlp_add(Inference& rec, View x, const VisionConfig& c, const VisionLayer& L) {
  const auto frame = rec.frame();
  const int64_t R = x.dims[0];
  const Activations h = make_activations(rec, R, c.ffn, {&L.down.w});
  const Activations xn = make_activations(rec, R, c.hidden, {&L.up.w});
  layer_norm_rows(rec, xn, x, L.ffn_norm, c.norm_eps);
  linear(rec, xn, {{h.x, &L.up.w}});
  gelu_rows(rec, h, L.up.b);
  linear(rec, h, {{x, &L.down.w, true}});
  add_bias(rec, x, L.down.b);
}

// Without the class token, squares of neighbouring patches side by side (row by row inside the square); then the
// adapter and the projector.
void project(Inference& rec, View features, View x, const VisionConfig& c, const VisionWeights& w,
             const VisionTaps* taps) {
  const auto frame = rec.frame();
  const int64_t R = features.dims[0], s = c.shuffle, side = c.side() / s;
  const Activations square = make_activations(rec, R, s * s * c.hidden, {&w.adapter_in});
  const Activations inner = make_activations(rec, R, c.adapter, {&w.adapter_out}),
                    outer = make_activations(rec, R, c.adapter, {&w.projector});
  rec.stage(R, [&](int64_t t) {
    const int64_t tile = t / c.features(), i = t % c.features(), top = i / side * s, left = i % side * s;
    for (int64_t j = 0; j < s * s; ++j)
      memcpy(square.x.row(t) + j * c.hidden, x.row(tile * c.positions() + (top + j / s) * c.side() + left + j % s),
             size_t(c.hidden) * 4);
    finish_row(rec.kernels(), square, t);
  });
  linear(rec, square, {{inner.x, &w.adapter_in}});
  gelu_rows(rec, inner, nullptr);
  linear(rec, inner, {{outer.x, &w.adapter_out}});
  gelu_rows(rec, outer, nullptr);
  if (taps) tap(rec, taps->adapted, outer.x);
  linear(rec, outer, {{features, &w.projector}});
}

}  // namespace

template <class Rec>
void forward(Rec& rec, const VisionTower& tower, const float* pixels, int64_t tiles, View features,
             const VisionTaps* taps) {
  const VisionConfig& c = tower.config;
  const VisionWeights& weights = tower.weights;
  const auto frame = rec.frame();
  const View x = rec.make(tiles * c.positions(), c.hidden);
  const View cosine = rec.make(c.positions(), c.head_dim() / 2), sine = rec.make(c.positions(), c.head_dim() / 2);
  turning_table(rec, cosine, sine, c);
  {
    const auto inner = rec.frame();
    const View patches = embed_patches(rec, pixels, tiles, c, weights);
    if (taps) tap(rec, taps->patches, patches);
    assemble(rec, x, patches, c, weights);
  }
  if (taps) tap(rec, taps->pre, x);
  for (int64_t l = 0; l < c.layers; ++l) {
    attention_add(rec, x, c, weights.layers[size_t(l)], cosine, sine);
    mlp_add(rec, x, c, weights.layers[size_t(l)]);
    if (taps && taps->layers) tap(rec, taps->layers + l * x.dims[0] * x.dims[1], x);
  }
  rec.stage(x.dims[0], [&](int64_t t) {
    rec.kernels().layer_norm(x.row(t), x.row(t), weights.post.w, weights.post.b, c.hidden, c.norm_eps);
  });
  if (taps) tap(rec, taps->post, x);
  project(rec, features, x, c, weights, taps);
}

template void forward<Inference>(Inference&, const VisionTower&, const float*, int64_t, View, const VisionTaps*);

}  // namespace puna
