// A few rows of 16-bit activations times quantized panels: bound by the speed at which weights can
// be read. One stream a thread, asked for ahead.
#pragma once

#ifdef __AMX_TILE__

#include "cpu/quant_formats.h"
#include "cpu/quant_output.h"
#include "cpu/quant_round16.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kReadAhead = 2048;  // bytes

// Sums over four neighbours of u * s, u in [0, 255].
inline IntVec add_bytes(IntVec sums, ByteVec u, ByteVec s) {
  return (IntVec)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)u, (__m512i)s);
}

// 256 * high + low, exact as long as the result is below 2^31.
inline IntVec join(IntVec high, IntVec low) { return (IntVec)(((BitVec)high << 8) + (BitVec)low); }

// The exact products of B rows with one span of a panel.
template <int B>
inline void span_products(Int8, const uint8_t* data, const Scales<Int8>&, const Span& span,
                          const Rounded16* rows, IntVec (&out)[B]) {
  constexpr uint32_t kSigns = 0x80808080;  // flipped, a byte is 128 more and has none
  const ByteVec ones = (ByteVec)(0x01010101 - IntVec{});
  IntVec high[B] = {}, low[B] = {}, weights = {};
  for (int64_t i = span.block * kBlockInputs; i < (span.block + span.blocks) * kBlockInputs;
       i += 4) {
    __builtin_prefetch(data + kReadAhead);
    const ByteVec weight = load_bytes(data);
    data += kChunk;
    weights = add_bytes(weights, ones, weight);
    for (int b = 0; b < B; ++b) {
      high[b] = add_bytes(high[b], (ByteVec)((BitVec)splat4(rows[b].high + i) ^ kSigns), weight);
      low[b] = add_bytes(low[b], (ByteVec)((BitVec)splat4(rows[b].low + i) ^ kSigns), weight);
    }
  }
  const IntVec more = weights * 128;
  for (int b = 0; b < B; ++b) out[b] = join(high[b] - more, low[b] - more);
}

template <int B>
inline void span_products(Int4, const uint8_t* data, const Scales<Int4>& scales, const Span& span,
                          const Rounded16* rows, IntVec (&out)[B]) {
  IntVec high[B][2] = {}, low[B][2] = {};
  for (int64_t i = span.block * kBlockInputs; i < (span.block + span.blocks) * kBlockInputs;
       i += 8) {
    __builtin_prefetch(data + kReadAhead);
    const ByteVec bytes = load_bytes(data);
    data += kChunk;
    for (int quad = 0; quad < 2; ++quad) {
      const ByteVec weight = Int4::unpack(bytes, quad);
      for (int b = 0; b < B; ++b) {
        high[b][quad] = add_bytes(high[b][quad], weight, splat4(rows[b].high + i + 4 * quad));
        low[b][quad] = add_bytes(low[b][quad], weight, splat4(rows[b].low + i + 4 * quad));
      }
    }
  }
  const IntVec zero = scales.zero_steps(span.group, 0);
  for (int b = 0; b < B; ++b)
    out[b] = join(high[b][0] + high[b][1], low[b][0] + low[b][1]) - zero * rows[b].sum[span.index];
}

// Every row, at most kFewRows, of one panel. Sums are scaled in the order of quant_tiles.h.
template <class Format, int B>
__attribute__((noinline)) void few_rows(const QuantLinear& a, int64_t panel) {
  const uint8_t* data = a.weight.data + panel * padded(a.weight.k) / kBlockInputs * Format::kBlock;
  const Scales<Format> scales = scales_of<Format>(a.weight, panel);
  Rounded16 rows[B];
  for (int b = 0; b < B; ++b) rows[b] = rounded16_row(a.rounded, b, a.weight.k);
  Vec totals[B] = {};
  for_spans(a.weight, [&](const Span& span) {
    scales.prefetch(span.group + kGroupsAhead);
    IntVec exact[B];
    span_products(Format{}, data + span.block * Format::kBlock, scales, span, rows, exact);
    const Vec scale = scales.scale(span.group, 0);
    for (int b = 0; b < B; ++b) {
      const Vec product = to_float(exact[b]) * splat(rows[b].scale[span.index]);
      totals[b] = multiply_add(scale, product, totals[b]);
    }
  });
  alignas(64) float sums[B * kOutputs];
  for (int b = 0; b < B; ++b) store(sums + b * kOutputs, totals[b]);
  store_rows(a, panel, 1, 0, B, sums);
}

}  // namespace
}  // namespace omni::OMNI_ISA

#endif
