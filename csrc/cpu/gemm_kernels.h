// Kernels of products with weights that were packed ahead; see kernels.h and ops/packed.py.
#pragma once

#include "base/flow_state.h"
#include "base/parallel.h"
#include "base/tensor.h"

namespace omni {

// Largest k of an int8 product: so many bytes a row of activations takes on the stack.
constexpr int64_t kMaxByteDepth = 16384;

// Inputs of a packed weight, filled up with zeros to whole lines of 64 bytes in bf16 and i8.
constexpr int64_t packed_inputs(DType dtype, int64_t k) {
  int64_t line = dtype == DType::i8 ? 64 : dtype == DType::bf16 ? 32 : 1;
  return (k + line - 1) / line * line;
}

struct PackedWeight {
  const void* data;    // panels [ceil(n / 16)][inputs / d][16][d], d = 1 in f32, 2 in bf16, 4 in i8
  DType dtype;         // f32, bf16 or i8
  const float* scale;  // [n] of i8, else null
  const int32_t* sums;  // [n] of i8, else null: of each output's numbers
  int64_t n, k;
};

struct FlowLinear {
  const FlowState* state;
  const float* x;  // [frames * rows, k]
  PackedWeight weight;
  const float* bias;  // [n] or null
  float* out;         // [frames * rows, n]
  int64_t rows;
  bool gelu;
};

struct FlowGatedLinear {
  const FlowState* state;
  const float* x;  // [frames * rows, k]
  PackedWeight weight;
  const float* bias;  // [n] or null
  float* out;         // [frames * rows, n]
  int64_t rows, gate, table_rows;
};

// clang-format off
#define OMNI_GEMM_KERNELS(X)             \
  X(flow_linear, FlowLinear)             \
  X(flow_gated_linear, FlowGatedLinear)
// clang-format on

}  // namespace omni
