// Products of a bfloat16 weight with many rows of float32 activations, by tiles. An activation is
// the sum of two bfloat16 numbers: an error of at most 2^-17, where one alone would leave 2^-8.
// Sums are of float32.
//
// Weights are the left side, so that their rows are copied as they lie; activations are the right
// one, transposed once for many outputs.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/kernels.h"
#include "cpu/tiles.h"
#include "cpu/transpose.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kStepInputs = 32;            // inputs of a tile
constexpr int64_t kTileSize = 1024;            // bytes
constexpr int64_t kSliceSteps = 8;             // of which both sides stay in the caches
constexpr int64_t kChunkRows = 256;            // of activations that stay in the L2
constexpr int64_t kChunkOutputs = 1024;        // whose sums stay in the L2
constexpr int64_t kPairSide = 2 * kTileSide;   // rows, or outputs, of a square of four tiles
constexpr int64_t kPairBytes = 2 * kTileSize;  // of two tiles at one step
constexpr int64_t kSquare = kPairSide * kPairSide;

// Sixteen float32 of a row, those beyond `count` zeros.
inline Vec load_up_to(const float* from, int64_t count) {
  if (count >= kLanes) return load(from);
  return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << larger(0, count)) - 1), from);
}

// The nearest bfloat16 of 32 numbers, in order.
inline Vec narrow_pair(Vec first, Vec second) {
  return (Vec)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}

