// Exact products of 8-bit and 4-bit integers. Nothing here can saturate.
#pragma once

#include "cpu/simd.h"

namespace omni::OMNI_ISA {
namespace {

using ByteVec = uint8_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));
using ShortVec = int16_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));
using WordVec = uint16_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));

inline ByteVec load_bytes(const void* from) {
  ByteVec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

inline IntVec load_ints(const int32_t* from) {
  IntVec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

// Four bytes, repeated.
inline ByteVec splat4(const int8_t* from) {
  uint32_t word;
  memcpy(&word, from, sizeof(word));
  return (ByteVec)(word - BitVec{});
}

inline Vec to_float(IntVec value) {
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtepi32_ps((__m512i)value);
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtepi32_ps((__m256i)value);
#else
  return __builtin_convertvector(value, Vec);
#endif
}

inline int32_t largest(IntVec value) {
  int32_t top = value[0];
  for (int i = 1; i < kLanes; ++i) top = value[i] > top ? value[i] : top;
  return top;
}

inline int32_t sum(IntVec value) {
  int32_t total = 0;
  for (int i = 0; i < kLanes; ++i) total += value[i];
  return total;
}

// The low byte of each lane.
inline void store_low_bytes(int8_t* to, IntVec value) {
#if defined(__AVX512F__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8((__m512i)value));
#elif defined(__AVX2__)
  __m128i low = _mm256_castsi256_si128((__m256i)value);
  __m128i words = _mm_packs_epi32(low, _mm256_extracti128_si256((__m256i)value, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
#else
  for (int i = 0; i < kLanes; ++i) to[i] = static_cast<int8_t>(value[i]);
#endif
}

// Sums of neighbouring pairs.
inline IntVec add_pairs(ShortVec value) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  return (IntVec)_mm256_madd_epi16((__m256i)value, _mm256_set1_epi16(1));
#else
  return (((IntVec)value << 16) >> 16) + ((IntVec)value >> 16);
#endif
}

inline ShortVec low_bytes(ByteVec value) { return (ShortVec)value << 8 >> 8; }
inline ShortVec high_bytes(ByteVec value) { return (ShortVec)value >> 8; }

// Sums over four neighbours of u * s, u in [0, 15] and s in [-127, 127]. At most 8 may be added
// before nibble_total(): 8 * 2 * 15 * 127 < 2^15.
#if defined(__AVX512VNNI__)
using NibbleSums = IntVec;
inline NibbleSums add_products(NibbleSums sums, ByteVec u, ByteVec s) {
  return (IntVec)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)u, (__m512i)s);
}
inline IntVec nibble_total(NibbleSums sums) { return sums; }
#else
using NibbleSums = ShortVec;
inline NibbleSums add_products(NibbleSums sums, ByteVec u, ByteVec s) {
#if defined(__AVX2__)
  return sums + (ShortVec)_mm256_maddubs_epi16((__m256i)u, (__m256i)s);
#else
  return sums + low_bytes(u) * low_bytes(s) + high_bytes(u) * high_bytes(s);
#endif
}
inline IntVec nibble_total(NibbleSums sums) { return add_pairs(sums); }
#endif

// sums + a . b over four neighbours, both in [-127, 127]: two products fit 16 bits.
inline IntVec add_dot(IntVec sums, ByteVec a, ByteVec b) {
#if defined(__AVX512VNNI__)
  __m512i flipped =
      _mm512_mask_sub_epi8((__m512i)b, _mm512_movepi8_mask((__m512i)a), __m512i{}, (__m512i)b);
  return (IntVec)_mm512_dpbusd_epi32((__m512i)sums, _mm512_abs_epi8((__m512i)a), flipped);
#elif defined(__AVX2__)
  __m256i flipped = _mm256_sign_epi8((__m256i)b, (__m256i)a);
  return sums + add_pairs((ShortVec)_mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)a), flipped));
#else
  return sums + add_pairs(low_bytes(a) * low_bytes(b) + high_bytes(a) * high_bytes(b));
#endif
}

}  // namespace
}  // namespace omni::OMNI_ISA
