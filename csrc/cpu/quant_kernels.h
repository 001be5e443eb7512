// Kernels on quantized weights, and on activations that are rounded to meet them; see kernels.h.
#pragma once

#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

// A weight [n, k] of 8 or 4 bits in panels of 16 outputs; formats.py draws the layout.
struct Quantized {
  uint8_t* data = nullptr;   // [panels, padded(k) * bits / 32, 64]
  void* scales = nullptr;    // [panels, groups, 16]: float32 of 8 bits, float16 of 4
  uint8_t* zeros = nullptr;  // [panels, groups, 8] or null: zero-points of 4 bits
  int64_t n = 0, k = 0, group = 0;
  int bits = 0;
};

// Rows [n, k] that are looked up one by one: those of `stored`, unless `quantized` has data.
struct Table {
  Stored stored;
  Quantized quantized;
};

// Inputs that share a scale when activations are rounded, and to a multiple of which the layout
// pads k.
constexpr int64_t kBlockInputs = 32;

constexpr int64_t padded(int64_t k) { return (k + kBlockInputs - 1) / kBlockInputs * kBlockInputs; }

// Bytes that one rounded row takes, whole cache lines: its values, of 8 or 16 bits, a scale and a
// sum for at most every block.
constexpr int64_t rounded_bytes(int64_t k) {
  constexpr int64_t kLine = 64;
  const int64_t values = 2 * ((k + kLine - 1) / kLine * kLine);
  const int64_t others = padded(k) / kBlockInputs * 2 * static_cast<int64_t>(sizeof(float));
  return values + (others + kLine - 1) / kLine * kLine;
}

struct QuantLinear {
  const float* x;    // [rows, k]
  Quantized weight;  // [n, k]
  Stored bias;       // [n] or null
  uint8_t* rounded;  // [rows, rounded_bytes(k)]: scratch
  float* out;        // [rows, n]
  int64_t rows;
};

struct Quantize {
  Stored weight;  // [n, k]
  Quantized out;
};

// clang-format off
#define OMNI_QUANT_KERNELS(X)  \
  X(quant_linear, QuantLinear) \
  X(quantize, Quantize)
// clang-format on

}  // namespace omni
