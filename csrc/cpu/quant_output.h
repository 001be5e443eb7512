// What products with quantized weights share whatever they multiply with.
#pragma once

#include <type_traits>

#include "cpu/quantized_row.h"

namespace omni::OMNI_ISA {
namespace {

// Stores sums [count, panels, 16] as outputs of rows [row, row + count), the bias added.
inline void store_rows(const QuantLinear& a, int64_t panel, int64_t panels, int64_t row,
                       int64_t count, const float* sums) {
  const int64_t first = panel * kOutputs;
  const int64_t wanted = smaller(panels * kOutputs, a.weight.n - first);
  with_type(a.bias.data, a.bias.dtype, [&](auto* bias) {
    for (int64_t r = 0; r < count; ++r)
      sweep(wanted, [&](int64_t i, auto lanes) {
        Vec value = load(sums + r * panels * kOutputs + i, lanes);
        if (bias != nullptr) value += load(bias + first + i, lanes);
        store(a.out + (row + r) * a.weight.n + first + i, value, lanes);
      });
  });
}

// Calls f with count, in [1, Most], as a constant.
template <int Most, class F>
inline void with_count(int64_t count, F&& f) {
  if constexpr (Most > 1)
    if (count < Most) return with_count<Most - 1>(count, f);
  f(std::integral_constant<int, Most>{});
}

}  // namespace
}  // namespace omni::OMNI_ISA
