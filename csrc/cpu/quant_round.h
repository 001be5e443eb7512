// Activations rounded to int8, each block of 32 with a scale of its own.
#pragma once

#include "cpu/int_dot.h"
#include "cpu/quant_span.h"

namespace omni::OMNI_ISA {
namespace {

// A row of activations: x[i] = scale[i / 32] * value[i], and the sums of x over the weight's parts.
struct Rounded {
  int8_t* value;
  float* scale;
  float* sum;
};

inline Rounded rounded_row(uint8_t* scratch, int64_t row, int64_t k) {
  uint8_t* from = scratch + row * rounded_bytes(k);
  auto* scale = reinterpret_cast<float*>(from + padded(k));
  return {reinterpret_cast<int8_t*>(from), scale, scale + padded(k) / kBlockInputs};
}

// Rounds 32 activations; returns their sum as rounded. What is not finite makes the scale a NaN.
inline float round_block(const float* x, int8_t* value, float* scale) {
  IntVec top = {};  // the bits of the largest size: those of what is not finite are larger still
  for (int i = 0; i < kBlockInputs; i += kLanes) {
    IntVec size = (IntVec)load(x + i) & 0x7fffffff;
    top = size > top ? size : top;
  }
  float most = __builtin_bit_cast(float, largest(top));
  *scale = most / 127 + 0 * most;
  Vec inverse = splat(most > 0 ? 127 / most : 0);
  IntVec total = {};
  for (int i = 0; i < kBlockInputs; i += kLanes) {
    Vec shifted = multiply_add(load(x + i), inverse, splat(kRounder));
    IntVec whole = (IntVec)shifted - kRounderBits;
    store_low_bytes(value + i, whole);
    total += whole;
  }
  return sum(total) * *scale;
}

inline void round_row(const float* x, const Quantized& weight, const Rounded& to) {
  const int64_t part = part_inputs(weight);
  for (int64_t i = 0; i < padded(weight.k); i += kBlockInputs) {
    float tail[kBlockInputs] = {};
    const float* from = x + i;
    if (i + kBlockInputs > weight.k) {
      memcpy(tail, from, (weight.k - i) * sizeof(float));
      from = tail;
    }
    float sum = round_block(from, to.value + i, to.scale + i / kBlockInputs);
    float* sums = to.sum + i / part;
    *sums = i % part == 0 ? sum : *sums + sum;
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
