// Float32 numbers as sums of bfloat16 ones: the nearest, then the nearest to what is left, and so
// on. Three are exact.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/simd.h"
#include "cpu/tiles.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kTile = kTileSide * kTileBytes;
constexpr int64_t kSplitInputs = 32;  // of a line

// 32 numbers, low before high, as bfloat16; what is left of them stays in the arguments.
inline __m512i take_halves(Vec& low, Vec& high) {
  auto halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  low -= (Vec)(extend((HalfVec)_mm512_castsi512_si256(halves)) << 16);
  high -= (Vec)(extend((HalfVec)_mm512_extracti64x4_epi64(halves, 1)) << 16);
  return halves;
}

// The same with the numbers in pairs: low[0], high[0], low[1], ...
inline __m512i take_pairs(Vec& low, Vec& high, __m512i interleave) {
  auto halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  auto pairs = (BitVec)_mm512_permutexvar_epi16(interleave, halves);
  low -= (Vec)(pairs << 16);
  high -= (Vec)(pairs & 0xffff0000);
  return (__m512i)pairs;
}

// A row of `depth` numbers as lines of 32, `jump` bytes apart, N pieces after each other; zeros
// fill the last.
template <int N>
inline void split_row(const float* x, int64_t depth, uint8_t* to, int64_t jump) {
  for (int64_t i = 0; i < depth; i += kSplitInputs) {
    auto part = [&](int64_t at) {
      int64_t left = depth - at;
      return left >= kLanes ? load(x + at) : load(x + at, Part{static_cast<int>(larger(0, left))});
    };
    Vec low = part(i), high = part(i + kLanes);
    for (int p = 0; p < N; ++p, to += jump) {
      __m512i halves = take_halves(low, high);
      memcpy(to, &halves, sizeof(halves));
    }
  }
}

// A panel [depth][16] as tiles [step][N pieces][16 pairs of inputs][16][2]; zeros fill the last.
template <int N>
inline void split_panel(const float* panel, int64_t depth, uint8_t* to) {
  alignas(64) uint16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<uint16_t>(i / 2 + i % 2 * 16);
  __m512i interleave = _mm512_load_si512(order);
  for (int64_t i = 0; i < ceil_div(depth, kSplitInputs) * kSplitInputs; i += 2) {
    Vec even = i < depth ? load(panel + i * kLanes) : Vec{};
    Vec odd = i + 1 < depth ? load(panel + (i + 1) * kLanes) : Vec{};
    uint8_t* line = to + (i / kSplitInputs * N * kTileSide + i % kSplitInputs / 2) * kTileBytes;
    for (int p = 0; p < N; ++p, line += kTile) {
      __m512i pairs = take_pairs(even, odd, interleave);
      memcpy(line, &pairs, sizeof(pairs));
    }
  }
}

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
