// Products of a weight matrix with a few rows: bound by the speed at which weights can be read.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// out[b][r] = x[b] . w[r] for B rows of x and R rows of w. Every product has one accumulator and
// one order of summation, whatever B and R are, so a row's result does not depend on its
// neighbours.
template <int B, int R, class T>
inline void dot_tile(const float* x, const T* w, int64_t stride, int64_t k, float (&out)[B][R]) {
  Vec acc[B][R] = {};
  sweep(k, [&](int64_t i, auto lanes) {
    Vec rows[R];
    for (int r = 0; r < R; ++r) rows[r] = load(w + r * stride + i, lanes);
    for (int b = 0; b < B; ++b) {
      Vec v = load(x + b * k + i, lanes);
      for (int r = 0; r < R; ++r) acc[b][r] = multiply_add(v, rows[r], acc[b][r]);
    }
  });
  for (int b = 0; b < B; ++b)
    for (int r = 0; r < R; ++r) out[b][r] = sum(acc[b][r]);
}

template <int B, int R, class T>
inline void gemv_tile(const Linear& a, const T* weight, int64_t first_row, int64_t n,
                      int64_t apart) {
  float dots[B][R];
  dot_tile<B, R>(a.x + first_row * a.k, weight + n * a.k, apart * a.k, a.k, dots);
  for (int b = 0; b < B; ++b)
    for (int r = 0; r < R; ++r) a.out[(first_row + b) * a.n + n + r * apart] = dots[b][r];
}

// Outputs [first, last) of B rows.
template <int B, class T>
inline void gemv_rows(const Linear& a, const T* weight, int64_t row, int64_t first, int64_t last) {
  constexpr int kTile = B == 4 ? 3 : 4;  // enough sums in flight, all in registers
  const int64_t apart = (last - first) / kTile, rest = first + apart * kTile;
  for (int64_t n = first; n < first + apart; ++n) gemv_tile<B, kTile>(a, weight, row, n, apart);
  for (int64_t n = rest; n < last; ++n) gemv_tile<B, 1>(a, weight, row, n, 0);
}

template <class T>
void gemv_block(const Linear& a, const T* weight, int64_t first, int64_t last) {
  int64_t row = 0;
  for (; row + 4 <= a.rows; row += 4) gemv_rows<4>(a, weight, row, first, last);
  if (a.rows - row == 3) gemv_rows<3>(a, weight, row, first, last);
  if (a.rows - row == 2) gemv_rows<2>(a, weight, row, first, last);
  if (a.rows - row == 1) gemv_rows<1>(a, weight, row, first, last);
}

}  // namespace
}  // namespace omni::OMNI_ISA
