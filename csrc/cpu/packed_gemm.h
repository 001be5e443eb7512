// Products with a weight that was packed ahead into panels of 16 columns (see ops/packed.py),
// blocked as in Goto and van de Geijn (2008, doi 10.1145/1356052.1356053): one slice of a panel and
// a block of rows, copied so that no two of them share a set of the L1, stay in the L2.
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kPanelCols = 16;  // the same for every instruction set, since weights are packed once
constexpr int kPanelVecs = kPanelCols / kLanes;
constexpr int kPanelRows = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 2;  // sums that fit registers
constexpr int64_t kSlice = 1024;               // inputs of a product that are summed in registers
constexpr int64_t kSliceStride = kSlice + 16;  // of the copied rows
constexpr int64_t kBlockRows = 56 / kPanelRows * kPanelRows;

// A weight [n, k] as panels [ceil(n / 16)][inputs / d][16][d] of inputs that are k, filled up to
// whole lines; what lies beyond n and k is zero.
template <class T>
struct Panels {
  const T* data;  // float or bf16
  int64_t n, k, inputs;
};

template <class T>
constexpr int kNeighbours = 4 / sizeof(T);  // d

// A few sums of one row: columns [col, col + cols) of the output, and which slice they are of.
struct Sums {
  const float* data;  // [cols]
  int64_t row, col, cols;
  bool first, last;
};

// Input `which` of the neighbouring ones of kLanes outputs.
inline Vec load_weights(const float* from, int /*which*/) { return load(from); }
inline Vec load_weights(const bf16* from, int which) {
  BitVec pairs;
  memcpy(&pairs, from, sizeof(pairs));
  return (Vec)(which == 0 ? pairs << 16 : pairs & 0xffff0000);
}

// sums[r][c] = sum of x[r][i] * panel[i][c] over the depth, for kPanelRows rows.
template <class T>
__attribute__((noinline)) void multiply_panel(const float* x, const T* panel, int64_t depth,
                                              float* sums) {
  Vec acc[kPanelRows][kPanelVecs] = {};
  constexpr int d = kNeighbours<T>;
  for (int64_t i = 0; i < depth; i += d)
    for (int j = 0; j < d; ++j) {
      Vec weights[kPanelVecs];
      for (int v = 0; v < kPanelVecs; ++v)
        weights[v] = load_weights(panel + i * kPanelCols + v * kLanes * d, j);
      for (int r = 0; r < kPanelRows; ++r)
        for (int v = 0; v < kPanelVecs; ++v)
          acc[r][v] = multiply_add(splat(x[r * kSliceStride + i + j]), weights[v], acc[r][v]);
    }
  for (int r = 0; r < kPanelRows; ++r)
    for (int v = 0; v < kPanelVecs; ++v) store(sums + r * kPanelCols + v * kLanes, acc[r][v]);
}

// block[r][:] = x[r][: depth], then a zero; rows up to a multiple of kPanelRows are zero.
inline void copy_block(const float* x, int64_t stride, int64_t rows, int64_t depth, float* block) {
  for (int64_t r = 0; r < rows; ++r) {
    memcpy(block + r * kSliceStride, x + r * stride, depth * sizeof(float));
    block[r * kSliceStride + depth] = 0;
  }
  for (int64_t r = rows; r % kPanelRows != 0; ++r)
    memset(block + r * kSliceStride, 0, (depth + 1) * sizeof(float));
}

// Calls put(sums) with every row's products of each slice of the depth, for rows x columns
// [col, col_end), slice after slice. col is a multiple of 16. What is summed in which order depends
// on k only.
template <class T, class Put>
void packed_product(const float* x, int64_t stride, int64_t rows, const Panels<T>& weight,
                    int64_t col, int64_t col_end, Put&& put) {
  alignas(64) float block[kBlockRows * kSliceStride];
  alignas(64) float sums[kPanelRows * kPanelCols];
  for (int64_t row = 0; row < rows; row += kBlockRows) {
    int64_t count = smaller(kBlockRows, rows - row);
    for (int64_t i = 0; i < weight.k; i += kSlice) {
      int64_t depth = smaller(kSlice, weight.k - i);
      copy_block(x + row * stride + i, stride, count, depth, block);
      for (int64_t c = col; c < col_end; c += kPanelCols) {
        int64_t cols = smaller(kPanelCols, col_end - c);
        const T* panel = weight.data + c * weight.inputs + i * kPanelCols;
        for (int64_t tile = 0; tile < count; tile += kPanelRows) {
          multiply_panel(block + tile * kSliceStride, panel, depth, sums);
          for (int64_t r = tile; r < smaller(count, tile + kPanelRows); ++r)
            put(Sums{sums + (r - tile) * kPanelCols, row + r, c, cols, i == 0,
                     i + depth == weight.k});
        }
      }
    }
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