inline Vec widen_half(Vec pair, int which) {
  const __m512i bits = (__m512i)pair;
  const __m256i half =
      which == 0 ? _mm512_castsi512_si256(bits) : _mm512_extracti64x4_epi64(bits, 1);
  return (Vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

inline void store_transposed(Vec (&rows)[kLanes], uint8_t* to) {
  transpose(rows);
  for (int i = 0; i < kLanes; ++i) memcpy(to + i * kTileBytes, &rows[i], kTileBytes);
}

// A tile of 16 rows, of which `rows` are there, and 32 inputs, of which `count` are: the upper
// terms at `to`, the lower ones a tile behind those of the neighbouring rows.
inline void pack_activations(const float* x, int64_t stride, int64_t rows, int64_t count,
                             uint8_t* to) {
  Vec upper[kLanes], lower[kLanes];
  for (int64_t r = 0; r < kTileSide; ++r) {
    upper[r] = lower[r] = Vec{};
    if (r >= rows) continue;
    const Vec first = load_up_to(x + r * stride, count);
    const Vec second = load_up_to(x + r * stride + kLanes, count - kLanes);
    upper[r] = narrow_pair(first, second);
    lower[r] = narrow_pair(first - widen_half(upper[r], 0), second - widen_half(upper[r], 1));
  }
  store_transposed(upper, to);
  store_transposed(lower, to + kPairBytes);
}

// 32 outputs, of which `outputs` are there, and a slice of their inputs: [step][32][64 bytes].
inline void pack_weights(const bf16* weight, int64_t stride, int64_t outputs, int64_t inputs,
                         uint8_t* to) {
  for (int64_t o = 0; o < kPairSide; ++o)
    for (int64_t i = 0; i < inputs; i += kStepInputs) {
      uint8_t* at = to + i / kStepInputs * kPairBytes + o * kTileBytes;
      const int64_t bytes = o < outputs ? smaller(kStepInputs, inputs - i) * 2 : 0;
      if (bytes == kTileBytes) {
        memcpy(at, weight + o * stride + i, kTileBytes);
      } else {
        memset(at, 0, kTileBytes);
        memcpy(at, weight + o * stride + i, bytes);
      }
    }
}

// sums[output tile][row tile][output][row] += weights times activations over some steps.
inline void add_square(const uint8_t* weights, const uint8_t* x, int64_t steps, float* sums) {
  load_tile<0>(sums, kTileBytes);
  load_tile<1>(sums + kSquare / 4, kTileBytes);
  load_tile<2>(sums + kSquare / 2, kTileBytes);
  load_tile<3>(sums + kSquare / 4 * 3, kTileBytes);
  for (int64_t i = 0; i < steps; ++i) {
    load_tile<4>(weights + i * kPairBytes, kTileBytes);
    load_tile<5>(weights + i * kPairBytes + kTileSize, kTileBytes);
    for (int term = 0; term < 2; ++term) {
      const uint8_t* right = x + (2 * i + term) * kPairBytes;
      load_tile<6>(right, kTileBytes);
      load_tile<7>(right + kTileSize, kTileBytes);
      multiply_bf16<0, 4, 6>();
      multiply_bf16<1, 4, 7>();
      multiply_bf16<2, 5, 6>();
      multiply_bf16<3, 5, 7>();
    }
  }
  store_tile<0>(sums, kTileBytes);
  store_tile<1>(sums + kSquare / 4, kTileBytes);
  store_tile<2>(sums + kSquare / 2, kTileBytes);
  store_tile<3>(sums + kSquare / 4 * 3, kTileBytes);
}

// Rows [row, row + rows) times outputs [col, col + cols), at most kChunkRows and kChunkOutputs.
class SquareChunk {
 public:
  SquareChunk(const Linear& linear, int64_t row, int64_t rows, int64_t col, int64_t cols)
      : a(linear), row(row), rows(rows), col(col), cols(cols) {}

  void run() {
    TileScope tiles;
    for (int64_t o = 0; o < cols; o += kPairSide)
      memset(sums[o / kPairSide], 0, ceil_div(rows, kPairSide) * sizeof(sums[0][0]));
    constexpr int64_t kSlice = kSliceSteps * kStepInputs;
    for (int64_t k = 0; k < a.k; k += kSlice) add_slice(k, smaller(kSlice, a.k - k));
    for (int64_t o = 0; o < cols; o += kTileSide)
      for (int64_t r = 0; r < rows; r += kTileSide) store_tile_of(o, r);
  }

 private:
  void add_slice(int64_t k, int64_t inputs) {
    const int64_t steps = ceil_div(inputs, kStepInputs);
    for (int64_t r = 0; r < ceil_div(rows, kPairSide) * kPairSide; r += kTileSide)
      for (int64_t i = 0; i < steps; ++i)
        pack_activations(a.x + (row + r) * a.k + k + i * kStepInputs, a.k, rows - r,
                         inputs - i * kStepInputs,
                         x[r / kPairSide][i] + r % kPairSide / kTileSide * kTileSize);
    const auto* weight = static_cast<const bf16*>(a.weight.data);
    for (int64_t o = 0; o < cols; o += kPairSide) {
      pack_weights(weight + (col + o) * a.k + k, a.k, cols - o, inputs, weights);
      for (int64_t r = 0; r < rows; r += kPairSide)
        add_square(weights, x[r / kPairSide][0], steps, sums[o / kPairSide][r / kPairSide]);
    }
  }

  // A tile of sums has its outputs down and its rows across.
  void store_tile_of(int64_t o, int64_t r) {
    const float* from = sums[o / kPairSide][r / kPairSide] +
                        (o / kTileSide % 2 * 2 + r / kTileSide % 2) * (kSquare / 4);
    Vec square[kLanes];
    for (int i = 0; i < kLanes; ++i) square[i] = load(from + i * kTileSide);
    transpose(square);
    for (int64_t i = 0; i < smaller(kTileSide, rows - r); ++i)
      sweep(smaller(kTileSide, cols - o), [&](int64_t, auto lanes) {
        store(a.out + (row + r + i) * a.n + col + o, square[i], lanes);
      });
  }

  const Linear& a;
  const int64_t row, rows, col, cols;
  alignas(64) uint8_t weights[kSliceSteps * kPairBytes];
  alignas(64) uint8_t x[kChunkRows / kPairSide][kSliceSteps][2 * kPairBytes];
  alignas(64) float sums[kChunkOutputs / kPairSide][kChunkRows / kPairSide][kSquare];
};

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
