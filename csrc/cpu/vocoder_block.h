// A block of a convolution as products with packed weights: its rows are laid out on the stack, a
// few channels at a time, multiplied, and summed there.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kPanelVecs = kPanel / kLanes;  // 12 sums fill the registers of every machine
constexpr int kTileRows = 12 / kPanelVecs;   // rows that share one read of a panel
constexpr int64_t kDepth = 96;               // channels that are laid out together
constexpr int64_t kPanels = 6;               // of one block
constexpr int64_t kBlockRows = 7 * 72;       // sums of one panel, over all points or phases
constexpr int64_t kLaidRows = kBlockRows + 7 * kMaxSpread;
constexpr int64_t kChunkWork = 1 << 23;  // multiply-adds: about 0.2 ms

alignas(64) constexpr float kZeros[kDepth] = {};

// What one product sums over: `depth` channels for each of several taps.
struct Terms {
  int64_t taps, depth;
  int64_t x_step, weight_step;  // from one tap to the next
};

// sums[r][:] += terms of x[r] times the panel, for a tile of rows; `first` starts from zero.
[[gnu::noinline]] void multiply_tile(const Terms& terms, const float* x, const float* weights,
                                     bool first, float* sums) {
  Vec acc[kTileRows][kPanelVecs] = {};
  int64_t tap = 0;
  do {  // at least once: else the compiler keeps a copy of acc in memory
    const float* row = x + tap * terms.x_step;
    const float* panel = weights + tap * terms.weight_step;
    int64_t k = 0;
    do {
      Vec w[kPanelVecs];
      for (int v = 0; v < kPanelVecs; ++v) w[v] = load(panel + k * kPanel + v * kLanes);
      for (int r = 0; r < kTileRows; ++r) {
        Vec value = splat(row[r * terms.depth + k]);
        for (int v = 0; v < kPanelVecs; ++v) acc[r][v] = multiply_add(value, w[v], acc[r][v]);
      }
    } while (++k < terms.depth);
  } while (++tap < terms.taps);
  for (int r = 0; r < kTileRows; ++r)
    for (int v = 0; v < kPanelVecs; ++v) {
      float* to = sums + r * kPanel + v * kLanes;
      store(to, first ? acc[r][v] : acc[r][v] + load(to));
    }
}

// The same for any number of rows. Rows are computed up to a whole tile: both buffers have room.
// Meanwhile the weights at `next`, which are to come, are fetched into the cache.
inline void multiply_rows(const Terms& terms, const float* x, const float* weights,
                          const float* next, bool first, int64_t rows, float* sums) {
  int64_t share = ceil_div(terms.depth * kTileRows, rows);  // of a tap's weights, per tile
  for (int64_t r = 0, k = 0; r < rows; r += kTileRows, k += share) {
    for (int64_t tap = 0; tap < terms.taps; ++tap)
      for (int64_t i = k; i < k + share; ++i)
        __builtin_prefetch(next + tap * terms.weight_step + i * kPanel);
    multiply_tile(terms, x + r * terms.depth, weights, first, sums + r * kPanel);
  }
}

// How n rows are cut into blocks of at most `most`, all but the last of equal, whole tiles.
inline int64_t block_rows(int64_t n, int64_t most) {
  n = larger(1, n);
  return smaller(most, ceil_div(ceil_div(n, ceil_div(n, most)), 12) * 12);
}

}  // namespace
}  // namespace omni::OMNI_ISA
