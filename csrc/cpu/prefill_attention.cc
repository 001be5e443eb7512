#include "cpu/cache.h"
#include "cpu/gemm.h"
#include "cpu/softmax.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kTile = 64;         // cached rows that are scored together
constexpr int64_t kQueries = 96;      // (row, head) pairs of one chunk, in whole tiles
constexpr int64_t kPad = 2 * kLanes;  // panels are whole tiles wide

// The buffers of one chunk: about 230 KiB for heads of 128.
struct Block {
  alignas(64) float q[kQueries * kMaxHeadDim];             // [pairs, dim], scaled
  alignas(64) float sums[kQueries * kMaxHeadDim];          // [pairs, dim]
  alignas(64) float scores[kQueries * kTile];              // [pairs, kTile]
  alignas(64) float keys[kTile * kMaxHeadDim];             // panels [kTile / kPad][dim][kPad]
  alignas(64) float values[kTile * (kMaxHeadDim + kPad)];  // panels [dim / kPad][kTile][kPad]
  alignas(64) float rows[kTile * kMaxHeadDim];             // cached ones, widened
  Running state[kQueries];
};

// out (+)= x [pairs, depth] times panels of kTileCols columns each.
void multiply_panels(const float* x, int64_t pairs, int64_t depth, const float* panels,
                     int64_t panel_size, bool fresh, float* out, int64_t cols) {
  for (int64_t c = 0; c < cols; c += kTileCols) {
    const float* panel = panels + c / kTileCols * panel_size;
    for (int64_t r = 0; r < pairs; r += kTileRows)
      gemm_tile(x + r * depth, depth, panel, depth, fresh, out + r * cols + c, cols, pairs - r,
                cols - c);
  }
}

// panels[c][t][:] = values[t][c * kTileCols ..], widened; rows beyond count are zero.
void widen_values(const float* values, int64_t count, int64_t dim, float* panels) {
  for (int64_t c = 0; c < dim; c += kTileCols)
    for (int64_t t = 0; t < kTile; ++t)
      for (int64_t i = 0; i < kTileCols; ++i)
        panels[(c * kTile) + t * kTileCols + i] =
            t < count && c + i < dim ? values[t * dim + c + i] : 0.f;
}

template <class T>
void widen_rows(const CachedRows<T>& rows, int64_t count, float* out) {
  for (int64_t t = 0; t < count; ++t)
    sweep(rows.dim,
          [&](int64_t i, auto lanes) { store(out + t * rows.dim + i, rows(t, i, lanes), lanes); });
}

template <class T>
void load_tile(const Cache& cache, int64_t row, int64_t count, Block& block) {
  widen_rows(CachedRows<T>(cache, cache.k, row), count, block.rows);
  for (int64_t c = 0; c < kTile; c += kTileCols)
    pack(block.rows + c * cache.dim, cache.dim, count - c, cache.dim, block.keys + c * cache.dim);
  widen_rows(CachedRows<T>(cache, cache.v, row), count, block.rows);
  widen_values(block.rows, count, cache.dim, block.values);
}

// Hides what lies after each pair's own row, then folds the tile into the running softmax.
void fold_tile(Block& block, int64_t pairs, int64_t group, int64_t first_row, int64_t tile,
               int64_t count, int64_t dim) {
  for (int64_t p = 0; p < pairs; ++p) {
    float* scores = block.scores + p * kTile;
    int64_t visible = smaller(count, first_row + p / group - tile + 1);
    for (int64_t t = larger(0, visible); t < kTile; ++t) scores[t] = kNoScore;
    float factor = take_tile(block.state[p], scores, kTile);
    float* sums = block.sums + p * dim;
    sweep(dim,
          [&](int64_t i, auto lanes) { store(sums + i, load(sums + i, lanes) * factor, lanes); });
  }
}

void attend_tile(Block& block, const Cache& cache, int64_t pairs, int64_t group, int64_t first_row,
                 int64_t tile, int64_t count) {
  int64_t dim = cache.dim;
  multiply_panels(block.q, pairs, dim, block.keys, dim * kTileCols, true, block.scores, kTile);
  fold_tile(block, pairs, group, first_row, tile, count, dim);
  multiply_panels(block.scores, pairs, kTile, block.values, kTile * kTileCols, false, block.sums,
                  dim);
}

void load_queries(const PrefillAttention& a, int64_t row, int64_t rows, int64_t head,
                  Block& block) {
  int64_t dim = a.cache.dim, group = a.heads / a.cache.kv_heads;
  float scale = 1.f / sqrtf(static_cast<float>(dim));
  for (int64_t p = 0; p < rows * group; ++p) {
    const float* q = a.q + ((row + p / group) * a.heads + head * group + p % group) * dim;
    sweep(dim, [&](int64_t i, auto lanes) {
      store(block.q + p * dim + i, load(q + i, lanes) * scale, lanes);
    });
    block.state[p] = {};
  }
  memset(block.sums, 0, rows * group * dim * sizeof(float));
}

void store_rows(const PrefillAttention& a, int64_t row, int64_t rows, int64_t head,
                const Block& block) {
  int64_t dim = a.cache.dim, group = a.heads / a.cache.kv_heads;
  for (int64_t p = 0; p < rows * group; ++p) {
    float* out = a.out + ((row + p / group) * a.heads + head * group + p % group) * dim;
    float total = block.state[p].total;
    sweep(dim, [&](int64_t i, auto lanes) {
      store(out + i, load(block.sums + p * dim + i, lanes) / total, lanes);
    });
  }
}

// Rows [row, row + rows) of the query heads of one key head.
void attend_rows(const PrefillAttention& a, int64_t row, int64_t rows, int64_t head) {
  Block block;
  const Cache& cache = a.cache;
  int64_t group = a.heads / cache.kv_heads, end = a.start + row + rows;
  load_queries(a, row, rows, head, block);
  for (int64_t t = 0; t < end;) {
    int64_t count = smaller(smaller(kTile, cache.page - t % cache.page), end - t);
    int64_t at = cached_row(cache, 0, t, head);
    with_cached(cache.dtype,
                [&](auto element) { load_tile<decltype(element)>(cache, at, count, block); });
    attend_tile(block, cache, rows * group, group, a.start + row, t, count);
    t += count;
  }
  store_rows(a, row, rows, head, block);
}

}  // namespace

void prefill_attention(const PrefillAttention& a, Team& team) {
  int64_t group = a.heads / a.cache.kv_heads;
  int64_t step = larger(1, kQueries / group), blocks = ceil_div(a.rows, step);
  team.run(static_cast<int>(blocks * a.cache.kv_heads), [&](int chunk) {
    int64_t block = blocks - 1 - chunk / a.cache.kv_heads;  // the longest first
    int64_t row = block * step;
    attend_rows(a, row, smaller(step, a.rows - row), chunk % a.cache.kv_heads);
  });
}

}  // namespace omni::OMNI_ISA
