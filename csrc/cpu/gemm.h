// Products of a weight matrix with many rows: blocked as in Goto and van de Geijn (2008,
// doi 10.1145/1356052.1356053). Panels of weights are widened and transposed into the cache, then
// shared by every row.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kTileRows = 6;               // rows of x in registers
constexpr int kTileCols = 2 * kLanes;      // outputs in registers
constexpr int64_t kDepth = 256;            // inputs of one packed panel
constexpr int64_t kCols = 128;             // outputs of one packed block: 128 KiB, the L2's share
constexpr int64_t kRows = 64 * kTileRows;  // rows that share a packed block before it is repacked

// panel[k][col] = weight[col][k], widened; absent columns are zero.
template <class T>
void pack(const T* weight, int64_t stride, int64_t cols, int64_t depth, float* panel) {
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t c = 0; c < kTileCols; ++c)
      panel[k * kTileCols + c] = c < cols ? widen(weight[c * stride + k]) : 0.f;
}

// acc[r][:] += x[r][k] * panel[k][:], for R rows.
template <int R>
inline void multiply(const float* x, int64_t stride, const float* panel, int64_t depth,
                     Vec (&acc)[R][2]) {
  for (int64_t k = 0; k < depth; ++k) {
    Vec left = load(panel + k * kTileCols), right = load(panel + k * kTileCols + kLanes);
    for (int r = 0; r < R; ++r) {
      Vec v = splat(x[r * stride + k]);
      acc[r][0] += v * left;
      acc[r][1] += v * right;
    }
  }
}

// Adds R rows of x times one panel to out; the first panel of a column starts from zero.
template <int R>
void gemm_tile(const float* x, int64_t stride, const float* panel, int64_t depth, bool first,
               float* out, int64_t out_stride, int64_t cols) {
  Vec acc[R][2] = {};
  multiply<R>(x, stride, panel, depth, acc);
  for (int r = 0; r < R; ++r)
    for (int half = 0; half < 2; ++half) {
      float* to = out + r * out_stride + half * kLanes;
      int64_t left = cols - half * kLanes;
      auto put = [&](auto lanes) {
        store(to, first ? acc[r][half] : acc[r][half] + load(to, lanes), lanes);
      };
      if (left >= kLanes)
        put(Full{});
      else if (left > 0)
        put(Part{static_cast<int>(left)});
    }
}

template <class... Args>
inline void gemm_tail(int64_t rows, Args... args) {
  if (rows == 5) gemm_tile<5>(args...);
  if (rows == 4) gemm_tile<4>(args...);
  if (rows == 3) gemm_tile<3>(args...);
  if (rows == 2) gemm_tile<2>(args...);
  if (rows == 1) gemm_tile<1>(args...);
}

// Rows [row, row_end) times the columns [col, col_end), all of the depth.
template <class T>
void gemm_block(const Linear& a, const T* weight, int64_t row, int64_t row_end, int64_t col,
                int64_t col_end) {
  alignas(64) float packed[kCols * kDepth];
  for (int64_t k = 0; k < a.k; k += kDepth) {
    int64_t depth = smaller(kDepth, a.k - k);
    for (int64_t c = col; c < col_end; c += kTileCols)
      pack(weight + c * a.k + k, a.k, smaller(kTileCols, col_end - c), depth,
           packed + (c - col) * kDepth);
    for (int64_t block = row; block < row_end; block += 4 * kTileRows)
      for (int64_t c = col; c < col_end; c += kTileCols) {
        const float* panel = packed + (c - col) * kDepth;
        int64_t cols = smaller(kTileCols, col_end - c);
        int64_t end = smaller(row_end, block + 4 * kTileRows), r = block;
        for (; r + kTileRows <= end; r += kTileRows)
          gemm_tile<kTileRows>(a.x + r * a.k + k, a.k, panel, depth, k == 0, a.out + r * a.n + c,
                               a.n, cols);
        gemm_tail(end - r, a.x + r * a.k + k, a.k, panel, depth, k == 0, a.out + r * a.n + c, a.n,
                  cols);
      }
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
