// The paged cache as bindings receive it.
#pragma once

#include "base/check.h"
#include "bindings/tensor_caster.h"
#include "cpu/kernels.h"

namespace omni::bindings {

// The head size of rows that take `size` elements of a cache.
inline int64_t head_dim(DType dtype, int64_t size) {
  constexpr int64_t kBlockBytes = kCacheBlock + sizeof(float);
  return dtype == DType::i8 ? size - (size + kBlockBytes - 1) / kBlockBytes * sizeof(float) : size;
}

// tables: int32 "S W", or "W" for one sequence. Binds P, G (key heads), Z (page), R (a row), D and
// W.
inline Cache cache_of(Check& check, const char* tables_name, const char* tables_spec,
                      const Arg& tables, const Arg& k_pages, const Arg& v_pages) {
  check("k_pages", k_pages.tensor, "P G Z R", {DType::f32, DType::bf16, DType::i8});
  check("v_pages", v_pages.tensor, "P G Z R", {k_pages.tensor.dtype});
  check.let("D", head_dim(k_pages.tensor.dtype, check["R"]));
  check(tables_name, tables.tensor, tables_spec, {DType::i32});
  check.require(check["D"] <= kMaxHeadDim && check["D"] % 2 == 0,
                "head size D=" + std::to_string(check["D"]) + ", expected an even size up to " +
                    std::to_string(kMaxHeadDim));
  return {k_pages.tensor.data,
          v_pages.tensor.data,
          k_pages.tensor.dtype,
          tables.tensor.as<const int32_t>(),
          check["G"],
          check["Z"],
          check["D"],
          check["R"],
          check["W"]};
}

// That the first `length` cached rows of a table lie in pages that exist.
inline void require_pages(const Check& check, const Cache& cache, int64_t slot, int64_t length) {
  check.require(length <= cache.table_width * cache.page,
                "sequence of " + std::to_string(length) + " rows, the table holds " +
                    std::to_string(cache.table_width * cache.page));
  for (int64_t i = 0; i * cache.page < length; ++i) {
    int32_t page = cache.tables[slot * cache.table_width + i];
    check.require(
        page >= 0 && page < check["P"],
        "page " + std::to_string(page) + ", expected 0 <= page < P=" + std::to_string(check["P"]));
  }
}

}  // namespace omni::bindings
