// Products of one panel of a quantized weight, 16 outputs, with a few rows of int8 activations.
#pragma once

#include "cpu/int_dot.h"
#include "cpu/quantized_row.h"

namespace omni::OMNI_ISA {
namespace {

constexpr int kOutputVecs = kOutputs / kLanes;
constexpr int kAhead = 2048;  // bytes that are asked for before they are needed

// An output's weights in 8 bits, one scale for all of them.
struct Int8 {
  using Sums = IntVec;
  using Scale = float;
  static constexpr int kQuads = 1;  // fours of inputs in a chunk
  static ByteVec unpack(ByteVec bytes, int) { return bytes; }
  static Sums add(Sums sums, ByteVec weights, ByteVec x) { return add_dot(sums, weights, x); }
  static IntVec total(Sums sums) { return sums; }
  static Vec scale(const Scale* from) { return load(from); }
  static int zero(const uint8_t*, int) { return 0; }
};

// Weights in 4 bits, a scale and perhaps a zero-point for each group of inputs.
struct Int4 {
  using Sums = NibbleSums;
  using Scale = uint16_t;
  static constexpr int kQuads = 2;
  static ByteVec unpack(ByteVec bytes, int quad) {
    return (quad == 0 ? bytes : (ByteVec)((WordVec)bytes >> 4)) & 15;
  }
  static Sums add(Sums sums, ByteVec weights, ByteVec x) { return add_products(sums, weights, x); }
  static IntVec total(Sums sums) { return nibble_total(sums); }
  static Vec scale(const Scale* from) { return load_half(from); }
  static int zero(const uint8_t* zeros, int output) {
    if (zeros == nullptr) return kMiddle;
    return output < 8 ? zeros[output] & 15 : zeros[output - 8] >> 4;
  }
};

// A row of activations: x[i] = scale[i / 32] * value[i], and the sums of x over the weight's
// groups.
struct Rounded {
  int8_t* value;
  float* scale;
  float* sum;
};

// The integer products of one block of inputs, exact.
template <class Format, int B>
inline void block_products(const uint8_t* data, const int8_t* const (&x)[B],
                           IntVec (&out)[B][kOutputVecs]) {
  typename Format::Sums sums[B][kOutputVecs] = {};
#pragma GCC unroll 1  // more would not fit the registers
  for (int i = 0; i < kBlockInputs; i += 4 * Format::kQuads, data += kChunk) {
    __builtin_prefetch(data + kAhead);
    ByteVec weights[Format::kQuads][kOutputVecs];
    for (int v = 0; v < kOutputVecs; ++v)
      for (int quad = 0; quad < Format::kQuads; ++quad)
        weights[quad][v] = Format::unpack(load_bytes(data + v * sizeof(ByteVec)), quad);
    for (int b = 0; b < B; ++b)
      for (int quad = 0; quad < Format::kQuads; ++quad) {
        ByteVec four = splat4(x[b] + i + 4 * quad);
        for (int v = 0; v < kOutputVecs; ++v)
          sums[b][v] = Format::add(sums[b][v], weights[quad][v], four);
      }
  }
  for (int b = 0; b < B; ++b)
    for (int v = 0; v < kOutputVecs; ++v) out[b][v] = Format::total(sums[b][v]);
}

// The parts of a Quantized that one panel reads, in order.
template <class Format>
struct Panel {
  const uint8_t* data;
  const typename Format::Scale* scales;
  const uint8_t* zeros;  // or null

  Panel(const Quantized& weight, int64_t index) {
    int64_t groups = ceil_div(weight.k, weight.group);
    data = weight.data + index * (padded(weight.k) / (4 * Format::kQuads) * kChunk);
    scales = static_cast<const typename Format::Scale*>(weight.scales) + index * groups * kOutputs;
    zeros = weight.zeros == nullptr ? nullptr : weight.zeros + index * groups * (kOutputs / 2);
  }

  Vec scale(int64_t group, int v) const {
    return Format::scale(scales + group * kOutputs + v * kLanes);
  }
  Vec zero(int64_t group, int v) const {
    Vec zero;
    const uint8_t* from = zeros == nullptr ? nullptr : zeros + group * (kOutputs / 2);
    for (int i = 0; i < kLanes; ++i) zero[i] = Format::zero(from, v * kLanes + i);
    return zero;
  }
};

// out[b][:] = x[b] . weight[:] for B rows. What is summed in which order does not depend on B.
template <class Format, int B>
__attribute__((noinline)) void multiply_panel(const Quantized& weight, int64_t index,
                                              const Rounded* rows, float* out) {
  Panel<Format> panel(weight, index);
  const int64_t blocks = padded(weight.k) / kBlockInputs,
                group_blocks = weight.group / kBlockInputs;
  Vec sums[B][kOutputVecs] = {};
  for (int64_t group = 0, i = 0; i < blocks; ++group) {
    Vec dots[B][kOutputVecs] = {};
    for (int64_t last = smaller(blocks, i + group_blocks); i < last; ++i) {
      const int8_t* x[B];
      for (int b = 0; b < B; ++b) x[b] = rows[b].value + i * kBlockInputs;
      IntVec exact[B][kOutputVecs];
      block_products<Format, B>(panel.data, x, exact);
      panel.data += kBlockInputs / (4 * Format::kQuads) * kChunk;
      for (int b = 0; b < B; ++b)
        for (int v = 0; v < kOutputVecs; ++v)
          dots[b][v] = multiply_add(to_float(exact[b][v]), splat(rows[b].scale[i]), dots[b][v]);
    }
    for (int v = 0; v < kOutputVecs; ++v) {
      Vec scale = panel.scale(group, v), zero = panel.zero(group, v);
      for (int b = 0; b < B; ++b) {
        Vec dot = multiply_add(zero, splat(-rows[b].sum[group]), dots[b][v]);
        sums[b][v] = multiply_add(scale, dot, sums[b][v]);
      }
    }
  }
  for (int b = 0; b < B; ++b)
    for (int v = 0; v < kOutputVecs; ++v) store(out + b * kOutputs + v * kLanes, sums[b][v]);
}

}  // namespace
}  // namespace omni::OMNI_ISA
