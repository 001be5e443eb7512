// Where a sequence's cached rows lie.
#pragma once

#include "cpu/kernels.h"
#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// Element index of the cached row `at` of head h for the sequence in `slot`.
inline int64_t cached_row(const Cache& cache, int64_t slot, int64_t at, int64_t h) {
  int64_t page = cache.tables[slot * cache.table_width + at / cache.page];
  return ((page * cache.kv_heads + h) * cache.page + at % cache.page) * cache.dim;
}

// pages[index..] = row, in the precision of the cache.
inline void put(void* pages, DType dtype, int64_t index, const float* row, int64_t dim) {
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
