// Blocks of a product with a quantized weight: few rows from memory, many from the cache.
#pragma once

#include "cpu/quant_output.h"
#include "cpu/quant_panel.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int64_t kStreams = 4;           // panels that one thread reads at once
constexpr int64_t kFewRows = 4;           // so many meet each weight as it is read
constexpr int64_t kRowBlock = 96;         // most rows whose sums stay in the L1
constexpr int64_t kRowBytes = 256 << 10;  // of rounded rows that stay in the L2

// Every row, at most kFewRows, of P panels.
template <class Format, int B, int P>
__attribute__((noinline)) void few_rows(const QuantLinear& a, int64_t panel) {
  const int64_t stride = padded(a.weight.k) / kBlockInputs * Format::kBlock;
  const uint8_t* data = a.weight.data + panel * stride;
  alignas(64) float sums[B * P * kOutputs] = {};
  Scales<Format> scales[P];
  Rounded rows[B];
  for (int p = 0; p < P; ++p) scales[p] = scales_of<Format>(a.weight, panel + p);
  for (int b = 0; b < B; ++b) rows[b] = rounded_row(a.rounded, b, a.weight.k);
  for_spans(a.weight, [&](const Span& span) {
    add_span<Format, B, P>(data + span.block * Format::kBlock, stride, scales, span, rows, sums);
  });
  store_rows(a, panel, P, 0, B, sums);
}

template <class Format, int B>
__attribute__((noinline)) void tile(const uint8_t* data, const Scales<Format>& scales,
                                    const Span& span, const Rounded* rows, float* sums) {
  add_span<Format, B, 1>(data, 0, {scales}, span, rows, sums);
}

// Rows [row, row_end), at most kRowBlock, of one panel.
template <class Format>
void many_rows(const QuantLinear& a, int64_t panel, int64_t row, int64_t row_end) {
  const int64_t stride = padded(a.weight.k) / kBlockInputs * Format::kBlock;
  alignas(64) float sums[kRowBlock * kOutputs];
  alignas(64) uint8_t room[kPart / kBlockInputs * kByteBlock];
  Rounded rows[kRowBlock];
  const int64_t count = row_end - row;
  for (int64_t r = 0; r < count; ++r) rows[r] = rounded_row(a.rounded, row + r, a.weight.k);
  memset(sums, 0, count * kOutputs * sizeof(float));
  for_spans(a.weight, [&](const Span& span) {
    const uint8_t* data = a.weight.data + panel * stride + span.block * Format::kBlock;
    using Cached = decltype(cached(Format{}, data, span.blocks, room));
    cached(Format{}, data, span.blocks, room);
    const auto scales = scales_of<Cached>(a.weight, panel);
    for (int64_t r = 0; r < count; r += Format::kTile)
      with_count<Format::kTile>(count - r, [&](auto b) {
        tile<Cached, b>(data, scales, span, rows + r, sums + r * kOutputs);
      });
  });
  store_rows(a, panel, 1, row, count, sums);
}

}  // namespace
}  // namespace omni::OMNI_ISA
