// Products of panels of a quantized weight, 16 outputs each, with a few rows of int8 activations.
#pragma once

#include "cpu/quant_formats.h"
#include "cpu/quant_round.h"

namespace omni::OMNI_ISA {
namespace {

// The integer products of one block of inputs, exact: of B rows, P panels at once.
template <class Format, int B, int P>
inline void block_products(const uint8_t* data, int64_t stride, const int8_t* const (&x)[B],
                           IntVec (&out)[B][P][kOutputVecs]) {
  constexpr int kInputs = 4 * Format::kQuads;  // of a chunk
  typename Format::Sums sums[B][P][kOutputVecs] = {};
  auto add_chunk = [&](int i, int p) {
    const uint8_t* chunk = data + p * stride + i / kInputs * kChunk;
    if (P == 1 && Format::kAhead > 0) __builtin_prefetch(chunk + Format::kAhead);
    ByteVec weights[Format::kQuads][kOutputVecs];
    for (int v = 0; v < kOutputVecs; ++v)
      for (int quad = 0; quad < Format::kQuads; ++quad)
        weights[quad][v] = Format::unpack(load_bytes(chunk + v * sizeof(ByteVec)), quad);
    for (int b = 0; b < B; ++b)
      for (int quad = 0; quad < Format::kQuads; ++quad) {
        ByteVec four = splat4(x[b] + i + 4 * quad);
        for (int v = 0; v < kOutputVecs; ++v)
          sums[b][p][v] = Format::add(sums[b][p][v], weights[quad][v], four);
      }
  };
  if constexpr (P == 1) {
#pragma GCC unroll 2  // more would not fit the registers
    for (int i = 0; i < kBlockInputs; i += kInputs) add_chunk(i, 0);
  } else {
#pragma GCC unroll 1
    for (int i = 0; i < kBlockInputs; i += kInputs)
      for (int p = 0; p < P; ++p) add_chunk(i, p);
  }
  for (int b = 0; b < B; ++b)
    for (int p = 0; p < P; ++p)
      for (int v = 0; v < kOutputVecs; ++v) out[b][p][v] = Format::total(sums[b][p][v]);
}

// sums[b][p][:] += x[b] . weight[p][:] over one span, of B rows and P panels whose weights are
// `stride` bytes apart. What is summed in which order depends on neither B nor P.
template <class Format, int B, int P>
inline void add_span(const uint8_t* data, int64_t stride, const Scales<Format> (&scales)[P],
                     const Span& span, const Rounded* rows, float* sums) {
  for (int p = 0; p < P; ++p) scales[p].prefetch(span.group + kGroupsAhead);
  Vec dots[B][P][kOutputVecs] = {};
  for (int64_t i = span.block; i < span.block + span.blocks; ++i) {
    const int8_t* x[B];
    for (int b = 0; b < B; ++b) x[b] = rows[b].value + i * kBlockInputs;
    IntVec exact[B][P][kOutputVecs];
    block_products<Format, B, P>(data, stride, x, exact);
    data += Format::kBlock;
    for (int b = 0; b < B; ++b)
      for (int p = 0; p < P; ++p)
        for (int v = 0; v < kOutputVecs; ++v)
          dots[b][p][v] =
              multiply_add(to_float(exact[b][p][v]), splat(rows[b].scale[i]), dots[b][p][v]);
  }
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 4
    for (int v = 0; v < kOutputVecs; ++v) {
      Vec scale = scales[p].scale(span.group, v), zero = scales[p].zero(span.group, v);
      for (int b = 0; b < B; ++b) {
        float* sum = sums + (b * P + p) * kOutputs + v * kLanes;
        Vec dot = dots[b][p][v];
        if (Format::kHasZero) dot = multiply_add(zero, splat(-rows[b].sum[span.index]), dot);
        store(sum, multiply_add(scale, dot, load(sum)));
      }
    }
}

}  // namespace
}  // namespace omni::OMNI_ISA
