// A vector of the width of one instruction set, by the vector extensions of GCC and Clang.
//
// Included only by sources that are compiled once per instruction set. Everything lives in an
// unnamed namespace inside omni::OMNI_ISA: an inline function shared between those objects would
// let the linker keep a copy that this machine cannot run.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/dtype.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kLanes = OMNI_VECTOR_BYTES / 4;

using Vec = float __attribute__((vector_size(OMNI_VECTOR_BYTES)));
using IntVec = int32_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));
using BitVec = uint32_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));
using HalfVec = uint16_t __attribute__((vector_size(OMNI_VECTOR_BYTES / 2)));
using QuarterVec = int8_t __attribute__((vector_size(OMNI_VECTOR_BYTES / 4)));

// How many lanes of a vector a memory access touches.
struct Full {};
struct Part {
  int count;
};

inline Vec splat(float value) { return value - Vec{}; }  // x - 0 folds to x, x + 0 does not

inline float widen(float value) { return value; }
inline float widen(int8_t value) { return value; }
inline float widen(bf16 value) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(value.bits) << 16);
}

// Lanes that are not touched hold `rest`.
inline Vec load(const float* from, Full = {}, float /*rest*/ = 0) {
  Vec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

// Zero-extends. GCC 12 splits __builtin_convertvector in two halves, hence the intrinsics.
inline BitVec extend(HalfVec half) {
#if defined(__AVX512F__)
  return (BitVec)_mm512_cvtepu16_epi32((__m256i)half);
#elif defined(__AVX2__)
  return (BitVec)_mm256_cvtepu16_epi32((__m128i)half);
#else
  return __builtin_convertvector(half, BitVec);
#endif
}

inline Vec load(const bf16* from, Full = {}, float /*rest*/ = 0) {
  HalfVec half;
  memcpy(&half, from, sizeof(half));
  return (Vec)(extend(half) << 16);
}

inline Vec load(const int8_t* from, Full = {}, float /*rest*/ = 0) {
  QuarterVec bytes;
  memcpy(&bytes, from, sizeof(bytes));
#if defined(__AVX512F__)
  return (Vec)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)bytes));
#elif defined(__AVX2__)
  return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_set1_epi64x((int64_t)bytes)));
#else
  return __builtin_convertvector(bytes, Vec);
#endif
}

template <class T>
inline Vec load(const T* from, Part part, float rest = 0) {
  Vec value = splat(rest);
  for (int i = 0; i < part.count; ++i) value[i] = widen(from[i]);
  return value;
}

// Round to nearest, ties to even; a NaN stays one.
inline HalfVec narrow(Vec value) {
  BitVec bits = (BitVec)value;
  BitVec rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  BitVec nan = (BitVec)(value != value);
  return __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0), HalfVec);
}

inline void store(float* to, Vec value, Full = {}) { memcpy(to, &value, sizeof(value)); }

inline void store(bf16* to, Vec value, Full = {}) {
  HalfVec half = narrow(value);
  memcpy(to, &half, sizeof(half));
}

inline void store(float* to, Vec value, Part part) {
  for (int i = 0; i < part.count; ++i) to[i] = value[i];
}

inline void store(bf16* to, Vec value, Part part) {
  HalfVec half = narrow(value);
  for (int i = 0; i < part.count; ++i) to[i].bits = half[i];
}

// a * b + c, rounded once where the instruction set can. Written out, since a compiler that chooses
// what to fuse may choose otherwise in the next tile, and equal sums would differ.
inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__)
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

// 1.5 * 2^23: added to a number below 2^22, it leaves the nearest integer in the low bits.
constexpr float kRounder = 12582912.f;
constexpr int32_t kRounderBits = 0x4b400000;

inline Vec max(Vec a, Vec b) { return a > b ? a : b; }

inline float sum(Vec value) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += value[i];
  return total;
}

inline float largest(Vec value) {
  float top = value[0];
  for (int i = 1; i < kLanes; ++i) top = value[i] > top ? value[i] : top;
  return top;
}

// e^x within 2 ulp on [-87, 88], saturating outside: 2^n times a polynomial on [-ln2/2, ln2/2]
// (the coefficients of Cephes' expf).
inline Vec exp(Vec x) {
  x = x < -87.3f ? splat(-87.3f) : x;  // false for a NaN, which stays one
  x = x > 88.3f ? splat(88.3f) : x;
  Vec shifted = x * 1.44269504f + kRounder;
  Vec n = shifted - kRounder;
  Vec r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vec p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  IntVec exponent = ((IntVec)shifted - kRounderBits + 127) << 23;
  return p * (Vec)exponent;
}

// Calls f(i, lanes) for every vector of a row of n elements; the last may be a Part.
template <class F>
inline void sweep(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) f(i, Full{});
  if (i < n) f(i, Part{static_cast<int>(n - i)});
}

// Calls f with the data as float* or bf16*.
template <class F>
inline void with_type(const void* data, DType dtype, F&& f) {
  if (dtype == DType::bf16)
    f(static_cast<const bf16*>(data));
  else
    f(static_cast<const float*>(data));
}

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace
}  // namespace omni::OMNI_ISA
