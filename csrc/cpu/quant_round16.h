// Activations rounded to 16 bits, each part of a row with a scale of its own: what a machine with
// tiles can afford. Two bytes an activation, so that 8-bit instructions multiply them.
#pragma once

#include <type_traits>

#include "cpu/int_dot.h"
#include "cpu/quant_span.h"

namespace omni::OMNI_ISA {
namespace {

// 127 * 256: 512 products with weights of 8 bits, summed, are below 2^31.
constexpr float kTop16 = 32512;
constexpr float kLeast = 1e-30f;  // what is smaller than this everywhere becomes zeros

// x[i] = scale[i / part] * (256 * high[i] + low[i]), and the sums of those integers of each part.
struct Rounded16 {
  int8_t* high;
  int8_t* low;
  float* scale;
  int32_t* sum;
};

inline Rounded16 rounded16_row(uint8_t* scratch, int64_t row, int64_t k) {
  constexpr int64_t kLine = 64;
  uint8_t* from = scratch + row * rounded_bytes(k);
  const int64_t values = ceil_div(k, kLine) * kLine;
  auto* scale = reinterpret_cast<float*>(from + 2 * values);
  auto* sum = reinterpret_cast<int32_t*>(scale + padded(k) / kBlockInputs);
  return {reinterpret_cast<int8_t*>(from), reinterpret_cast<int8_t*>(from) + values, scale, sum};
}

// Rounds `count` activations, filled up with zeros to `room`. What is not finite makes the scale a
// NaN.
inline void round_part(const float* x, int64_t count, int64_t room, int8_t* high, int8_t* low,
                       float* scale, int32_t* sum_of) {
  IntVec top = {};  // the bits of the largest size: those of what is not finite are larger still
  sweep(count, [&](int64_t i, auto lanes) {
    IntVec size = (IntVec)load(x + i, lanes) & 0x7fffffff;
    top = size > top ? size : top;
  });
  const float most = __builtin_bit_cast(float, largest(top));
  *scale = most / kTop16 + 0 * most;
  const Vec inverse = splat(most > kLeast ? kTop16 / most : 0);
  IntVec total = {};
  memset(high + count, 0, room - count);
  memset(low + count, 0, room - count);
  auto put = [&](Vec value, int8_t* to_high, int8_t* to_low) {
    const Vec shifted = multiply_add(value, inverse, splat(kRounder));
    const IntVec whole = (IntVec)shifted - kRounderBits, upper = (whole + 128) >> 8;
    store_low_bytes(to_high, upper);
    store_low_bytes(to_low, whole);
    total += whole;
  };
  sweep(count, [&](int64_t i, auto lanes) {
    Vec value = load(x + i, lanes);
    if constexpr (std::is_same_v<decltype(lanes), Full>) return put(value, high + i, low + i);
    int8_t upper[kLanes], lower[kLanes];
    put(value, upper, lower);
    memcpy(high + i, upper, count - i);
    memcpy(low + i, lower, count - i);
  });
  *sum_of = sum(total);
}

inline void round_row16(const float* x, const Quantized& weight, const Rounded16& to) {
  constexpr int64_t kLine = 64;
  const int64_t room = ceil_div(weight.k, kLine) * kLine;
  for_spans(weight, [&](const Span& span) {
    const int64_t first = span.block * kBlockInputs, end = first + span.blocks * kBlockInputs;
    const bool last = end >= weight.k;
    round_part(x + first, smaller(end, weight.k) - first, (last ? room : end) - first,
               to.high + first, to.low + first, to.scale + span.index, to.sum + span.index);
  });
}

}  // namespace
}  // namespace omni::OMNI_ISA
