// Rows of activations: how threads share them, and the sums that norms need.
#pragma once

#include "base/parallel.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kChunkElements = 16384;

// Calls row(r) for every row, some rows a chunk.
template <class F>
void over_rows(Team& team, int64_t rows, int64_t dim, F&& row) {
  int64_t block = larger(1, kChunkElements / larger(1, dim));
  team.run(static_cast<int>(ceil_div(rows, block)), [&](int chunk) {
    int64_t end = smaller(rows, (chunk + 1) * block);
    for (int64_t r = chunk * block; r < end; ++r) row(r);
  });
}

inline float sum_of_squares(const float* x, int64_t n) {
  Vec total{};
  sweep(n, [&](int64_t i, auto lanes) {
    Vec v = load(x + i, lanes);
    total += v * v;
  });
  return sum(total);
}

inline float total_of(const float* x, int64_t n) {
  Vec total{};
  sweep(n, [&](int64_t i, auto lanes) { total += load(x + i, lanes); });
  return sum(total);
}

inline float sum_of_deviations(const float* x, int64_t n, float mean) {
  Vec total{};
  sweep(n, [&](int64_t i, auto lanes) {
    Vec d = load(x + i, lanes, mean) - mean;
    total += d * d;
  });
  return sum(total);
}

}  // namespace
}  // namespace omni::OMNI_ISA
