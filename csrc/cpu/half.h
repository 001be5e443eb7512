// float16 by integer arithmetic, the same on every instruction set.
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

constexpr uint16_t kHalfInfinity = 0x7c00;

// Finite values only.
inline Vec load_half(const uint16_t* from) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#elif defined(__F16C__)
  return (Vec)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
  HalfVec half;
  memcpy(&half, from, sizeof(half));
  BitVec bits = extend(half);
  Vec size = (Vec)((bits & 0x7fff) << 13) * 0x1p112f;  // the exponents' biases differ by 112
  return (Vec)((BitVec)size | (bits & 0x8000) << 16);
#endif
}

inline float widen_half(uint16_t half) {
  float size = __builtin_bit_cast(float, (half & 0x7fffu) << 13) * 0x1p112f;
  return half >> 15 ? -size : size;
}

// To the nearest, ties to even. What is too large, or no number, is infinite.
inline uint16_t narrow_half(float value) {
  uint32_t bits = __builtin_bit_cast(uint32_t, value), sign = bits >> 16 & 0x8000;
  float size = __builtin_bit_cast(float, bits & 0x7fffffff);
  if (size < 0x1p-14f) {  // subnormal: a multiple of 2^-24, rounded by adding
    uint32_t rounded = __builtin_bit_cast(uint32_t, size * 0x1p24f + kRounder);
    return sign | (rounded & 0x7ff);
  }
  if (!(size < 65520.f)) return sign | kHalfInfinity;
  bits = __builtin_bit_cast(uint32_t, size) - (112u << 23);
  return sign | (bits + 0xfff + (bits >> 13 & 1)) >> 13;
}

}  // namespace
}  // namespace omni::OMNI_ISA
