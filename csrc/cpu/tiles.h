// Softmax attention of a block of queries over keys and values that arrive in tiles; its products
// are blocked as in gemm.h.
#pragma once

#include "cpu/gemm.h"
#include "cpu/softmax.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kTile = 64;         // keys that are scored together, at most
constexpr int64_t kQueries = 96;      // of one block, at most
constexpr int64_t kPad = 2 * kLanes;  // panels are whole tiles wide

// The buffers of one block: about 200 KiB are touched for full tiles and heads of 128.
struct Tiles {
  alignas(64) float q[kQueries * kMaxHeadDim];             // [queries, dim], scaled
  alignas(64) float sums[kQueries * kMaxHeadDim];          // [queries, dim]
  alignas(64) float scores[kQueries * kTile];              // [queries, kTile]
  alignas(64) float keys[kTile * kMaxHeadDim];             // panels [kTile / kPad][dim][kPad]
  alignas(64) float values[kTile * (kMaxHeadDim + kPad)];  // panels [dim / kPad][kTile][kPad]
  Running state[kQueries];
  int64_t queries, dim;
};

// A matrix in panels of kTileCols columns, `size` elements from one panel to the next.
struct Panels {
  const float* data;
  int64_t depth, size;
};

// out [rows, cols] (+)= x [rows, depth] times panels; strides are from row to row.
inline void multiply_panels(const float* x, int64_t stride, int64_t rows, Panels panels, bool fresh,
                            float* out, int64_t out_stride, int64_t cols) {
  for (int64_t c = 0; c < cols; c += kTileCols) {
    const float* panel = panels.data + c / kTileCols * panels.size;
    int64_t r = 0, width = smaller(kTileCols, cols - c);
    for (; r + kTileRows <= rows; r += kTileRows)
      gemm_tile<kTileRows>(x + r * stride, stride, panel, panels.depth, fresh,
                           out + r * out_stride + c, out_stride, width);
    gemm_tail(rows - r, x + r * stride, stride, panel, panels.depth, fresh,
              out + r * out_stride + c, out_stride, width);
  }
}

inline void begin_queries(Tiles& tiles, int64_t queries, int64_t dim) {
  tiles.queries = queries;
  tiles.dim = dim;
  memset(tiles.sums, 0, queries * dim * sizeof(float));
  for (int64_t p = 0; p < queries; ++p) tiles.state[p] = {};
}

// Query p: float32 [dim].
inline void load_query(Tiles& tiles, int64_t p, const float* q) {
  float scale = 1.f / sqrtf(static_cast<float>(tiles.dim));
  float* to = tiles.q + p * tiles.dim;
  sweep(tiles.dim,
        [&](int64_t i, auto lanes) { store(to + i, load(q + i, lanes) * scale, lanes); });
}

// `count` keys of [dim], `stride` elements from one to the next.
template <class T>
void load_keys(Tiles& tiles, const T* keys, int64_t stride, int64_t count) {
  for (int64_t c = 0; c < count; c += kTileCols)
    pack(keys + c * stride, stride, count - c, tiles.dim, tiles.keys + c * tiles.dim);
}

// Their values, likewise.
template <class T>
void load_values(Tiles& tiles, const T* values, int64_t stride, int64_t count) {
  for (int64_t c = 0; c < tiles.dim; c += kTileCols)
    for (int64_t t = 0; t < count; ++t)
      for (int64_t i = 0; i < kTileCols; ++i)
        tiles.values[c * kTile + t * kTileCols + i] =
            c + i < tiles.dim ? widen(values[t * stride + c + i]) : 0.f;
}

// Folds the loaded tile into the sums. visible(p): how many of its keys query p sees.
template <class Visible>
void fold_tile(Tiles& tiles, int64_t count, Visible&& visible) {
  int64_t dim = tiles.dim;
  multiply_panels(tiles.q, dim, tiles.queries, {tiles.keys, dim, dim * kTileCols}, true,
                  tiles.scores, kTile, ceil_div(count, kTileCols) * kTileCols);
  for (int64_t p = 0; p < tiles.queries; ++p) {
    float* scores = tiles.scores + p * kTile;
    for (int64_t t = larger(0, visible(p)); t < count; ++t) scores[t] = kNoScore;
    float factor = take_tile(tiles.state[p], scores, count);
    float* sums = tiles.sums + p * dim;
    sweep(dim,
          [&](int64_t i, auto lanes) { store(sums + i, load(sums + i, lanes) * factor, lanes); });
  }
  multiply_panels(tiles.scores, kTile, tiles.queries, {tiles.values, count, kTile * kTileCols},
                  false, tiles.sums, dim, dim);
}

// What query p attended to: float32 [dim].
inline void store_result(const Tiles& tiles, int64_t p, float* out) {
  const float* sums = tiles.sums + p * tiles.dim;
  float total = tiles.state[p].total;
  sweep(tiles.dim,
        [&](int64_t i, auto lanes) { store(out + i, load(sums + i, lanes) / total, lanes); });
}

}  // namespace
}  // namespace omni::OMNI_ISA
