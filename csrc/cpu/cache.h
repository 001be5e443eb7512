// Where a sequence's cached rows lie.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// Element index of the cached row `at` of head h for the sequence in `slot`.
inline int64_t cached_row(const Cache& cache, int64_t slot, int64_t at, int64_t h) {
  int64_t page = cache.tables[slot * cache.table_width + at / cache.page];
  return ((page * cache.kv_heads + h) * cache.page + at % cache.page) * cache.row;
}

// Cached rows of one head that follow each other in a page.
template <class T>
struct CachedRows {
  const T* first;
  int64_t dim, row;

  CachedRows(const Cache& cache, const void* pages, int64_t index)
      : first(static_cast<const T*>(pages) + index), dim(cache.dim), row(cache.row) {}

  // Elements [i, i + lanes) of row t; i is a multiple of the lanes.
  template <class Lanes>
  Vec operator()(int64_t t, int64_t i, Lanes lanes) const {
    const T* from = first + t * row;
    Vec value = load(from + i, lanes);
    if constexpr (sizeof(T) > 1) return value;
    float scale;
    memcpy(&scale, from + dim + i / kCacheBlock * sizeof(float), sizeof(scale));
    return value * scale;
  }
};

// to = row in blocks of int8 and their scales; what is not finite makes the scale a NaN.
inline void put_bytes(int8_t* to, const float* row, int64_t dim) {
  int8_t* scales = to + dim;
  for (int64_t i = 0; i < dim; i += kCacheBlock, scales += sizeof(float)) {
    int64_t end = smaller(dim, i + kCacheBlock);
    float top = 0, odd = 0;
    for (int64_t j = i; j < end; ++j) {
      odd += row[j] * 0;
      top = fmaxf(top, fabsf(row[j]));
    }
    float scale = top / 127 + odd;
    memcpy(scales, &scale, sizeof(scale));
    for (int64_t j = i; j < end; ++j) {
      float shifted = (scale == 0 ? 0 : row[j] / scale) + 12582912.f;  // 1.5 * 2^23: the integer
      to[j] = static_cast<int8_t>(__builtin_bit_cast(uint32_t, shifted));  // is in the low bits
    }
  }
}

// Calls f with a value of the type that a cache's elements have.
template <class F>
void with_cached(DType dtype, F f) {
  if (dtype == DType::i8)
    f(int8_t{});
  else if (dtype == DType::bf16)
    f(bf16{});
  else
    f(float{});
}

// pages[index..] = row, in the precision of the cache.
inline void put(void* pages, DType dtype, int64_t index, const float* row, int64_t dim) {
  if (dtype == DType::i8) return put_bytes(static_cast<int8_t*>(pages) + index, row, dim);
  sweep(dim, [&](int64_t i, auto lanes) {
    Vec value = load(row + i, lanes);
    if (dtype == DType::bf16)
      store(static_cast<bf16*>(pages) + index + i, value, lanes);
    else
      store(static_cast<float*>(pages) + index + i, value, lanes);
  });
}

}  // namespace
}  // namespace omni::OMNI_ISA
