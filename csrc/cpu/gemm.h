// Products of a weight matrix with many rows: blocked as in Goto and van de Geijn (2008,
// doi 10.1145/1356052.1356053). Panels of weights are widened and transposed into the L2, then
// shared by every row; rows are copied, so that no two of them share a set of the L1.
#pragma once

#include "cpu/kernels.h"
#include "cpu/transpose.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kTileRows =
    kLanes == 16 ? 12 : 6;                // of x: with two vectors of sums each in registers
constexpr int kTileCols = 2 * kLanes;     // outputs of a panel
constexpr int64_t kDepth = 256;           // inputs of one packed panel
constexpr int64_t kStride = kDepth + 16;  // of the copied rows
constexpr int64_t kCols = 256;            // outputs of one packed block: 256 KiB
constexpr int64_t kBlockRows = 24;        // rows that stay in the L1

// to[k][lane] = weight[lane][k], widened, for kLanes outputs, of which only some may be there.
template <class T>
void pack_lanes(const T* weight, int64_t stride, int64_t outputs, int64_t depth, float* to) {
  int64_t k = 0;
  for (; outputs >= kLanes && k + kLanes <= depth; k += kLanes) {
    Vec square[kLanes];
    for (int i = 0; i < kLanes; ++i) square[i] = load(weight + i * stride + k);
    transpose(square);
    for (int i = 0; i < kLanes; ++i) store(to + (k + i) * kTileCols, square[i]);
  }
  for (; k < depth; ++k)
    for (int64_t i = 0; i < kLanes; ++i)
      to[k * kTileCols + i] = i < outputs ? widen(weight[i * stride + k]) : 0.f;
}

// panel[k][output] = weight[output][k], widened; absent outputs are zero.
template <class T>
void pack(const T* weight, int64_t stride, int64_t outputs, int64_t depth, float* panel) {
  for (int64_t c = 0; c < kTileCols; c += kLanes)
    pack_lanes(weight + c * stride, stride, outputs - c, depth, panel + c);
}

// sums[r][:] = x[r] . panel, for kTileRows rows.
__attribute__((noinline)) void multiply_tile(const float* x, int64_t stride, const float* panel,
                                             int64_t depth, Vec (&sums)[kTileRows][2]) {
  Vec acc[kTileRows][2] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Vec left = load(panel + k * kTileCols), right = load(panel + k * kTileCols + kLanes);
    for (int r = 0; r < kTileRows; ++r) {
      Vec v = splat(x[r * stride + k]);
      acc[r][0] = multiply_add(v, left, acc[r][0]);
      acc[r][1] = multiply_add(v, right, acc[r][1]);
    }
  }
  memcpy(sums, acc, sizeof(acc));
}

// Adds kTileRows rows of x times one panel to out, unless they are the first; stores `rows` of
// them.
inline void gemm_tile(const float* x, int64_t stride, const float* panel, int64_t depth, bool first,
                      float* out, int64_t out_stride, int64_t rows, int64_t cols) {
  Vec sums[kTileRows][2];
  multiply_tile(x, stride, panel, depth, sums);
  for (int64_t r = 0; r < smaller(kTileRows, rows); ++r)
    sweep(smaller(kTileCols, cols), [&](int64_t i, auto lanes) {
      float* to = out + r * out_stride + i;
      Vec sum = sums[r][i / kLanes];
      store(to, first ? sum : sum + load(to, lanes), lanes);
    });
}

// Rows [row, row_end) times the columns [col, col_end), all of the depth.
template <class T>
void gemm_block(const Linear& a, const T* weight, int64_t row, int64_t row_end, int64_t col,
                int64_t col_end) {
  alignas(64) float packed[kCols * kDepth], block[kBlockRows * kStride] = {};
  for (int64_t k = 0; k < a.k; k += kDepth) {
    int64_t depth = smaller(kDepth, a.k - k);
    for (int64_t c = col; c < col_end; c += kTileCols)
      pack(weight + c * a.k + k, a.k, col_end - c, depth, packed + (c - col) * kDepth);
    for (int64_t first = row; first < row_end; first += kBlockRows) {
      int64_t count = smaller(kBlockRows, row_end - first);
      for (int64_t r = 0; r < count; ++r)
        sweep(depth, [&](int64_t i, auto lanes) {
          store(block + r * kStride + i, load(a.x + (first + r) * a.k + k + i, lanes), lanes);
        });
      for (int64_t c = col; c < col_end; c += kTileCols)
        for (int64_t r = 0; r < count; r += kTileRows)
          gemm_tile(block + r * kStride, kStride, packed + (c - col) * kDepth, depth, k == 0,
                    a.out + (first + r) * a.n + c, a.n, count - r, col_end - c);
    }
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
