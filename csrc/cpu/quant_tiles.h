// Many rows of 16-bit activations times quantized panels, by tiles.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/quant_formats.h"
#include "cpu/quant_output.h"
#include "cpu/quant_round16.h"
#include "cpu/tiles.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kPair = 2;           // panels that a tile of rows meets at once
constexpr int64_t kTileInputs = 64;    // inputs of a tile
constexpr int64_t kTileSize = 1024;    // bytes
constexpr int64_t kSliceInputs = 512;  // of weights that stay in the L1, two panels of them
constexpr int64_t kSliceSpans = kSliceInputs / kBlockInputs;

// Weights of a span as tiles of signed bytes, the zero-points subtracted, the last filled up with
// zeros. Those that are so already stay where they are.
inline const uint8_t* unpacked(Int8, const Quantized& weight, int64_t panel, const Span& span,
                               uint8_t* room) {
  const uint8_t* data =
      weight.data + (panel * padded(weight.k) + span.block * kBlockInputs) * kOutputs;
  if (span.blocks % 2 == 0) return data;
  memcpy(room, data, span.blocks * kByteBlock);
  memset(room + span.blocks * kByteBlock, 0, kByteBlock);
  return room;
}

inline const uint8_t* unpacked(Int4, const Quantized& weight, int64_t panel, const Span& span,
                               uint8_t* room) {
  const uint8_t* data =
      weight.data + (panel * padded(weight.k) + span.block * kBlockInputs) * kOutputs / 2;
  const IntVec zero = scales_of<Int4>(weight, panel).zero_steps(span.group, 0);
  const ByteVec zeros = (ByteVec)(zero * 0x01010101);
  for (int64_t i = 0; i < span.blocks * Int4::kBlock; i += kChunk)
    for (int quad = 0; quad < 2; ++quad) {
      __builtin_prefetch(data + i + Int4::kAhead);
      const ByteVec steps = Int4::unpack(load_bytes(data + i), quad) - zeros;
      memcpy(room + 2 * i + quad * kChunk, &steps, sizeof(steps));
    }
  if (span.blocks % 2 != 0) memset(room + span.blocks * kByteBlock, 0, kByteBlock);
  return room;
}

// The sums of a tile of rows over one span, of both bytes: [panel][high, low][row][16].
using TileSums = int32_t[kPair][2][kTileSide][kOutputs];

inline void multiply_tiles(const Rounded16& x, int64_t stride, const uint8_t* const* weights,
                           int64_t steps, TileSums& sums) {
  clear_tile<0>();
  clear_tile<1>();
  clear_tile<2>();
  clear_tile<3>();
  for (int64_t i = 0; i < steps; ++i) {
    load_tile<4>(x.high + i * kTileInputs, stride);
    load_tile<6>(weights[0] + i * kTileSize, kTileBytes);
    multiply_i8<0, 4, 6>();
    load_tile<5>(x.low + i * kTileInputs, stride);
    multiply_i8<1, 5, 6>();
    load_tile<7>(weights[1] + i * kTileSize, kTileBytes);
    multiply_i8<2, 4, 7>();
    multiply_i8<3, 5, 7>();
  }
  store_tile<0>(sums[0][0], kTileBytes);
  store_tile<1>(sums[0][1], kTileBytes);
  store_tile<2>(sums[1][0], kTileBytes);
  store_tile<3>(sums[1][1], kTileBytes);
}

// total[row][:] += the products of one span, scaled. Exact up to the scales.
template <class Format>
inline void add_scaled(const TileSums& sums, const Rounded16& x, int64_t stride, int64_t rows,
                       const Span& span, const Scales<Format>* scales, float* total) {
  for (int p = 0; p < kPair; ++p) {
    const Vec scale = scales[p].scale(span.group, 0);
    const auto* step = reinterpret_cast<const uint8_t*>(x.scale + span.index);
    for (int64_t r = 0; r < rows; ++r) {
      const IntVec exact = (load_ints(sums[p][0][r]) << 8) + load_ints(sums[p][1][r]);
      float* to = total + r * kPair * kOutputs + p * kOutputs;
      const Vec product =
          to_float(exact) * splat(*reinterpret_cast<const float*>(step + r * stride));
      store(to, multiply_add(scale, product, load(to)));
    }
  }
}

constexpr int64_t kChunkRows = 256, kChunkPairs = 8;  // whose sums and bytes stay in the L2

// Rows [row, row + rows) of kChunkPairs pairs of panels or what is left of them.
template <class Format>
class TileChunk {
 public:
  TileChunk(const QuantLinear& linear, int64_t row, int64_t rows, int64_t panel, int64_t panel_end)
      : a(linear), row(row), rows(rows), panel(panel), panel_end(panel_end) {
    memset(totals, 0, ceil_div(panel_end - panel, kPair) * sizeof(totals[0]));
  }

  void run() {
    TileScope tiles(static_cast<int>(side));
    const int64_t spans = spans_of(a.weight);
    const int64_t step = larger(1, kSliceInputs / part_inputs(a.weight));
    for (int64_t first = 0; first < spans; first += step)
      for (int64_t pair = 0; panel + pair * kPair < panel_end; ++pair)
        add_slice(pair, first, smaller(spans, first + step));
    for (int64_t pair = 0; panel + pair * kPair < panel_end; ++pair)
      for (int64_t t = 0; t * kTileSide < rows; ++t)
        store_rows(a, panel + pair * kPair, kPair, row_of(t), side, totals[pair][t]);
  }

 private:
  int64_t row_of(int64_t tile) const { return row + smaller(tile * kTileSide, rows - side); }

  // An odd last panel is multiplied twice.
  void add_slice(int64_t pair, int64_t first, int64_t last) {
    const uint8_t* weights[kSliceSpans][kPair];
    Scales<Format> scales[kPair];
    for (int p = 0; p < kPair; ++p) {
      const int64_t at = smaller(panel + pair * kPair + p, panel_end - 1);
      uint8_t* to = room[p];
      scales[p] = scales_of<Format>(a.weight, at);
      for (int64_t i = first; i < last; ++i) {
        const Span span = span_of(a.weight, i);
        weights[i - first][p] = unpacked(Format{}, a.weight, at, span, to);
        to += ceil_div(span.blocks, 2) * kTileSize;
      }
    }
    for (int64_t t = 0; t * kTileSide < rows; ++t)
      for (int64_t i = first; i < last; ++i) add_tile(pair, t, i, weights[i - first], scales);
  }

  void add_tile(int64_t pair, int64_t t, int64_t index, const uint8_t* const (&weights)[kPair],
                const Scales<Format>* scales) {
    alignas(64) TileSums sums;
    const Span span = span_of(a.weight, index);
    Rounded16 x = rounded16_row(a.rounded, row_of(t), a.weight.k);
    x.high += span.block * kBlockInputs;
    x.low += span.block * kBlockInputs;
    multiply_tiles(x, stride, weights, ceil_div(span.blocks, 2), sums);
    add_scaled(sums, x, stride, side, span, scales, totals[pair][t]);
  }

  const QuantLinear& a;
  const int64_t row, rows, panel, panel_end;
  const int64_t stride = rounded_bytes(a.weight.k);
  const int64_t side = smaller(kTileSide, rows);  // rows of a tile; the last may overlap another
  alignas(64) float totals[kChunkPairs][kChunkRows / kTileSide][kTileSide * kPair * kOutputs];
  alignas(64) uint8_t room[kPair][kSliceSpans * kTileSize];
};

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
