// A block of a convolution as products with packed weights: its rows are laid out on the stack, a
// few channels at a time, multiplied, and summed there.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"
#include "cpu/tile_step.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kDepth = 96;           // channels that are laid out together
constexpr int64_t kChunkWork = 1 << 23;  // multiply-adds: about 0.2 ms

alignas(64) constexpr float kZeros[kDepth] = {};

// What one product sums over: `depth` channels for each of several taps, which read rows `x_step`
// apart and weights `weight_step` apart.
struct Terms {
  int64_t taps, depth;
  int64_t x_step, weight_step;
};

// Panels of one product: weights and sums of each, and the weights that are to come.
struct Panels {
  const float* weights;
  int64_t weight_step;
  float* sums;
  int64_t sum_step;
  const float* next;
};

}  // namespace
}  // namespace omni::OMNI_ISA

#ifdef __AMX_TILE__
#include "cpu/vocoder_tiles.h"
#else
#include "cpu/vocoder_vectors.h"
#endif

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kLaidRows = kBlockRows + 7 * (kMaxSpread + kTileRows);

// Numbers [k, k + kLanes) of a row of `depth`; those beyond are zero.
inline Vec load_some(const float* row, int64_t k, int64_t depth) {
  if (depth - k >= kLanes) return load(row + k);
  return depth > k ? load(row + k, Part{static_cast<int>(depth - k)}) : Vec{};
}

// How n rows are cut into blocks of at most `most`, all but the last of equal, whole tiles.
inline int64_t block_rows(int64_t n, int64_t most) {
  n = larger(1, n);
  return smaller(most, ceil_div(ceil_div(n, ceil_div(n, most)), kTileStep) * kTileStep);
}

}  // namespace
}  // namespace omni::OMNI_ISA
