// A square of kLanes x kLanes numbers, transposed in registers.
#pragma once

#include <utility>

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

// Swaps the numbers of `a` whose lane has the bit H with those of `b` whose lane has not.
template <int H, int... I>
inline void swap_lanes(Vec& a, Vec& b, std::integer_sequence<int, I...>) {
  Vec low = __builtin_shufflevector(a, b, ((I & H) ? kLanes + (I ^ H) : I)...);
  b = __builtin_shufflevector(a, b, ((I & H) ? kLanes + I : I ^ H)...);
  a = low;
}

template <int H = 1>
inline void transpose(Vec (&rows)[kLanes]) {
  for (int i = 0; i < kLanes; ++i)
    if ((i & H) == 0)
      swap_lanes<H>(rows[i], rows[i | H], std::make_integer_sequence<int, kLanes>{});
  if constexpr (2 * H < kLanes) transpose<2 * H>(rows);
}

}  // namespace
}  // namespace omni::OMNI_ISA
