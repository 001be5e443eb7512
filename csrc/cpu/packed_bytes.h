// Products of 8-bit activations without sign with 8-bit weights, exact: four products are summed in
// 16 bits, which the scale of the packed weights leaves room for (see ops/packed.py).
#pragma once

#include "cpu/gemm_kernels.h"
#include "cpu/packed_gemm.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kByteRows = kLanes == 8 ? 4 : kPanelRows;
constexpr int64_t kByteGroup = 8;  // inputs of one step
constexpr int64_t kByteLine = 64;  // inputs that lie together
constexpr int64_t kByteBlock = 16 * kMaxByteDepth;

// Four neighbouring inputs of kLanes outputs.
using ByteVec = int8_t __attribute__((vector_size(OMNI_VECTOR_BYTES)));

inline ByteVec load_bytes(const int8_t* from) {
  ByteVec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

// The same four inputs for every output.
inline ByteVec repeat(const uint8_t* from) {
  int32_t word;
  memcpy(&word, from, sizeof(word));
  return (ByteVec)(word - IntVec{});
}

// x . w + y . v of each output's four inputs; x and y are without sign.
inline IntVec dot(ByteVec x, ByteVec w, ByteVec y, ByteVec v) {
#if defined(__AVX512BW__)
  __m512i pairs = _mm512_add_epi16(_mm512_maddubs_epi16((__m512i)x, (__m512i)w),
                                   _mm512_maddubs_epi16((__m512i)y, (__m512i)v));
  return (IntVec)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#elif defined(__AVX2__)
  __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16((__m256i)x, (__m256i)w),
                                   _mm256_maddubs_epi16((__m256i)y, (__m256i)v));
  return (IntVec)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#else
  IntVec total = {};
  for (int i = 0; i < 4 * kLanes; ++i)
    total[i / 4] += static_cast<uint8_t>(x[i]) * w[i] + static_cast<uint8_t>(y[i]) * v[i];
  return total;
#endif
}

// To the nearest, ties to even.
inline IntVec rounded(Vec value) {
#if defined(__AVX512F__)
  return (IntVec)_mm512_cvtps_epi32((__m512)value);
#elif defined(__AVX2__)
  return (IntVec)_mm256_cvtps_epi32((__m256)value);
#else
  IntVec whole;
  for (int i = 0; i < kLanes; ++i) whole[i] = static_cast<int32_t>(rintf(value[i]));
  return whole;
#endif
}

// The nearest numbers of 0 .. 255.
inline void store_bytes(uint8_t* to, IntVec value, Full = {}) {
#if defined(__AVX512F__)
  value = value < 0 ? IntVec{} : value;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtusepi32_epi8((__m512i)value));
#elif defined(__AVX2__)
  __m128i low = _mm256_castsi256_si128((__m256i)value);
  __m128i words = _mm_packs_epi32(low, _mm256_extracti128_si256((__m256i)value, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(words, words));
#else
  for (int i = 0; i < kLanes; ++i) to[i] = static_cast<uint8_t>(smaller(255, larger(0, value[i])));
#endif
}

inline void store_bytes(uint8_t* to, IntVec value, Part part) {
  uint8_t bytes[kLanes];
  store_bytes(bytes, value);
  memcpy(to, bytes, part.count);
}

inline IntVec load_ints(const int32_t* from, Full = {}) {
  IntVec value;
  memcpy(&value, from, sizeof(value));
  return value;
}

inline IntVec load_ints(const int32_t* from, Part part) {
  IntVec value = {};
  for (int i = 0; i < part.count; ++i) value[i] = from[i];
  return value;
}

// A row's numbers are x = (number - zero) * step.
struct RowScale {
  float step;
  int32_t zero;
};

// The row's lines of 64 bytes begin `jump` bytes apart; those from k on are zero.
inline RowScale quantize_row(const float* x, int64_t k, uint8_t* row, int64_t jump) {
  Vec low = {}, high = {};
  sweep(k, [&](int64_t i, auto lanes) {
    Vec value = load(x + i, lanes);
    low = value < low ? value : low;
    high = max(high, value);
  });
  float bottom = -largest(-low), top = largest(high), range = top - bottom;
  float inverse = 255.f / (range > 1e-30f ? range : 1e-30f);
  int32_t zero = static_cast<int32_t>(rintf(-bottom * inverse));
  memset(row + k / kByteLine * jump, 0, k % kByteLine == 0 ? 0 : kByteLine);
  sweep(k, [&](int64_t i, auto lanes) {
    uint8_t* to = row + i / kByteLine * jump + i % kByteLine;
    store_bytes(to, rounded(load(x + i, lanes) * inverse) + zero, lanes);
  });
  return {range / 255.f, zero};
}

// sums[r][c] = x[r] . w[c] for kByteRows rows and one panel, [depth / 4][16][4].
__attribute__((noinline)) void multiply_bytes(const uint8_t* x, const int8_t* panel, int64_t depth,
                                              int32_t* sums) {
  IntVec acc[kByteRows][kPanelVecs] = {};
  for (int64_t i = 0; i < depth; i += kByteGroup) {
    ByteVec weights[2][kPanelVecs];
    for (int half = 0; half < 2; ++half)
      for (int v = 0; v < kPanelVecs; ++v)
        weights[half][v] = load_bytes(panel + (i + 4 * half) * kPanelCols + 4 * v * kLanes);
    for (int r = 0; r < kByteRows; ++r) {
      ByteVec left = repeat(x + r * depth + i), right = repeat(x + r * depth + i + 4);
      for (int v = 0; v < kPanelVecs; ++v)
        acc[r][v] += dot(left, weights[0][v], right, weights[1][v]);
    }
  }
  memcpy(sums, acc, sizeof(acc));
}

// out[c] = sums[c] less what the row's zero adds, in the units of the product.
inline void rescale(const int32_t* sums, RowScale row, const PackedWeight& weight, int64_t col,
                    int64_t cols, float* out) {
  sweep(cols, [&](int64_t c, auto lanes) {
    IntVec whole = load_ints(sums + c) - row.zero * load_ints(weight.sums + col + c, lanes);
    Vec scale = row.step * load(weight.scale + col + c, lanes);
    store(out + c, __builtin_convertvector(whole, Vec) * scale);
  });
}

// As packed_product, with one slice.
template <class Put>
void packed_byte_product(const float* x, int64_t rows, const PackedWeight& weight, int64_t col,
                         int64_t col_end, Put&& put) {
  alignas(64) uint8_t block[kByteBlock];
  alignas(64) int32_t sums[kByteRows * kPanelCols];
  alignas(64) float values[kPanelCols];
  RowScale scales[kBlockRows];
  int64_t depth = packed_inputs(DType::i8, weight.k);
  int64_t step = smaller(kBlockRows, kByteBlock / depth) / kByteRows * kByteRows;
  const auto* data = static_cast<const int8_t*>(weight.data);
  for (int64_t row = 0; row < rows; row += step) {
    int64_t count = smaller(step, rows - row);
    for (int64_t r = 0; r < count; ++r)
      scales[r] = quantize_row(x + (row + r) * weight.k, weight.k, block + r * depth, kByteLine);
    for (int64_t c = col; c < col_end; c += kPanelCols) {
      int64_t cols = smaller(kPanelCols, col_end - c);
      for (int64_t tile = 0; tile < count; tile += kByteRows) {
        multiply_bytes(block + tile * depth, data + c * depth, depth, sums);
        for (int64_t r = tile; r < smaller(count, tile + kByteRows); ++r) {
          rescale(sums + (r - tile) * kPanelCols, scales[r], weight, c, cols, values);
          put(Sums{values, row + r, c, cols, true, true});
        }
      }
    }
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA
